"""Forward and backward passes of a network whose layers are watched."""

from contextlib import contextmanager

import torch
from torch import nn

from skshap.nn._autograd import (
    gradients_of,
    parameters_behind,
    raw_gradients,
    widen,
)
from skshap.nn._batch import batch_size, network_outputs
from skshap.nn._watch import Watch

__all__ = ["Passes"]

FEW = 1 << 20  # frozen parameters that a backward pass may always go through


class Passes:
    """Passes of a network.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    plan : Plan
        Which layers are watched.
    outputs : {"first", "sum", "mean"}
        What is differentiated, see `GradientCapture`.
    """

    def __init__(self, network, plan, outputs):
        self.network, self.plan, self.outputs = network, plan, outputs
        named = network.named_modules()
        self._tables = {name: m for name, m in named if isinstance(m, nn.Embedding)}

    @property
    def is_near_tokens(self):
        """Whether so little is frozen that a backward pass may as well reach tokens."""
        held = {p for table in self._tables.values() for p in table.parameters()}
        wanted = set(self.plan.wanted.values())
        n_frozen = sum(p.numel() for p in {*self.network.parameters()} - held - wanted)
        return n_frozen <= max(FEW, sum(p.numel() for p in wanted - held) / 10)

    def to_device(self, batch):
        device = next(self.network.parameters()).device
        if isinstance(batch, dict):
            return {name: value.to(device) for name, value in batch.items()}
        return batch.to(device)

    def run(self, batch):
        """Return what is differentiated: a list of tensors of shape (n,)."""
        return self.choose(network_outputs(self.network, batch), batch_size(batch))

    def choose(self, outputs, n):
        """Return what is differentiated of the outputs of n rows."""
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

    def forward(self, batch, *, watch_tokens=False):
        """Run the network, watching the layers that have rules.

        Parameters
        ----------
        batch : dict of Tensor, or Tensor
            Input of the network.
        watch_tokens : bool, default=False
            Watch whatever else looks tokens up, so that a backward pass gives the
            gradients at what is looked up for each, padding included.

        Returns
        -------
        calls : dict of list of Call
            By layer.
        outputs : list of Tensor of shape (n,)

        Raises
        ------
        ValueError
            If outputs depend on parameters that the network does not have.
        """
        if torch.is_inference_mode_enabled():
            raise RuntimeError(
                "gradients cannot be taken inside of torch.inference_mode(); leave it, "
                "or use torch.no_grad()."
            )
        watch = Watch(self.plan, batch_size(batch))
        if watch_tokens:
            watch.add_tables(self._tables, batch)
        wanted = set(self.plan.wanted.values())
        with watch, torch.enable_grad(), requiring_grad(self.network, wanted):
            outputs = self.run(batch)
        watch.check_unchanged()
        self._check_own(batch, outputs)
        return watch.calls, outputs

    def _check_own(self, batch, outputs):
        """Raise if outputs depend on parameters that the network does not have.

        A copy of a network has its functions as well. Those that hold the network that
        was copied run parts of that one. Parameters that are made in a forward pass are
        others in the next, and never learn.
        """
        others = parameters_behind(outputs) - set(self.network.parameters())
        if others:
            with torch.enable_grad():
                others &= parameters_behind(self.run(batch))
        if others:
            shapes = sorted(tuple(parameter.shape) for parameter in others)
            raise ValueError(
                f"the output of model depends on a parameter of shape {shapes[0]} that "
                "is none of model.parameters(), as where a list holds it, or a "
                "function that holds the model, such as a lambda, a hook or what "
                "torch.compile(self.part) returns, which a copy of model has as well. "
                "Make what it belongs to an attribute of the module that calls it in "
                "its forward, or have it not count by requires_grad_(False)."
            )

    def used_elsewhere(self, outputs):
        """Return names of parameters that have a rule but count outside of its layer.

        That is by `outputs` of `forward`.
        """
        ruled, found = self.plan.ruled, set()
        for output in outputs:
            if ruled and output.requires_grad:
                gradients = raw_gradients(output, list(ruled.values()))
                pairs = zip(ruled, gradients, strict=True)
                found |= {name for name, g in pairs if g is not None and g.any()}
        return found

    def check_differentiable(self, batch):
        """Raise if outputs have no gradients, whichever parameters require them."""
        wanted = {p for p in self.network.parameters() if p.is_floating_point()}
        with torch.enable_grad(), requiring_grad(self.network, wanted):
            outputs = self.run(batch)
        if not any(output.requires_grad for output in outputs):
            raise ValueError(
                "the output of model has no gradients with respect to any of its "
                "parameters: its forward runs under torch.no_grad(), detaches what it "
                "returns, or rounds it; take that out."
            )

    def backward(self, calls, output, weights=None):
        """Replace what layers wrote by the gradients at it, in float32 at least.

        Parameters
        ----------
        calls : dict of list of Call
            From `forward`.
        output : Tensor of shape (n,)
            Of these.
        weights : Tensor of shape (n,) or None, default=None
            What the gradients of each example are multiplied by.

        Returns
        -------
        dict of list of Call
        """
        flat = [call.grad for used in calls.values() for call in used]
        grads = map(widen, gradients_of(output, flat))
        if weights is not None:
            grads = (_weighted(gradient, weights) for gradient in grads)
        return {
            name: [
                call._replace(read=widen(call.read), grad=next(grads)) for call in used
            ]
            for name, used in calls.items()
        }


@contextmanager
def requiring_grad(network, wanted):
    """Have some parameters of a network require gradients, and no others."""
    flags = [(p, p.requires_grad) for p in network.parameters()]
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(parameter in wanted)
        yield
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def _weighted(gradient, weights):
    """Multiply what belongs to each example by its weight."""
    weights = weights.repeat_interleave(len(gradient) // len(weights)).to(gradient)
    return torch.einsum("n,n...->n...", weights, gradient)
