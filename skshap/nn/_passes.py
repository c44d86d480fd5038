"""Forward and backward passes of a network whose layers are watched.

Hooks see what layers with rules read, and have them write into leaves of their own, of
which a backward pass then gives the gradients.
"""

from contextlib import contextmanager

import torch
from torch import nn

from skshap.nn._autograd import gradients_of, raw_gradients, widen
from skshap.nn._batch import batch_size, network_outputs
from skshap.nn._plan import Call

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
        """
        if torch.is_inference_mode_enabled():
            raise RuntimeError(
                "gradients cannot be taken inside of torch.inference_mode(); leave it, "
                "or use torch.no_grad()."
            )
        n, plan = batch_size(batch), self.plan
        calls = {name: [] for name in plan.layers}
        alive = []  # what was read: a tensor that is freed would lend its identity

        ruled = {p for name, p in plan.wanted.items() if name not in plan.general}

        def leave_own(layer, *_):
            _require_grad(layer, ruled, False)

        def record(name, tokens=None):
            def hook(layer, args, kwargs, output):
                _require_grad(layer, ruled, True)
                read = next(iter((*args, *kwargs.values())), None)
                if not all(isinstance(part, torch.Tensor) for part in (read, output)):
                    return output  # no layer of the kind that its rule is for
                if not read.numel():  # as of an expert that no token is sent to
                    return output
                if tokens is None:
                    check_not_inference(name, read)
                    alive.append((name, read, read._version))
                elif torch.is_inference_mode_enabled() or not _is_same(read, tokens):
                    return output  # such as of positions
                source, read = id(read), read.detach()
                wrote = output if output.requires_grad else output.detach()
                is_shared = len(read) == 1 < n  # for all examples at once
                if is_shared:
                    read = read.expand(n, *read.shape[1:])
                    wrote = wrote.expand(n, *wrote.shape[1:]).clone()
                # A leaf of its own: no gradient flows further down than needed, and
                # later in-place operations touch only the copy.
                wrote = wrote if wrote.requires_grad else wrote.requires_grad_()
                calls.setdefault(name, []).append(Call(source, read, wrote, is_shared))
                # Frozen tables may be read under torch.no_grad().
                is_seen = tokens is not None or torch.is_grad_enabled()
                with torch.set_grad_enabled(is_seen):
                    return wrote.clone()

            return hook

        watched = [
            (layer, record(name))
            for name, layer in plan.layers.items()
            if not ruled.isdisjoint(layer._parameters.values())
        ]
        if watch_tokens:
            watched += [
                (table, record(name, batch["input_ids"]))
                for name, table in self._tables.items()
                if ruled.isdisjoint(table._parameters.values())
            ]
        # Before hooks that the network came with: they may change what is written.
        handles = [
            layer.register_forward_hook(hook, prepend=True, with_kwargs=True)
            for layer, hook in watched
        ]
        # Of what has a rule, only what is used outside of its layer is in the graph.
        handles += [
            layer.register_forward_pre_hook(leave_own, prepend=True)
            for layer, _ in watched
        ]
        wanted = set(plan.wanted.values())
        try:
            with torch.enable_grad(), requiring_grad(self.network, wanted):
                outputs = self.run(batch)
        finally:
            for handle in handles:
                handle.remove()
        check_unchanged(alive)
        return calls, outputs

    def used_elsewhere(self, outputs):
        """Return names of parameters that have a rule but count outside of its layer.

        Parameters
        ----------
        outputs : list of Tensor
            From `forward`.

        Returns
        -------
        set of str
        """
        names = [name for name in self.plan.wanted if name not in self.plan.general]
        parameters, found = [self.plan.wanted[name] for name in names], set()
        for output in outputs:
            if names and output.requires_grad:
                pairs = zip(names, raw_gradients(output, parameters), strict=True)
                found |= {name for name, g in pairs if g is not None and g.any()}
        return found

    def check_differentiable(self, batch):
        """Raise if outputs have no gradients, whichever parameters require them."""
        wanted = {p for p in self.network.parameters() if p.is_floating_point()}
        batch = self.to_device(batch)
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


def _require_grad(layer, parameters, flag):
    """Have some parameters of a layer require gradients or not."""
    for parameter in layer._parameters.values():
        if parameter in parameters:
            parameter.requires_grad_(flag)


def _is_same(read, tokens):
    """Whether a layer read the tokens of a batch, of whatever shape."""
    return read.numel() == tokens.numel() and torch.equal(
        read.flatten().to(tokens), tokens.flatten()
    )


def check_not_inference(name, read):
    """Raise if a layer works, or what it reads was made, where no gradients are."""
    if torch.is_inference_mode_enabled() or read.is_inference():
        raise ValueError(
            f"the forward of model calls layer {name!r}, or computes what it reads, "
            "inside of torch.inference_mode(), where gradients cannot be taken; take "
            "that out, or freeze what is inside and use torch.no_grad()."
        )


def check_unchanged(alive):
    """Raise if what layers read is not what it was then."""
    for name, read, version in alive:
        if read._version != version:
            raise ValueError(
                f"what layer {name!r} reads is changed in place later in the "
                "forward pass; use an out-of-place operation, or freeze the layer."
            )


def _weighted(gradient, weights):
    """Multiply what belongs to each example by its weight."""
    weights = weights.repeat_interleave(len(gradient) // len(weights)).to(gradient)
    return torch.einsum("n,n...->n...", weights, gradient)
