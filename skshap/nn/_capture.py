"""Per-example gradients in factored form, from one batched forward and backward.

The weight gradient of example i in a linear layer is ``sum_t d_t a_t'``, where a_t is
what the layer read and d_t the gradient at what it wrote for token t. Hooks collect
both for a whole batch at once; the products are left to `skshap.nn._gram`. Parameters
of layers without a rule take one backward pass an example.
"""

import sys
import threading
import weakref
from itertools import chain

import torch

from skshap.exceptions import SmallerBatchWarning
from skshap.nn._autograd import gradients_of, widen
from skshap.nn._batch import (
    batch_size,
    network_outputs,
    take_rows,
    tokens_wide,
    trim,
)
from skshap.nn._capture_checks import (
    check_finite,
    check_padding,
    check_padding_unread,
    check_repeats,
    check_separate,
    is_memory_error,
    refuse_moved,
    refuse_wrong,
)
from skshap.nn._factors import BatchGradients, Layout, concatenate
from skshap.nn._passes import Passes
from skshap.nn._places import keep_places, may_move_rows
from skshap.nn._plan import Plan
from skshap.nn._rule_checks import wrong_rules
from skshap.nn._watch import are_apart, shared_layers
from skshap.utils._warn import warn_caller

__all__ = ["GradientCapture"]

