"""Which rule captures each parameter, and which matrices are captured together."""

import torch
from torch import nn

from skshap.nn._factors import BatchGradients, Layout, drop_zeros
from skshap.nn._rules import find_rule

__all__ = ["Plan"]

LARGEST_VECTOR = 1 << 24  # entries of an example's gradients without a rule


class Plan:
    """The parameters of a network's kernel and how their gradients are captured.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters with ``requires_grad`` count, each once.

    Attributes
    ----------
    wanted : dict of Parameter
        The parameters, by name.
    layers : dict of Module
        Layers with a rule, by name.
    general : set of str
        Names of the parameters that take a backward pass an example.

    Raises
    ------
    ValueError
        If no parameter counts, or if a layer mixes the examples of a batch, or is of
        TorchScript.
    """

    def __init__(self, network):
        self.wanted = {n: p for n, p in network.named_parameters() if p.requires_grad}
        if not self.wanted:
            raise ValueError(
                "model has no parameter with requires_grad=True, so that there is no "
                "gradient to make a kernel of; unfreeze the layers that should count."
            )
        self.layers, self._rules = {}, {}
        self._users = {name: [] for name in self.wanted}
        names = {parameter: name for name, parameter in self.wanted.items()}
        for layer_name, layer in network.named_modules():
            own = {k: p for k, p in layer._parameters.items() if p in names}
            if own:
                _refuse_scripted(layer_name, layer)
                _refuse_mixing(layer_name, layer)
                for attribute, parameter in own.items():
                    self._users[names[parameter]].append((layer_name, attribute))
                rule = find_rule(layer)
                if rule is not None:
                    self.layers[layer_name], self._rules[layer_name] = layer, rule
        self.general = {name for name in self.wanted if self._role(name) is None}
        self._vectors, self._groups = [], []

    @property
    def ruled(self):
        """The parameters that have a rule, by name."""
        return {n: p for n, p in self.wanted.items() if n not in self.general}

    def arrange(self, calls):
        """Give up rules for layers used in other ways; group what reads one tensor.

        Parameters
        ----------
        calls : dict of list of Call
            Of a batch of one example, by layer.
        """
        for name in self.ruled:
            if not any(calls[layer] for layer, _ in self._users[name]):
                self.general.add(name)
        groups = {}
        self._vectors = []
        for name in self.wanted:
            if name in self.general or self._role(name) == "vector":
                self._vectors.append(name)
                continue
            # A matrix that is used once may share what it reads with others.
            used = [call for layer, _ in self._users[name] for call in calls[layer]]
            rule, _ = self._rule(name)
            key = used[0].source if len(used) == 1 and rule.is_shared else name
            groups.setdefault(key, []).append(name)
        self._groups = list(groups.values())

    def outline(self):
        """Return a text that differs where gradients are laid out in another way."""
        return repr((self._vectors, sorted(self.general), self._groups))

    def layout(self):
        """Return the layout of an example's gradient.

        Raises
        ------
        ValueError
            If parameters without a rule have too many entries.
        """
        sizes = {name: self.wanted[name].numel() for name in self._vectors}
        n_general = sum(size for name, size in sizes.items() if name in self.general)
        if n_general > LARGEST_VECTOR:
            raise ValueError(
                f"the kernel has no rule for the parameters {sorted(self.general)} of "
                f"model; their {n_general} entries are too many to hold for every row. "
                "Leave them out of the kernel, by n_frozen_layers or parameters, or, "
                "of a module of your own, by requires_grad_(False); if it uses "
                "torch.utils.checkpoint, which rules cannot follow, switch that off."
            )
        factors = []
        for names in self._groups:
            parts = [self._factor(name) for name in names]
            n_outputs = sum(part.n_outputs for part in parts)
            factors.append(parts[0]._replace(n_outputs=n_outputs))
        return Layout(sum(sizes.values()), factors)

    def collect(self, calls, general, n):
        """Put the gradients of a batch together.

        Parameters
        ----------
        calls : dict of list of Call
            With gradients, by layer.
        general : dict of Tensor of shape (n, size)
            The gradients without a rule, by name of the parameter.
        n : int
            Examples in the batch.

        Returns
        -------
        BatchGradients
        """
        vector = [
            general[name] if name in general else self._vector(name, calls, n)
            for name in self._vectors
        ]
        pairs, counts = [], []
        for names in self._groups:
            parts = [self._pair(name, calls, n) for name in names]
            a = parts[0][0]
            for name, (other, _) in zip(names, parts, strict=True):
                if other.data_ptr() != a.data_ptr() and not torch.equal(other, a):
                    raise ValueError(
                        f"{names[0]!r} and {name!r} belong to layers that read the "
                        "same tensor in one batch and different ones in another; "
                        "freeze one of them with requires_grad_(False)."
                    )
            d = torch.cat([d for _, d in parts], -1) if parts[1:] else parts[0][1]
            a, d, count = drop_zeros(a, d)
            pairs.append((a, d))
            counts.append(count)
        like = vector[0] if vector else pairs[0][1]
        return BatchGradients(
            torch.cat(vector, -1) if vector else like.new_zeros(n, 0), pairs, counts
        )

    def remainder(self, name, calls, gradient):
        """Return what a rule leaves of a gradient, both summed over examples.

        Parameters
        ----------
        name : str
            Of a parameter with a rule.
        calls : dict of list of Call
            With gradients, by layer.
        gradient : Tensor
            Of the shape of the parameter, as autograd has it.

        Returns
        -------
        Tensor
            Zero to rounding if the rule holds.
        """
        if self._role(name) == "vector":
            return gradient.flatten() - self._vector(name, calls, 1)[0]
        rule, _ = self._rule(name)
        parts = (part.flatten(0, 1) for part in self._pair(name, calls, 1))
        return rule.subtract(gradient, *parts)

    def _role(self, name):
        """Return what the rules make of a parameter; None if there is no one rule."""
        found = {
            (type(self._rules[layer]), self._rules[layer].roles[attribute])
            if layer in self._rules
            else (None, None)
            for layer, attribute in self._users[name]
        }
        return found.pop()[1] if len(found) == 1 else None

    def _rule(self, name):
        """Return the rule of a parameter, and the first of its layers."""
        layer, _ = self._users[name][0]
        return self._rules[layer], self.layers[layer]

    def _factor(self, name):
        rule, layer = self._rule(name)
        return rule.factor(layer)

    def _contributions(self, method, name, calls):
        """Call a method of the rules for every call of every layer of a parameter."""
        return [
            getattr(self._rules[layer], method)(
                self.layers[layer], attribute, call.read, call.grad
            )
            for layer, attribute in self._users[name]
            for call in calls[layer]
        ]

    def _pair(self, name, calls, n):
        """Return a and d of a matrix; of a layer that is not called, one token of 0."""
        parts = [
            tuple(part.reshape(n, -1, part.shape[-1]) for part in pair)
            for pair in self._contributions("pair", name, calls)
        ]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            factor = self._factor(name)
            sizes = factor.n_inputs, factor.n_outputs
            return tuple(self._zeros(name, n, 1, size) for size in sizes)
        return tuple(torch.cat(part, 1) for part in zip(*parts, strict=True))

    def _vector(self, name, calls, n):
        """Return the gradients of a small parameter, of shape (n, size)."""
        parts = [
            part.reshape(n, -1, part.shape[-1]).sum(1)
            for part in self._contributions("vector", name, calls)
        ]
        return sum(parts) if parts else self._zeros(name, n, self.wanted[name].numel())

    def _zeros(self, name, *shape):
        like = self.wanted[name].detach()
        return like.new_zeros(shape, dtype=torch.promote_types(like.dtype, torch.float))


def _refuse_scripted(name, layer):
    """Raise if a layer is of TorchScript, where hooks do not reach."""
    if isinstance(layer, torch.jit.ScriptModule):
        raise ValueError(
            f"layer {name!r} of model is of TorchScript, where hooks do not reach; put "
            "the module that it was made of in its place, or make it of one that is "
            "frozen, by requires_grad_(False)."
        )


def _refuse_mixing(name, layer):
    """Raise if a layer mixes the examples of a batch."""
    why = None
    is_norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
    if is_norm and layer.running_mean is None:
        why = "has no running statistics; set track_running_stats=True."
    if getattr(layer, "scale_grad_by_freq", False):
        why = (
            "scales gradients by frequency; set scale_grad_by_freq=False, or freeze "
            "the layer with requires_grad_(False)."
        )
    if why is not None:
        raise ValueError(
            f"layer {name!r} ({type(layer).__name__}) mixes the examples of a batch, "
            f"so that a row has no gradient of its own: it {why}"
        )
