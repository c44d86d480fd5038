"""What layers read and write in one forward pass, as hooks see it.

Hooks have the layers write into leaves of their own, of which a backward pass then
gives the gradients.
"""

from functools import partial
from typing import NamedTuple

import torch

from skshap.nn._batch import batch_size, tokens_wide

__all__ = ["Watch", "are_apart", "shared_layers"]


class Call(NamedTuple):
    """One call of a layer in a forward pass.

    Attributes
    ----------
    source : int
        Identity of the tensor that was read.
    read : Tensor
        What was read, with the examples on the first axis, or their tokens: all of one
        example, then all of the next.
    grad : Tensor
        What was written; after the backward pass, the gradient at it.
    is_shared : bool
        Whether one row was read for all examples of several.
    """

    source: int
    read: torch.Tensor
    grad: torch.Tensor
    is_shared: bool


class Watch:
    """Watches the layers that have rules; inside of a ``with`` block, hooks are on.

    Parameters
    ----------
    plan : Plan
        Which layers and parameters have rules.
    n : int
        Examples in the batch.

    Attributes
    ----------
    calls : dict of list of Call
        By layer.
    """

    def __init__(self, plan, n):
        self.n = n
        self.calls = {name: [] for name in plan.layers}
        self._ruled = set(plan.ruled.values())
        self._layers = {k: m for k, m in plan.layers.items() if self._own(m)}
        self._tables, self._batch = {}, None
        self._handles = []
        self._alive = []  # what was read: one that is freed would lend its identity

    def add_tables(self, tables, batch):
        """Watch, too, those of some tables without rules that look up the tokens."""
        self._tables = {k: m for k, m in tables.items() if not self._own(m)}
        self._batch = batch

    def __enter__(self):
        for name, layer in self._layers.items():
            self._handles.append(
                layer.register_forward_pre_hook(self._before_layer, prepend=True)
            )
            self._put_behind(layer, partial(self._after_layer, name))
        for name, table in self._tables.items():
            self._put_behind(table, partial(self._after_table, name))
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()

    def _put_behind(self, layer, hook):
        # Before hooks that the network came with: they may change what is written.
        self._handles.append(
            layer.register_forward_hook(hook, prepend=True, with_kwargs=True)
        )

    def _own(self, layer):
        """Return the parameters of a layer that have rules."""
        return self._ruled.intersection(layer._parameters.values())

    def _before_layer(self, layer, args):
        """Leave what has a rule out of the graph, but where it is used elsewhere."""
        for parameter in self._own(layer):
            parameter.requires_grad_(False)

    def _after_layer(self, name, layer, args, kwargs, output):
        """Keep what a layer read; return what stands for its output."""
        for parameter in self._own(layer):
            parameter.requires_grad_(True)
        read = _what_was_read(args, kwargs, output)
        if read is None:
            return output
        check_not_inference(name, read)
        self._alive.append((name, read, read._version))
        return self._leaf(name, read, output).clone()

    def _after_table(self, name, table, args, kwargs, output):
        """Keep the tokens that a table looked up; return what stands for its output."""
        read = _what_was_read(args, kwargs, output)
        if read is None or torch.is_inference_mode_enabled():
            return output
        if not _is_same(read, self._batch["input_ids"]):  # such as positions
            return output
        with torch.enable_grad():  # a frozen table may be read under torch.no_grad()
            return self._leaf(name, read, output).clone()

    def _leaf(self, name, read, wrote):
        """Keep a call; return the leaf of which a backward pass gives the gradient.

        From there no gradient flows further down than needed. Hooks return a copy, so
        that later in-place operations do not touch it.
        """
        source, read = id(read), read.detach()
        if not wrote.requires_grad:
            wrote = wrote.detach()
        is_shared = len(read) == 1 < self.n  # for all examples at once
        if is_shared:
            read = read.expand(self.n, *read.shape[1:])
            wrote = wrote.expand(self.n, *wrote.shape[1:]).clone()
        if not wrote.requires_grad:
            wrote.requires_grad_()
        self.calls.setdefault(name, []).append(Call(source, read, wrote, is_shared))
        return wrote

    def check_unchanged(self):
        """Raise if what layers read is not what it was then."""
        for name, read, version in self._alive:
            if read._version != version:
                raise ValueError(
                    f"what layer {name!r} reads is changed in place later in the "
                    "forward pass; use an out-of-place operation, or freeze the layer."
                )


def _what_was_read(args, kwargs, output):
    """Return the first input of a layer; None if its rule has nothing to go by."""
    read = next(iter((*args, *kwargs.values())), None)
    if not all(isinstance(part, torch.Tensor) for part in (read, output)):
        return None  # no layer of the kind that its rule is for
    return read if read.numel() else None  # as of an expert that no token is sent to


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


def are_apart(calls, batch):
    """Whether each layer reads as much of every example of a batch.

    That is one part of each, as if it had come alone, or one for each of its tokens.
    Anything else may be some tokens of one example and more of the next.
    """
    n = batch_size(batch)
    sizes = n, n * tokens_wide(batch)
    return all(len(call.read) in sizes for used in calls.values() for call in used)


def shared_layers(calls):
    """Return the layers that had one row for all examples."""
    return {name for name, used in calls.items() if any(c.is_shared for c in used)}
