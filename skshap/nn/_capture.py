"""Per-example gradients in factored form, from one batched forward and backward.

The weight gradient of example i in a linear layer is ``sum_t d_t a_t'``, where a_t is
what the layer read and d_t the gradient at what it wrote for token t. Hooks collect
both for a whole batch at once; the products are left to `skshap.nn._gram`. Parameters
of layers without a rule take one backward pass an example.
"""

import sys
import warnings
from itertools import chain

import torch

from skshap.exceptions import SmallerBatchWarning
from skshap.nn._factors import BatchGradients, Layout, concatenate
from skshap.nn._plan import Call, Plan

__all__ = ["GradientCapture", "network_outputs"]

# Relative, of a rule's gradient against autograd's, on one example.
TOLERANCES = {torch.bfloat16: 1e-1, torch.float32: 1e-2, torch.float64: 1e-2}


class GradientCapture:
    """Captures the gradients of an output of a network, example by example.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode. Parameters with ``requires_grad`` make the kernel, each
        counted once, however many layers share it.
    outputs : {"first", "sum", "mean"}, default="first"
        Take the gradients of the first output, of the sum of all, or of each, so that
        the inner product of two rows is the mean over outputs.

    Raises
    ------
    ValueError
        If no parameter counts, or if a layer mixes the examples of a batch. The message
        names the layer.
    """

    def __init__(self, network, outputs="first"):
        self.network = network
        self.outputs = outputs
        self._plan = Plan(network)
        self._layout = None
        self._most = sys.maxsize  # rows in a batch, as far as is known

    def layout(self, batch):
        """Find the layout of a row by its first example, and check the rules with it.

        A parameter whose gradient autograd says to be another than its rule's, as when
        a weight is also used outside of its layer, goes on without a rule.

        Parameters
        ----------
        batch : dict of Tensor, or Tensor
            Input of the network.

        Returns
        -------
        Layout
        """
        if self._layout is not None:
            return self._layout
        plan = self._plan
        one = _slice(self._to_device(batch), 0, 1)
        calls, outputs = self._forward(one)
        plan.arrange(calls)
        names = [name for name in plan.wanted if name not in plan.general]
        with torch.enable_grad():
            again = self._run(one)
        for output, plain in zip(outputs, again, strict=True):
            gradients = _gradients(plain, [plan.wanted[name] for name in names])
            self._check_rules(dict(zip(names, gradients, strict=True)), calls, output)
        plan.arrange(calls)
        n_vector, factors = plan.layout()
        self._layout = Layout(n_vector * len(outputs), factors * len(outputs))
        return self._layout

    def _check_rules(self, exact, calls, output):
        """Give up rules whose gradients of one example differ from the exact ones."""
        plan, calls = self._plan, self._backward(calls, output)
        with torch.no_grad():
            for name, gradient in exact.items():
                found, expected = plan.norm(name, calls), gradient.double().norm()
                largest = TOLERANCES[gradient.dtype] * expected
                if (found - expected).abs() > largest:  # False for NaN
                    plan.general.add(name)

    def gradients(self, batch, lengths):
        """Capture the gradients of a batch, left on the device.

        Parameters
        ----------
        batch : dict of Tensor, or Tensor
            Input of the network.
        lengths : array-like of int, or None
            Tokens of each example that are not padding; None if nothing is padded.

        Returns
        -------
        BatchGradients

        Raises
        ------
        ValueError
            If a gradient is not finite, or if padding counts.
        """
        self.layout(batch)
        parts, start, n = [], 0, _size(batch)
        while start < n:
            stop = min(n, start + self._most)
            one = _slice(batch, start, stop)
            part = self._try(one, None if lengths is None else lengths[start:stop])
            if part is not None:
                parts.append(part)
                start = stop
        return parts[0] if len(parts) == 1 else concatenate(parts)

    def _try(self, batch, lengths):
        """Capture the gradients of a batch; None if it must be halved first."""
        try:
            return self._capture(batch, lengths)
        except RuntimeError as error:
            n, is_memory = _size(batch), isinstance(error, torch.OutOfMemoryError)
            if n == 1 or not (is_memory or "can't allocate memory" in str(error)):
                raise
        # Out of the handler, which holds on to what the batch takes.
        self._most = n // 2
        warnings.warn(
            f"a batch of {n} rows does not fit into memory and was halved; set "
            f"batch_size={self._most}, or a smaller max_length.",
            SmallerBatchWarning,
            stacklevel=2,
        )
        return None

    def _capture(self, batch, lengths):
        batch = self._to_device(batch)
        calls, outputs = self._forward(batch)
        found = [self._collect(calls, output, lengths) for output in outputs]
        if len(found) == 1:
            return found[0]
        vectors, pairs, counts = zip(*found, strict=True)
        pairs, counts = list(chain(*pairs)), list(chain(*counts))
        return BatchGradients(torch.cat(vectors, 1), pairs, counts)

    def _collect(self, calls, output, lengths):
        """Return the gradients of one output."""
        plan, calls = self._plan, self._backward(calls, output)
        names = [name for name in plan.wanted if name in plan.general]
        parameters = [plan.wanted[name] for name in names]
        with torch.enable_grad():
            each = [_gradients(one, parameters) for one in output.unbind() if names]
        with torch.no_grad():
            general = {
                name: _widen(
                    torch.stack([gradient.flatten() for gradient in gradients])
                )
                for name, gradients in zip(names, zip(*each, strict=True), strict=True)
            }
            found = plan.collect(calls, general, len(output))
            _check_finite(found)
            if lengths is not None:
                _check_padding(calls, lengths)
        return found

    def forward(self, batch):
        """Compute the outputs of a batch, of shape (n, n_outputs)."""
        with torch.no_grad():
            return network_outputs(self.network, self._to_device(batch))

    def rows(self, batch, lengths):
        """Capture the gradients of a batch; return a flat array for each example."""
        return self.gradients(batch, lengths).rows()

    def _to_device(self, batch):
        device = next(self.network.parameters()).device
        if isinstance(batch, dict):
            return {name: value.to(device) for name, value in batch.items()}
        return batch.to(device)

    def _run(self, batch):
        """Return what is differentiated: a list of tensors of shape (n,)."""
        outputs, n = network_outputs(self.network, batch), _size(batch)
        if len(outputs) != n:
            raise ValueError(
                f"the forward of model must return one row for each of the {n} in the "
                f"batch, got {len(outputs)}."
            )
        if self.outputs == "first":
            return [outputs[:, 0]]
        if self.outputs == "sum":
            return [outputs.sum(1)]
        return list((outputs / outputs.shape[1] ** 0.5).unbind(1))

    def _forward(self, batch):
        """Run the network; return the calls of layers with rules, and the outputs."""
        n, plan = _size(batch), self._plan
        calls = {name: [] for name in plan.layers}
        alive = []  # what was read: a tensor that is freed would lend its identity

        def record(name):
            def hook(module, args, kwargs, output):
                read = next(iter((*args, *kwargs.values())))
                alive.append((name, read, read._version))
                source, read = id(read), read.detach()
                wrote = output if output.requires_grad else output.detach()
                if len(read) == 1 < n:  # for all examples at once
                    read = read.expand(n, *read.shape[1:])
                    wrote = wrote.expand(n, *wrote.shape[1:]).clone()
                # A leaf of its own: no gradient flows further down than needed, and
                # later in-place operations touch only the copy.
                wrote = wrote if wrote.requires_grad else wrote.requires_grad_()
                calls[name].append(Call(source, read, wrote))
                return wrote.clone()

            return hook

        ruled = {p for name, p in plan.wanted.items() if name not in plan.general}
        # Before hooks that the network came with: they may change what is written.
        handles = [
            layer.register_forward_hook(record(name), prepend=True, with_kwargs=True)
            for name, layer in plan.layers.items()
            if not ruled.isdisjoint(layer._parameters.values())
        ]
        flags = [(p, p.requires_grad) for p in self.network.parameters()]
        general = {plan.wanted[name] for name in plan.general}
        try:
            for parameter, _ in flags:
                parameter.requires_grad_(parameter in general)
            with torch.enable_grad():
                outputs = self._run(batch)
        finally:
            for handle in handles:
                handle.remove()
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
        self._check_calls(calls, alive, n)
        return calls, outputs

    def _check_calls(self, calls, alive, n):
        for name, read, version in alive:
            if read._version != version:
                raise ValueError(
                    f"what layer {name!r} reads is changed in place later in the "
                    "forward pass; use an out-of-place operation, or freeze the layer."
                )
        for name, used in calls.items():
            shapes = [tuple(call.read.shape) for call in used if len(call.read) != n]
            if shapes and self._layout is not None:
                raise ValueError(
                    f"layer {name!r} reads a tensor of shape {shapes[0]} in a batch of "
                    f"{n}, but had the examples on its first axis in a batch of one; "
                    "set batch_size=1, or freeze it with requires_grad_(False)."
                )

    def _backward(self, calls, output):
        """Replace what layers wrote by the gradients at it, in float32 at least."""
        flat = [call.grad for used in calls.values() for call in used]
        grads = iter(_gradients(output, flat))
        return {
            name: [
                call._replace(read=_widen(call.read), grad=_widen(next(grads)))
                for call in used
            ]
            for name, used in calls.items()
        }


