"""Per-example gradients in factored form, from one batched forward and backward.

The weight gradient of example i in a linear layer is ``sum_t d_t a_t'``, where a_t is
what the layer read and d_t the gradient at what it wrote for token t. Hooks collect
both for a whole batch at once; the products are left to `skshap.nn._gram`. Layers
that read the same tensor (query, key and value) are one layer with more outputs.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from skshap.nn._models import first_output

__all__ = ["Factor", "GradientCapture", "Layout"]

PARAMETERS = {"weight", "bias"}  # of the layers that have a rule


@dataclass(frozen=True)
class Factor:
    """Where the two factors of one linear gradient lie in a row's token columns."""

    start: int
    n_inputs: int
    n_outputs: int

    @property
    def stop(self):
        """One past the last column."""
        return self.start + self.n_inputs + self.n_outputs


@dataclass
class Layout:
    """How the flat gradient of one example is laid out.

    A row is ``[vector | single tokens | tokens]``: the summed gradients of biases and
    norms, then the factors of the layers that see one token an example, then
    (n_tokens, width) of the factors of the layers that see every token.
    """

    n_vector: int = 0
    single: list = field(default_factory=list)
    tokens: list = field(default_factory=list)

    @property
    def n_single(self):
        """Columns of the single-token factors."""
        return self.single[-1].stop if self.single else 0

    @property
    def width(self):
        """Columns of the per-token factors."""
        return self.tokens[-1].stop if self.tokens else 0

    def n_tokens(self, row):
        """Tokens of one flat row."""
        rest = len(row) - self.n_vector - self.n_single
        return rest // self.width if self.width else 1