N_TRIED = 8  # rows of a batch that are captured together to see if they may be
# Of each network, for threads: hooks and flags are put on it and taken off again.
LOCKS = weakref.WeakKeyDictionary()


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
        If no parameter counts, if a layer mixes the examples of a batch, or if outputs
        depend on parameters that the network does not have. The message names the
        layer, or says how they may be reached.
    """

    def __init__(self, network, outputs="first"):
        self.network = network
        self._plan = Plan(network)
        self._passes = Passes(network, self._plan, outputs)
        self._layout = None
        self._n_tried = 1  # most rows that were tried together against each alone
        self._shared = set()  # layers that then read a single row for all of them
        self._most = sys.maxsize  # rows in a batch, as far as is known
        self._unpadded = sys.maxsize  # tokens of the shortest row tried without padding
        self._may_move_rows = may_move_rows(network)
        self._has_captured = False

    def layout(self, *batches):
        """Find the layout of a row, and check the rules on some rows, each alone.

        A parameter whose gradient autograd says to be another than its rule's, as when
        a weight is also used outside of its layer, or to whose layer its rule cannot be
        applied, goes on without a rule.

        Parameters
        ----------
        *batches : dict of Tensor, or Tensor
            Inputs of the network, of each of which the first and the last row are
            tried. Once the layout is known none is needed.

        Returns
        -------
        Layout
        """
        with self._lock():
            if self._layout is None:
                tried = [
                    self._passes.to_device(take_rows(batch, [i]))
                    for batch in batches
                    for i in sorted({0, batch_size(batch) - 1})
                ]
                found = [self._try_rules(one) for one in tried]
                if not any(map(any, found)):
                    self._passes.check_differentiable(tried[-1])
                check_repeats(self._passes.run, tried[0])
                one, n = self._plan.layout(), len(found[-1])
                self._layout = Layout(one.n_vector * n, one.factors * n, n)
            return self._layout

    def _try_rules(self, one):
        """Give up rules that fail on an example; return whether outputs have graphs."""
        plan = self._plan
        try:
            calls, outputs = self._passes.forward(one)
        except RuntimeError as error:
            if is_memory_error(error):
                raise
            self._passes.run(one)  # raises, too, if it is not for being watched
            plan.general |= plan.wanted.keys()
            calls, outputs = self._passes.forward(one)
        plan.arrange(calls)
        plan.general |= wrong_rules(self._passes, one, calls, outputs)
        plan.general |= self._passes.used_elsewhere(outputs)
        plan.arrange(calls)
        return [output.requires_grad for output in outputs]

    def _goes_together(self, batch):
        """Whether rows of a batch may be captured together; some are tried.

        Again where a batch has twice as many of them as were tried before.

        Raises
        ------
        ValueError
            If outputs depend on the other rows of a batch, or if a rule that holds for
            the rows that were tried before does not hold for one of these.
        """
        n = batch_size(batch)
        n_tried = min(n, N_TRIED)
        if n_tried < 2 * self._n_tried:
            return True
        places = torch.linspace(0, n - 1, n_tried).round().long().tolist()
        some = self._passes.to_device(take_rows(batch, places))
        check_separate(self._passes.run, some)
        try:
            calls, outputs = self._passes.forward(some)
            told = are_apart(calls, some)
            if told and not wrong_rules(self._passes, some, calls, outputs):
                self._n_tried = n_tried
                self._shared |= shared_layers(calls)
                return True
        except Exception as error:  # of the network, which hooks have changed
            if is_memory_error(error):
                raise
        for i in range(n_tried):
            one = take_rows(some, [i])
            refuse_wrong(wrong_rules(self._passes, one, *self._passes.forward(one)))
        return False

    def _lock(self):
        # A copy of a network, as other workers have it, gets a lock of its own.
        return LOCKS.setdefault(self.network, threading.RLock())

    def gradients(self, batch, lengths, *, may_halve=True):
        """Capture the gradients of a batch, left on the device.

        Parameters
        ----------
        batch : dict of Tensor, or Tensor
            Input of the network.
        lengths : array-like of int, or None
            Tokens of each example that are not padding; None if nothing is padded.
        may_halve : bool, default=True
            Halve a batch, now and later, if memory does not do.

        Returns
        -------
        BatchGradients

        Raises
        ------
        ValueError
            If a gradient is not finite, or if padding counts.
        """
        self.layout(batch)
        parts, start, n = [], 0, batch_size(batch)
        while start < n:
            stop = min(n, start + self._most)
            one = take_rows(batch, slice(start, stop))
            some = None if lengths is None else lengths[start:stop]
            if some is not None and stop - start < n:  # of shorter rows than others
                one = trim(one, int(max(some)))
            part = self._try(one, some, may_halve)
            if part is not None:
                parts.append(part)
                start = stop
        return parts[0] if len(parts) == 1 else concatenate(parts)

    def _try(self, batch, lengths, may_halve):
        """Capture the gradients of a batch; None if it must be smaller."""
        n = batch_size(batch)
        try:
            with self._lock():
                if self._goes_together(batch):
                    found = self._capture(batch, lengths)
                    if found is not None:
                        return found
            self._most = 1
            why = (
                "the rows of a batch cannot be told apart inside of model: they change "
                "places, or a layer reads parts of several in one, or what all share, "
                "as positions, so that each goes alone, which takes longer; set "
                "batch_size=1, keep rows on the first axis, or leave such layers out."
            )
        except RuntimeError as error:
            if n == 1 or not may_halve or not is_memory_error(error):
                raise
            self._most = n // 2
            why = (
                f"a batch of {n} rows does not fit into memory and was halved; set "
                f"batch_size={self._most}, or a smaller max_length."
            )
        # Out of the handler, which holds on to what the batch takes.
        warn_caller(why, SmallerBatchWarning)
        return None

    def _capture(self, batch, lengths):
        """Capture gradients; None if the batch is another one than that tried."""
        n = batch_size(batch)
        batch = self._passes.to_device(batch)
        is_padded = lengths is not None and min(lengths) < tokens_wide(batch)
        watch = is_padded and self._passes.is_near_tokens
        calls, outputs = self._passes.forward(batch, watch_tokens=watch)
        refuse_wrong(self._passes.used_elsewhere(outputs))
        self._try_unpadded(batch, lengths, outputs)
        if n > 1:
            is_alike = shared_layers(calls) <= self._shared
            if not (is_alike and are_apart(calls, batch)):
                return None  # as where rows are put beside each other without padding
            if self._may_move_rows and not keep_places(self._passes, batch, calls):
                refuse_moved(self._has_captured)
                return None
        self._has_captured = True
        padding = None if lengths is None else (lengths, tokens_wide(batch))
        found = [self._collect(calls, output, padding) for output in outputs]
        if len(found) == 1:
            return found[0]
        vectors, pairs, counts = zip(*found, strict=True)
        pairs, counts = list(chain(*pairs)), list(chain(*counts))
        return BatchGradients(torch.cat(vectors, 1), pairs, counts)

    def _try_unpadded(self, batch, lengths, outputs):
        """Try whether padding changes what the network makes of rows.

        Once, and again where a row is half as long: where a network takes the largest
        of what it reads, only few tokens leave that to padding.
        """
        if lengths is None or min(lengths) == tokens_wide(batch):
            return
        if 2 * min(lengths) <= self._unpadded:
            outputs = torch.stack(outputs, 1).detach()
            check_padding_unread(self._passes.run, batch, lengths, outputs)
            self._unpadded = int(min(lengths))

    def _collect(self, calls, output, padding):
        """Return the gradients of one output; padding is what `check_padding` takes."""
        plan, calls = self._plan, self._passes.backward(calls, output)
        names = [name for name in plan.wanted if name in plan.general]
        parameters = [plan.wanted[name] for name in names]
        with torch.enable_grad():
            each = [gradients_of(one, parameters) for one in output.unbind() if names]
        with torch.no_grad():
            general = {
                name: widen(torch.stack([gradient.flatten() for gradient in gradients]))
                for name, gradients in zip(names, zip(*each, strict=True), strict=True)
            }
            found = plan.collect(calls, general, len(output))
            check_finite(found, is_text=padding is not None)
            if padding is not None:
                check_padding(calls, *padding)
        return found

    def outline(self):
        """Return a text that differs where gradients are laid out in another way."""
        return self._plan.outline()

    def forward(self, batch, lengths):
        """Compute the outputs of a batch, of shape (n, n_outputs)."""
        with torch.no_grad(), self._lock():
            batch = self._passes.to_device(batch)
            outputs = network_outputs(self.network, batch)
            chosen = self._passes.choose(outputs, batch_size(batch))
            self._try_unpadded(batch, lengths, chosen)
            return outputs

    def rows(self, batch, lengths):
        """Capture the gradients of a batch; return a flat array for each example."""
        return self.gradients(batch, lengths).rows()