def network_outputs(network, batch):
    """Return the outputs of a batch, of shape (n, n_outputs).

    Parameters
    ----------
    network : torch.nn.Module
    batch : dict of Tensor, or Tensor

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the network returns something else.
    """
    output = network(**batch) if isinstance(batch, dict) else network(batch)
    output = getattr(output, "logits", output)
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        what = tuple(output.shape) if hasattr(output, "shape") else type(output)
        raise ValueError(
            "the forward of model must return a tensor of shape (n, n_outputs), got "
            f"{what}."
        )
    return output


def _widen(tensor):
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def _size(batch):
    return len(next(iter(batch.values())) if isinstance(batch, dict) else batch)


def _slice(batch, start, stop):
    """Return some examples of a batch, as a batch."""
    if isinstance(batch, dict):
        return {name: value[start:stop] for name, value in batch.items()}
    return batch[start:stop]


def _gradients(output, tensors):
    """Return the gradients of a sum of outputs; zeros where it does not depend."""
    if not tensors or not output.requires_grad:
        return [torch.zeros_like(tensor) for tensor in tensors]
    with torch.enable_grad():
        total = output.sum()
    grads = torch.autograd.grad(total, tensors, allow_unused=True, retain_graph=True)
    return [
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(tensors, grads, strict=True)
    ]


def _check_finite(found):
    parts = [found.vector, *(part for pair in found.pairs for part in pair)]
    # A sum is finite only if all are, unless it overflows: then look at each.
    if not all(p.sum().isfinite() or p.isfinite().all() for p in parts):
        raise ValueError(
            "the gradients of model are not finite (NaN or infinity) for these rows; "
            "check its weights and the range of the rows."
        )


def _check_padding(calls, lengths):
    """Raise if the output depends on what a layer writes for padding."""
    for name, used in calls.items():
        for call in used:
            grad = call.grad
            if grad.ndim != 3:
                continue
            tokens = torch.arange(grad.shape[1], device=grad.device)
            stops = torch.as_tensor(lengths, device=grad.device)
            if grad.shape[1] == max(lengths) and grad[tokens >= stops[:, None]].any():
                raise ValueError(
                    f"the output of model depends on what layer {name!r} writes for "
                    "padding, so that the kernel would depend on the batches; make the "
                    "model obey the attention mask, or set batch_size=1."
                )