class GradientCapture:
    """Captures the gradients of a network's first output, example by example.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode. Parameters with ``requires_grad`` make the kernel.

    Raises
    ------
    ValueError
        If a parameter belongs to a layer that has no rule, is shared by two layers, or
        if there is none. The message names the layer.
    """

    def __init__(self, network):
        self.network = network
        self._grouped = None
        self._linear, self._norms = _layers_with_parameters(network)
        # What is recorded of the network's gradients, in a fixed order.
        self._layers = self._linear | self._norms
        self._wanted = {p for p in network.parameters() if p.requires_grad}

    def layout(self, batch):
        """Find the layout of a row by one forward pass of a batch."""
        with torch.no_grad():
            inputs, outputs = self._forward(batch)[:2]
        return self._layout(inputs, outputs)

    def rows(self, batch, lengths):
        """Capture the gradients of a batch.

        Parameters
        ----------
        batch : dict of Tensor, or Tensor
            Input of the network.
        lengths : array-like of int, or None
            Tokens of each example that are not padding; None if nothing is padded.

        Returns
        -------
        list of ndarray
            The flat gradient of each example, in the order of the batch.

        Raises
        ------
        ValueError
            If a gradient is not finite, or if padding counts.
        """
        with torch.enable_grad():
            inputs, outputs, total = self._forward(batch)
        names = list(outputs)
        grads = torch.autograd.grad(
            total, [outputs[name] for name in names], allow_unused=True
        )
        grads = {
            name: torch.zeros_like(outputs[name]) if grad is None else grad
            for name, grad in zip(names, grads, strict=True)
        }
        with torch.no_grad():
            return self._flatten(inputs, grads, lengths)

    def _forward(self, batch):
        inputs, outputs, versions = {}, {}, {}

        def record(name):
            def hook(module, args, kwargs, output):
                if name in inputs:
                    raise ValueError(
                        f"layer {name!r} is called more than once in a forward pass, "
                        "which the exact kernel has no rule for; freeze it with "
                        "requires_grad_(False)."
                    )
                read = args[0] if args else kwargs["input"]
                inputs[name] = read.detach()
                versions[name] = (read, read._version)
                # A leaf of its own: no gradient flows further down than needed, and
                # later in-place operations touch only the copy.
                outputs[name] = (
                    output.detach().requires_grad_()
                    if not (output.requires_grad)
                    else output
                )
                return outputs[name].clone()

            return hook

        # Before hooks that the network came with: they may change what is written.
        handles = [
            layer.register_forward_hook(record(name), prepend=True, with_kwargs=True)
            for name, layer in self._layers.items()
        ]
        wanted = [(p, p.requires_grad) for p in self.network.parameters()]
        batch = _to_device(batch, next(self.network.parameters()).device)
        n = len(next(iter(batch.values())) if isinstance(batch, dict) else batch)
        try:
            for parameter, _ in wanted:
                parameter.requires_grad_(False)
            output = first_output(self.network, batch)
        finally:
            for handle in handles:
                handle.remove()
            for parameter, requires_grad in wanted:
                parameter.requires_grad_(requires_grad)
        for name in self._layers:
            if name not in inputs:
                raise ValueError(
                    f"layer {name!r} has parameters but is not called in the forward "
                    "pass; freeze it with requires_grad_(False)."
                )
            tensor, version = versions[name]
            if tensor._version != version:
                raise ValueError(
                    f"what layer {name!r} reads is changed in place later in the "
                    "forward pass; use an out-of-place operation, or freeze the layer."
                )
            if len(tensor) != n:
                raise ValueError(
                    f"layer {name!r} reads a tensor of shape {tuple(tensor.shape)} in "
                    f"a batch of {n}; the exact kernel needs the examples on its first "
                    "axis. Freeze the layer with requires_grad_(False)."
                )
            # Layers that read one tensor share one record of it.
            inputs[name] = (id(tensor), inputs[name])
        if len(output) != n:
            raise ValueError(
                f"the forward of model must return one row for each of the {n} in the "
                f"batch, got {len(output)}."
            )
        return inputs, outputs, output.sum()

    def _groups(self, inputs):
        """Group the linear layers whose weights count by the tensor they read.

        The first batch decides, so that the rows of all batches are laid out alike.
        """
        if self._grouped is None:
            groups = {}
            for name, layer in self._linear.items():
                if layer.weight in self._wanted:
                    groups.setdefault(inputs[name][0], []).append(name)
            self._grouped = list(groups.values())
        for first, *others in self._grouped:
            key, tensor = inputs[first]
            for name in others:
                if inputs[name][0] != key and not torch.equal(inputs[name][1], tensor):
                    raise ValueError(
                        f"layers {first!r} and {name!r} read the same tensor in one "
                        "batch and different ones in another; freeze one of them with "
                        "requires_grad_(False)."
                    )
        return self._grouped

    def _layout(self, inputs, outputs):
        layout = Layout()
        for names in self._groups(inputs):
            tensor = inputs[names[0]][1]
            if tensor.ndim not in (2, 3):
                raise ValueError(
                    f"layer {names[0]!r} reads a tensor of shape "
                    f"{tuple(tensor.shape)}; the exact kernel has rules for (n, "
                    "features) and (n, tokens, features). Freeze the layer with "
                    "requires_grad_(False)."
                )
            factors = layout.single if tensor.ndim == 2 else layout.tokens
            factors.append(
                Factor(
                    factors[-1].stop if factors else 0,
                    tensor.shape[-1],
                    sum(outputs[name].shape[-1] for name in names),
                )
            )
        layout.n_vector = sum(p.numel() for p in self._vector_parameters())
        return layout

    def _vector_parameters(self):
        """Biases and norm parameters: their gradients are kept summed over tokens."""
        for layer in self._layers.values():
            named = [layer.bias]
            if isinstance(layer, nn.LayerNorm):
                named = [layer.weight, layer.bias]
            yield from (p for p in named if p is not None and p in self._wanted)

    def _flatten(self, inputs, grads, lengths):
        vector, single, tokens = [], [], []
        for name, layer in self._layers.items():
            grad = grads[name]
            if isinstance(layer, nn.LayerNorm) and layer.weight in self._wanted:
                normed = nn.functional.layer_norm(
                    inputs[name][1], layer.normalized_shape, eps=layer.eps
                )
                vector.append(_sum_tokens(grad * normed, layer.weight.numel()))
            if layer.bias is not None and layer.bias in self._wanted:
                vector.append(_sum_tokens(grad, layer.bias.numel()))
        for names in self._groups(inputs):
            tensor = inputs[names[0]][1]
            parts = tokens if tensor.ndim == 3 else single
            parts.extend([tensor, *(grads[name] for name in names)])
        n = len(next(iter(grads.values())))
        n_tokens = {part.shape[1] for part in tokens}
        if len(n_tokens) > 1:
            raise ValueError(
                f"the layers of model see {sorted(n_tokens)} tokens an example; the "
                "exact kernel needs the same number in every layer. Freeze the rest "
                "with requires_grad_(False)."
            )
        flat = [torch.cat(p, -1).cpu().numpy() for p in (vector, single, tokens) if p]
        if not all(np.isfinite(part).all() for part in flat):
            raise ValueError(
                "the gradients of model are not finite (NaN or infinity) for these "
                "rows; check its weights and the range of the rows."
            )
        if lengths is not None:
            _check_padding(grads, lengths)
        rows = []
        for i in range(n):
            stop = None if lengths is None else int(lengths[i])
            parts = [p[i] if p.ndim == 2 else p[i, :stop].ravel() for p in flat]
            rows.append(np.concatenate(parts))
        return rows


