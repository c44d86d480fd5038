"""Rules of layers: per-example gradients from what a layer read and the gradient at
what it wrote.

A rule says of each parameter by its name, in `roles`, how its gradient is captured: as
a "matrix" or a "lookup", of factors a and d, or as a "vector". For the first two it has
`factor`, `pair`, `subtract` and `is_shared`, for the last `vector`. `Plan` calls them.

Sizes are those of weights: attributes such as `in_features` may be out of date where
somebody cut a layer down or let it grow, and no forward pass looks at them.
"""

import copy

import torch
from torch import nn

from skshap.nn._factors import Factor

__all__ = ["find_rule"]


class LinearRule:
    """``y = W x + b`` at every token, as of `torch.nn.Linear`."""

    is_shared = True  # layers that read one tensor have the same a
    roles = {"weight": "matrix", "bias": "vector"}  # noqa: RUF012

    def factor(self, layer):
        """Return the shape of the weight's gradient."""
        return Factor(*layer.weight.shape[::-1])

    def pair(self, layer, name, read, grad):
        """Return a and d, of shape (n, n_tokens, n_inputs or n_outputs)."""
        return _by_token(read), _by_token(grad)

    def vector(self, layer, name, read, grad):
        """Return the gradient of another parameter, of shape (n, size)."""
        return _by_token(grad).sum(1)

    def subtract(self, gradient, a, d):
        """Take a and d of all tokens off a gradient of the weight; return the rest."""
        return gradient.reshape(d.shape[1], a.shape[1]) - d.T @ a


class TransposedRule(LinearRule):
    """``y = x W + b``, as of the layer that `transformers` names Conv1D."""

    def factor(self, layer):
        """Return the shape of the weight's gradient."""
        return Factor(*layer.weight.shape)

    def subtract(self, gradient, a, d):
        """Take a and d of all tokens off a gradient of the weight; return the rest."""
        return gradient - a.T @ d


class ConvolutionRule(LinearRule):
    """Convolutions in one or two dimensions: a linear layer on patches."""

    is_shared = False

    def factor(self, layer):
        """Return the shape of the weight's gradient."""
        return Factor(layer.weight[0].numel(), len(layer.weight))

    def pair(self, layer, name, read, grad):
        """Return patches and output gradients by position."""
        size = tuple(layer.weight.shape[2:])
        options = size, layer.dilation, layer.padding, layer.stride
        if isinstance(layer, nn.Conv1d):
            read = read.unsqueeze(-1)
            # A second axis of one: nothing to pad or stride over.
            options = [(*o, e) for o, e in zip(options, (1, 1, 0, 1), strict=True)]
        patches = nn.functional.unfold(read, *options)
        return patches.mT, grad.flatten(2).mT

    def vector(self, layer, name, read, grad):
        """Return the gradient of the bias."""
        return grad.flatten(2).sum(2)


class LookupRule:
    """Rows of a table, as of `torch.nn.Embedding`."""

    is_shared = False
    roles = {"weight": "lookup"}  # noqa: RUF012

    def factor(self, layer):
        """Return the shape of the weight's gradient."""
        return Factor(1, layer.weight.shape[1], is_lookup=True)

    def pair(self, layer, name, read, grad):
        """Return numbers of rows and their gradients."""
        numbers = read.reshape(len(grad), -1, 1)
        grad = _by_token(grad)
        if layer.padding_idx is not None:
            grad = grad * (numbers != layer.padding_idx)
        return numbers.to(grad.dtype), grad

    def subtract(self, gradient, a, d):
        """Take a and d of all tokens off a gradient of the table; return the rest."""
        return gradient.index_add(0, a.flatten().long(), -d.to(gradient))


class NormRule:
    """``y = w * norm(x) + b``; `axis` is where w lies: 1, or -1 for the last axes."""

    roles = {"weight": "vector", "bias": "vector"}  # noqa: RUF012

    def __init__(self, axis):
        self.axis = axis

    def vector(self, layer, name, read, grad):
        """Return the gradient of a parameter, of shape (n, size)."""
        if name == "weight":
            grad = grad * _normed(layer, read)
        size = layer._parameters[name].numel()
        if self.axis == 1:
            return grad.reshape(len(grad), size, -1).sum(2)
        return grad.reshape(len(grad), -1, size).sum(1)


def find_rule(layer):
    """Return the rule of a layer with parameters, or None."""
    rule = _rule_of_type(layer)
    if rule is None or any(name not in rule.roles for name in layer._parameters):
        return None
    return rule


def _rule_of_type(layer):
    kind = type(layer)
    forward = kind.forward
    if forward is nn.Linear.forward:
        return LinearRule()
    if kind.__name__ == "Conv1D" and kind.__module__.startswith("transformers."):
        return TransposedRule()
    if forward in (nn.Conv1d.forward, nn.Conv2d.forward):
        is_plain = layer.groups == 1 and layer.padding_mode == "zeros"
        is_plain = is_plain and not isinstance(layer.padding, str)
        return ConvolutionRule() if is_plain else None
    if forward is nn.Embedding.forward:
        return LookupRule() if layer.max_norm is None else None
    if isinstance(layer, nn.modules.batchnorm._NormBase | nn.GroupNorm):
        return NormRule(1)
    if kind.__name__.endswith("Norm") and not list(layer.children()):
        return NormRule(-1)
    return None


def _by_token(tensor):
    """Reshape to (n, n_tokens, size)."""
    return tensor.reshape(len(tensor), -1, tensor.shape[-1])


def _normed(layer, read):
    """Return what the weight of a norm is multiplied by."""
    if type(layer).forward is nn.LayerNorm.forward:
        return nn.functional.layer_norm(read, layer.normalized_shape, eps=layer.eps)
    # What it writes with weights of one, less what it writes with weights of zero.
    bare = copy.copy(layer)
    ends = []
    for value in (1.0, 0.0):
        parameters = {
            name: None if p is None else torch.full_like(p, value * (name == "weight"))
            for name, p in layer._parameters.items()
        }
        vars(bare)["_parameters"] = parameters
        ends.append(bare.forward(read))
    return ends[0] - ends[1]
