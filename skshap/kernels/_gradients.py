"""The gradients of rows of data, each computed once, and products between them."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from skshap.kernels._digest import row_keys, text_key
from skshap.kernels._tiles import Tiles
from skshap.kernels._workers import map_batches
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram, gram_cost, squared_norms
from skshap.nn._texts import TextEncoder
from skshap.utils._progress import progress_bar

__all__ = ["RowGradients"]

TILE_ROWS = 1024  # of a tile of the kernel, which is computed and stored as one
TILE_BYTES = 1 << 30  # of gradients of either side of a tile


class RowGradients:
    """Gradients of one network's output at rows of data.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.
    tokenizer : PreTrainedTokenizerBase or None
        Of texts; None for numbers.
    store : MemoryStore or DiskStore
        Where gradients and kernel values are kept.
    template : Template or None, default=None
        Sentence that texts are put into.
    outputs : {"first", "sum", "mean"}, default="first"
        Which outputs' gradients are taken.
    is_sign : bool, default=False
        Take products of the signs of gradients.
    devices : sequence of torch.device or None, default=(None,)
        Where copies of the network may run; see `map_batches`.
    max_length : int
        Tokens after which a text is cut.
    batch_size : int
        Rows a forward pass, at most.
    verbose : int
        Show progress bars.
    """

    def __init__(
        self,
        network,
        tokenizer,
        store,
        *,
        max_length,
        batch_size,
        verbose,
        template=None,
        outputs="first",
        is_sign=False,
        devices=(None,),
    ):
        self.network = network
        self.store = store
        self.batch_size = batch_size
        self.verbose = verbose
        self.devices = devices
        self._encoder = None
        if tokenizer is not None:
            self._encoder = TextEncoder(
                tokenizer, network, max_length=max_length, template=template
            )
        self._capture = GradientCapture(network, outputs)
        parameter = next(network.parameters())
        self.dtype, self.device = parameter.dtype, parameter.device
        self.options = {"is_sign": is_sign, "device": self.device}
        self.layout, self._outline = None, ""

    def gram(self, rows, other=None):
        """Compute the inner products between gradients of rows.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
            n rows.
        other : like `rows`, or None, default=None
            m rows; None for `rows` themselves.

        Returns
        -------
        ndarray of shape (n, m)
            float64; exactly symmetric if `other` is None.
        """
        left, expand = _distinct(rows)
        right, expand_right = (left, expand) if other is None else _distinct(other)
        K = self.store.get_gram(left.keys, right.keys)
        index = {key: j for j, key in enumerate(right.keys)}
        shared = [i for i, key in enumerate(left.keys) if key in index]
        if np.isnan(K).any():
            norms = self._norms(left)
            if right.keys != left.keys:
                self._norms(right)
            self._complete(K, left, right)
        else:
            norms = self._norms(left) if shared else None
        if shared:
            # The same diagonal as that of `squared_norms`, to the last bit.
            K[shared, [index[left.keys[i]] for i in shared]] = norms[shared]
        if len(expand) == len(left.keys) and len(expand_right) == len(right.keys):
            return K
        return K[np.ix_(expand, expand_right)]

    def squared_norms(self, rows):
        """Compute the squared norm of each row's gradient, of shape (n_samples,)."""
        distinct, expand = _distinct(rows)
        return self._norms(distinct)[expand]

    def outputs(self, rows):
        """Compute the outputs of the network, of shape (n_samples, n_outputs)."""
        found = [None] * len(rows)
        for indices, _, batch in self._batches(rows):
            outputs = self._capture.forward(batch).double().cpu().numpy()
            for index, output in zip(indices, outputs, strict=True):
                found[index] = output
        return np.stack(found)

    def norms_of(self, gradients):
        """Compute the squared norms of flat gradients."""
        return squared_norms(self.layout, gradients, **self.options)

    def compute(self, rows):
        """Compute the flat gradients of rows in the order of batches, and keep none."""
        side = Rows(row_keys(rows), rows)
        self.store.keep(set())
        indices = np.arange(len(rows))
        stream = self._stream(side, indices)
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
            batches = (batch for _, _, batch in self._batches(some))
            self.layout = self._capture.layout(*batches)
            self._outline = text_key(self._capture.outline())
        return self.layout

    def outline(self, rows):
        """Return a text that differs where gradients are laid out in another way."""
        self.find_layout(rows)
        return self._outline

    def _row_name(self, key):
        # Which parameters have rules is found by some rows: others may say otherwise.
        return text_key(self._outline, key)

    def captured(self, rows):
        """Yield the gradients of rows batch by batch, and which rows they are of."""
        for indices, lengths, batch in self._shown(self._batches(rows), rows):
            yield indices, self._capture.gradients(batch, lengths)

    def mapped(self, function, rows):
        """Yield what a function makes of rows batch by batch, and which rows it is of.

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
        results = map_batches(
            function, self._capture, self._batches(rows), self.devices
        )
        yield from self._shown(results, rows)

    def _shown(self, batches, rows):
        with progress_bar(
            total=len(rows),
            initial=0,
            desc="gradients",
            unit=" rows",
            verbose=self.verbose,
        ) as bar:
            for batch in batches:
                yield batch
                bar.update(len(batch[0]))

    def lengths(self, rows, *, warn=False):
        """Count the tokens of each row, as cut; one of a table has one."""
        if self._encoder is None or not len(rows):
            return np.ones(len(rows), dtype=np.intp)
        encodings = self._encoder.encode(rows, warn=warn)
        return np.array([len(e["input_ids"]) for e in encodings])

    def cost(self, rows):
        """Predict what all products between the gradients of distinct rows take.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)

        Returns
        -------
        n_bytes : int
            That the gradients take.
        n_operations : float
            Multiplications and additions.
        """
        layout = self.find_layout(rows)
        _, gradients = next(self.captured(rows[:1]))
        counts = np.array([count[0] for count in gradients.counts])
        if self._encoder is not None:
            # A factor with one token in one text has one in all.
            counts = np.where(counts > 1, self.lengths(rows).mean(), counts)
        return gram_cost(layout, len(rows), counts, gradients.vector.itemsize)

    def _norms(self, side):
        """Return squared norms; gradients are computed one batch at a time."""
        norms = self.store.get_norms(side.keys)
        missing = np.flatnonzero(np.isnan(norms))
        if len(missing):
            for indices, gradients in self._stream(side, missing):
                norms[indices] = squared_norms(self.layout, gradients, **self.options)
            self.store.put_norms([side.keys[i] for i in missing], norms[missing])
        return norms

    def _complete(self, K, left, right):
        """Compute what is NaN in K tile by tile, each of which is stored at once."""
        is_symmetric = left.keys == right.keys
        tiles = Tiles(K, left.keys, right.keys)
        with progress_bar(
            total=int(np.isnan(K).sum()),
            initial=0,
            desc="kernel",
            unit=" values",
            verbose=self.verbose,
        ) as bar:
            for i, a in self._blocks(left, tiles.missing_in_rows):
                if is_symmetric and (part := tiles.missing(i, i).any(1)).any():
                    a_part = [a[k] for k in np.flatnonzero(part)]
                    self._fill(tiles, bar, i[part], i[part], a_part)
                beside = partial(tiles.missing_in_columns, i)
                for j, b in self._blocks(right, beside):
                    part = tiles.missing(i, j).any(1)
                    a_part = [a[k] for k in np.flatnonzero(part)]
                    self._fill(tiles, bar, i[part], j, a_part, b)

    def _fill(self, tiles, bar, i, j, a, b=None):
        """Compute a tile, store it, and move the bar on the way."""
        before, n_missing = bar.n, int(tiles.missing(i, j).sum())
        block = gram(
            self.layout,
            a,
            b,
            advance=lambda share: bar.update(round(share * n_missing)),
            **self.options,
        )
        if not np.isfinite(block).all():
            raise ValueError(
                "the kernel of model is not finite (NaN or infinity) for these "
                "rows: its gradients are too large; scale the weights or the rows "
                "down, or set dtype='float64'."
            )
        n_new = tiles.fill(i, j, block)
        keys = [tiles.left[k] for k in i], [tiles.right[k] for k in j]
        self.store.put_gram(*keys, tiles.K[np.ix_(i, j)])
        bar.update(before + n_new - bar.n)  # with the mirror image of the tile

    def _blocks(self, side, count):
        """Yield some rows at a time that lack values, with their gradients.

        Rows that lack the most values come first, with others that lack at least half
        as many: little is computed twice.

        Parameters
        ----------
        side : Rows
        count : callable
            Returns how many values each row lacks by now. Those of what was yielded
            must be there when the next is asked for.
        """
        while (lacking := count()).any():
            order = np.argsort(-lacking, kind="stable")
            order = order[2 * lacking[order] >= lacking[order[0]]][:TILE_ROWS]
            taken, gradients, n_bytes = [], [], 0
            for start in range(0, len(order), self.batch_size):
                some = order[start : start + self.batch_size]
                found = dict(
                    pair
                    for indices, rows in self._stream(side, some)
                    for pair in zip(indices, rows, strict=True)
                )
                taken.extend(some)
                gradients.extend(found[k] for k in some)
                n_bytes += sum(row.nbytes for row in found.values())
                if n_bytes >= TILE_BYTES:
                    break
            yield np.array(taken), gradients

    def _stream(self, side, indices):
        """Yield indices and flat gradients of rows, computing those not stored."""
        self.find_layout(side.rows)
        missing = []
        for start in range(0, len(indices), self.batch_size):
            found = {}
            for k in indices[start : start + self.batch_size]:
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

    def _batches(self, rows):
        if self._encoder is None:
            for start in range(0, len(rows), self.batch_size):
                indices = np.arange(start, min(start + self.batch_size, len(rows)))
                batch = torch.from_numpy(np.stack([rows[i] for i in indices]))
                yield indices, None, batch.to(self.dtype)
            return
        yield from self._encoder.batches(rows, self.batch_size)


class Rows(NamedTuple):
    """Distinct rows.

    Attributes
    ----------
    keys : list of str
    rows : list
    """

    keys: list
    rows: list


def _distinct(rows):
    """Return the distinct rows, and which of them each one is."""
    index, first = {}, []
    keys = row_keys(rows)
    for i, key in enumerate(keys):
        if key not in index:
            index[key] = len(first)
            first.append(i)
    expand = np.array([index[key] for key in keys], dtype=np.intp)
    return Rows(list(index), [rows[i] for i in first]), expand