def _to_device(batch, device):
    if isinstance(batch, dict):
        return {name: value.to(device) for name, value in batch.items()}
    return batch.to(device)


def _check_padding(grads, lengths):
    """Raise if the output depends on what a layer writes for padding."""
    for name, grad in grads.items():
        if grad.ndim != 3:
            continue
        tokens = torch.arange(grad.shape[1], device=grad.device)
        stops = torch.as_tensor(lengths, device=grad.device)
        if grad[tokens >= stops[:, None]].any():
            raise ValueError(
                f"the output of model depends on what layer {name!r} writes for "
                "padding, so that the kernel would depend on the batches; make the "
                "model obey the attention mask, or set batch_size=1."
            )


def _sum_tokens(grad, size):
    """Sum the gradient of a broadcast parameter over the tokens of each example."""
    return grad.reshape(len(grad), -1, size).sum(1)


def _layers_with_parameters(network):
    """Find the linear and norm layers with parameters in the kernel, by name."""
    linear, norms, owner = {}, {}, {}
    rules = {nn.Linear: linear, nn.LayerNorm: norms}
    for name, module in network.named_modules():
        wanted = {
            k: p for k, p in module.named_parameters(recurse=False) if p.requires_grad
        }
        if not wanted:
            continue
        # A subclass that computes something else, or of more, has no rule.
        known = [
            found
            for kind, found in rules.items()
            if type(module).forward is kind.forward and wanted.keys() <= PARAMETERS
        ]
        if known:
            known[0][name] = module
        else:
            raise ValueError(
                f"the exact kernel has no rule for the parameters {sorted(wanted)} of "
                f"layer {name!r} ({type(module).__name__}); it has rules for Linear "
                "and LayerNorm. Freeze the layer with requires_grad_(False) to leave "
                "it out of the kernel."
            )
        for parameter in wanted.values():
            if parameter in owner:
                raise ValueError(
                    f"layers {owner[parameter]!r} and {name!r} share a parameter, "
                    "which the exact kernel has no rule for; freeze both with "
                    "requires_grad_(False)."
                )
            owner[parameter] = name
    if not owner:
        raise ValueError(
            "model has no parameter with requires_grad=True, so that there is no "
            "gradient to make a kernel of; unfreeze the layers that should count."
        )
    return linear, norms
