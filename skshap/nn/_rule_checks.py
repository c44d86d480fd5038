"""Whether rules of layers give the gradients that autograd gives."""

import torch

from skshap.nn._autograd import exact_gradients, widen
from skshap.nn._capture_checks import is_memory_error, largest_rounding

__all__ = ["wrong_rules"]

# Relative, of a rule's gradient against autograd's.
TOLERANCES = {
    torch.float16: 1e-1,
    torch.bfloat16: 1e-1,
    torch.float32: 1e-2,
    torch.float64: 1e-6,
}


@torch.enable_grad()
def wrong_rules(passes, batch, calls, outputs):
    """Return parameters whose gradients, by their rules, are not autograd's.

    Compared are sums over the examples with a weight for each, as many as they are:
    what is credited to another example shows as well.

    Parameters
    ----------
    passes : Passes
        Through the network.
    batch : dict of Tensor, or Tensor
        Examples, on the device of the network.
    calls : dict of list of Call
        Of its layers, by name, in the forward pass of these.
    outputs : list of Tensor
        Of that pass.

    Returns
    -------
    set of str
        Names of parameters.
    """
    plan, weights = passes.plan, spread(outputs[0])
    ruled = plan.ruled
    again, wrong = passes.run(batch), set()
    rounding = largest_rounding(torch.stack(again, 1).detach())
    for output, plain, bound in zip(outputs, again, rounding, strict=True):
        if ((output - plain).detach().abs() > bound).any():
            return set(ruled)  # hooks make another network of it
        exact = exact_gradients(plain * weights, list(ruled.values()))
        try:
            found = passes.backward(calls, output, weights)
        except RuntimeError as error:  # layers are run again, without hooks
            if is_memory_error(error):
                raise
            return set(ruled)
        whole = sum(gradient.double().norm() ** 2 for gradient in exact) ** 0.5
        for name, gradient in zip(ruled, exact, strict=True):
            if not holds(plan, name, found, gradient, whole):
                wrong.add(name)
    return wrong


@torch.no_grad()
def holds(plan, name, calls, gradient, whole):
    """Whether the rule of a parameter gives the gradient that autograd gives."""
    # Of biases before a softmax, gradients are rounding of the `whole` ones' size.
    tolerance = TOLERANCES[gradient.dtype]
    largest = tolerance * (gradient.double().norm() + tolerance * whole)
    try:
        rest = plan.remainder(name, calls, widen(gradient))
    except Exception as error:  # it takes the layer for one of another kind
        if is_memory_error(error):
            raise
        return False
    return not rest.double().norm() > largest  # True for NaN


def spread(output):
    """Return a weight for each of n examples, no two alike: -1, 2, -3, 4 and so on.

    Weighted sums of gradients that are all alike, or opposite, are not near zero.
    """
    numbers = torch.arange(1, len(output) + 1, device=output.device, dtype=output.dtype)
    return numbers * (-1) ** numbers
