"""The gradients of rows of data, each computed once."""

from functools import cached_property, partial

import numpy as np
import torch

from skshap.kernels._digest import (
    network_settings,
    row_keys,
    settings_digest,
    text_key,
    tokenizer_digest,
    weights_digest,
)
from skshap.kernels._row_reader import Rows, distinct
from skshap.kernels._workers import map_batches
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import squared_norms
from skshap.nn._parameters import first_parameter
from skshap.nn._places import may_move_rows
from skshap.utils._progress import progress_bar

__all__ = ["RowGradients"]


class RowGradients:
    """Gradients of one network's output at rows of data.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.
    reader : RowReader
        Of rows for this network.
    store : MemoryStore or DiskStore
        Where gradients and kernel values are kept.
    verbose : int
        Show progress bars.
    outputs : {"first", "sum", "mean"}, default="first"
        Which outputs' gradients are taken.
    is_sign : bool, default=False
        Take products of the signs of gradients.
    devices : sequence of torch.device or None, default=(None,)
        Where copies of the network may run; see `map_batches`.
    """

    def __init__(
        self,
        network,
        reader,
        store,
        *,
        verbose,
        outputs="first",
        is_sign=False,
        devices=(None,),
    ):
        self.network = network
        self.reader = reader
        self.store = store
        self.verbose = verbose
        self.devices = devices
        self._settings = network_settings(network)
        if may_change(network):
            self._weights_digest = weights_digest(network)
        self.capture = GradientCapture(network, outputs)
        parameter = first_parameter(network)
        self.dtype, self.device = parameter.dtype, parameter.device
        self.itemsize = torch.promote_types(self.dtype, torch.float32).itemsize
        self.options = {"is_sign": is_sign, "device": self.device}
        self.layout, self._outline, self._counts = None, "", None

    @property
    def is_on_gpu(self):
        """Whether gradients stay on a GPU, and are computed again rather than kept."""
        return self.device.type == "cuda"

    @property
    def counters(self):
        """Names of what passes have changed since the network was made: no settings."""
        changed = self._settings.items() ^ network_settings(self.network).items()
        return {names for names, _ in changed}

    def digests(self, counters):
        """Return what tells the network that was fitted from another.

        Parameters
        ----------
        counters : set of tuple
            Names of settings that do not count.

        Returns
        -------
        dict of str
            Digests by what they are of.
        """
        settings = settings_digest(self._settings, counters)
        found = {"weights": self._weights_digest, "settings": settings}
        if self.reader.reads_text:
            found["tokenizer rules"] = tokenizer_digest(self.reader.tokenizer)
        return found

    @cached_property
    def _weights_digest(self):
        # First asked for by pickles: most kernels go without reading all weights again.
        return weights_digest(self.network)

    def squared_norms(self, rows):
        """Compute the squared norm of each row's gradient, of shape (n_samples,)."""
        side, expand = distinct(rows)
        return self.norms(side)[expand]

    def outputs(self, rows):
        """Compute the outputs of the network, of shape (n_samples, n_outputs)."""
        found = [None] * len(rows)
        for indices, lengths, batch in self.reader.batches(rows):
            outputs = self.capture.forward(batch, lengths).double().cpu().numpy()
            for index, output in zip(indices, outputs, strict=True):
                found[index] = output
        return np.stack(found)

    def norms_of(self, gradients):
        """Compute the squared norms of flat gradients."""
        return squared_norms(self.layout, gradients, **self.options)

    def compute(self, rows):
        """Compute the flat gradients of rows in the order of batches.

        The store is emptied before and after.
        """
        side = Rows(row_keys(rows), rows)
        self.store.keep(set())
        indices = np.arange(len(rows))
        stream = self.stream(side, indices)
        found = [row for _, gradients in stream for row in gradients]
        self.store.keep(set())
        return found

    def forget_all_but(self, rows):
        """Let go of gradients held in memory, apart from those of some rows."""
        keys = row_keys(rows)  # of norms; gradients have names
        self.store.keep({*keys, *map(self._row_name, keys)})

    def find_layout(self, rows):
        """Return how gradients are laid out, which some of the rows show."""
        if self.layout is None:
            some = [rows[i] for i in sorted({0, len(rows) // 2, len(rows) - 1})]
            batches = (batch for _, _, batch in self.reader.batches(some))
            self.layout = self.capture.layout(*batches)
            self._outline = text_key(self.capture.outline())
        return self.layout

    def token_counts(self, rows, lengths):
        """Return how many tokens each factor has of rows.

        Parameters
        ----------
        rows : list or ndarray
            Of which the first call looks at the longest text, or at the first, middle
            and last row of a table; later calls use what it found.
        lengths : float
            Tokens of a text, which factors have that have several of the longest.

        Returns
        -------
        ndarray of shape (n_factors,)
        """
        if self._counts is None:
            self.find_layout(rows)
            some = {0, len(rows) // 2, len(rows) - 1}
            if self.reader.reads_text:
                some = {int(np.argmax(self.reader.lengths(rows)))}
            some = [rows[i] for i in sorted(some)]
            name = text_key(self._outline, "counts", *row_keys(some))
            self._counts = self.store.get_row(name)
            if self._counts is None:
                batches = [batch for _, batch in self._captured(some)]
                counts = [[int(c.max()) for c in batch.counts] for batch in batches]
                self._counts = np.max(counts, axis=0)
                self.store.put_row(name, self._counts)
        if not self.reader.reads_text:
            return self._counts
        return np.where(self._counts > 1, lengths, self._counts)

    def outline(self, rows):
        """Return a text that differs where gradients are laid out in another way."""
        self.find_layout(rows)
        return self._outline

    def _row_name(self, key):
        # Which parameters have rules is found by some rows: others may say otherwise.
        return text_key(self._outline, key)

    def captured(self, rows):
        """Yield which rows, and their gradients, batch by batch."""
        yield from self._shown(self._captured(rows), rows)

    def _captured(self, rows):
        for indices, lengths, batch in self.reader.batches(rows):
            yield indices, self.capture.gradients(batch, lengths)

    def mapped(self, function, rows):
        """Yield which rows, and what a function makes of them, batch by batch.

        Parameters
        ----------
        function : callable
            See `map_batches`.
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)

        Yields
        ------
        indices : ndarray
        result : object
        """
        if len(rows):
            self.find_layout(rows)  # which copies of the network keep
        batches = self.reader.batches(rows)
        results = map_batches(function, self.capture, batches, self.devices)
        yield from self._shown(results, rows)

    def _shown(self, batches, rows):
        with progress_bar(
            total=len(rows),
            desc="gradients",
            unit=" rows",
            verbose=self.verbose,
        ) as bar:
            for batch in batches:
                yield batch
                bar.update(len(batch[0]))

    def norms(self, side):
        """Return squared norms of distinct rows' gradients, and store new ones."""
        norms = self.store.get_norms(side.keys)
        missing = np.flatnonzero(np.isnan(norms))
        if len(missing):
            for indices, found in self._computed_norms(side, missing):
                norms[indices] = found
            self.store.put_norms([side.keys[i] for i in missing], norms[missing])
        return norms

    def _computed_norms(self, side, indices):
        """Yield indices and squared norms of rows, batch by batch."""
        if self.is_on_gpu:
            function = partial(_norms_of_batch, self.options["is_sign"])
            found = self.mapped(function, [side.rows[k] for k in indices])
            for places, norms in found:
                yield indices[places], norms
        else:
            for places, gradients in self.stream(side, indices):
                yield places, self.norms_of(gradients)

    def stream(self, side, indices):
        """Yield indices and flat gradients of rows, computing those not stored.

        Parameters
        ----------
        side : Rows
        indices : ndarray
            Which of them.

        Yields
        ------
        indices : list or ndarray
        gradients : list of ndarray
        """
        self.find_layout(side.rows)
        missing = []
        for start in range(0, len(indices), self.reader.batch_size):
            found = {}
            for k in indices[start : start + self.reader.batch_size]:
                row = self.store.get_row(self._row_name(side.keys[k]))
                if row is None or not self.layout.fits(row):
                    missing.append(k)
                else:
                    found[k] = row
            if found:
                yield list(found), list(found.values())
        missing = np.array(missing, dtype=np.intp)
        computed = self.mapped(GradientCapture.rows, [side.rows[k] for k in missing])
        for places, gradients in computed:
            for k, gradient in zip(missing[places], gradients, strict=True):
                self.store.put_row(self._row_name(side.keys[k]), gradient)
            yield missing[places], gradients


def may_change(network):
    """Whether passes may change weights, or buffers that files hold."""
    norms = (getattr(module, "max_norm", None) for module in network.modules())
    has_limit = any(norm is not None for norm in norms)  # of embeddings
    return has_limit or may_move_rows(network)  # code of one's own


def _norms_of_batch(is_sign, capture, batch, lengths):
    found = capture.gradients(batch, lengths)
    rows = BatchedRows(capture.layout(), [found])
    return squared_norms(capture.layout(), rows, is_sign=is_sign)
