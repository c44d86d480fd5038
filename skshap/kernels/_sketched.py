"""Sketches of the gradients of rows of data, each computed once."""

from functools import partial

import numpy as np
import torch

from skshap.kernels._digest import array_key, row_keys, text_key
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._gram import gram, quick_squared_norms
from skshap.nn._sketch import GradientSketch, first_width

__all__ = ["CHUNK", "N_HELD_OUT", "SAMPLE_BYTES", "SAMPLE_ROWS", "SketchedRows"]

CHUNK = 64  # rows of any length that are taken into the sample at once
N_HELD_OUT = 48  # rows at most that the error is measured on
# Of gradients that directions are found from, at most.
SAMPLE_ROWS = 512
SAMPLE_BYTES = 1 << 30
FORMAT = "skshap sketch 6"  # changes whenever stored sketches would mean another thing


class SketchedRows:
    """Explicit features of rows whose inner products are nearly the gradients'.

    Parameters
    ----------
    gradients : RowGradients
        Of the network, with the store that sketches are kept in.
    n_components : int
        Columns wanted.
    seed : int
        Of the sample of rows and of hashes.

    Attributes
    ----------
    sketch : GradientSketch
        The projections, after `fit` or `set_state`.
    errors : ndarray of shape (2,)
        Relative error, on pairs of rows that no projection has seen, of the kernel and
        of its cosines; NaN if there are too few rows.
    """

    def __init__(self, gradients, n_components, seed):
        self.gradients = gradients
        self.n_components = n_components
        self.seed = seed
        self.sketch, self.errors, self.digest = None, np.full(2, np.nan), ""
        self._made = ""  # digest of the projections themselves

    def fit(self, rows):
        """Find projections for rows, or read them from the store.

        Which rows they are made from is a matter of what rows there are, not of their
        order or number.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
        """
        by_key = dict(zip(row_keys(rows), rows, strict=True))
        keys = sorted(by_key, key=self._rank)
        n_held_out = min(N_HELD_OUT, len(keys) // 8)
        held_out = keys[:n_held_out]
        sample = keys[n_held_out:][: 2 * self.n_components]
        numbers = self.n_components, self.seed, n_held_out
        outline = self.gradients.outline(rows)
        self.digest = text_key(FORMAT, *numbers, *held_out, *sample, outline)
        self.sketch = self.new_sketch(rows)
        stored = self.gradients.store.get_row(self.digest)
        if stored is not None:
            self.errors = stored[:2].astype(float)
            self._take(stored[2:])
            return
        found = self._fit_projections([by_key[key] for key in sample])
        flat = self.sketch.to_flat()
        self._made = array_key(flat)
        self._store_features(sample, *found)
        self._measure(held_out, [by_key[key] for key in held_out])
        flat = np.concatenate([self.errors.astype(flat.dtype), flat])
        self.gradients.store.put_row(self.digest, flat)

    def features(self, rows):
        """Return the features of rows and the squared norms of their gradients.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)

        Returns
        -------
        features : ndarray of shape (n_samples, n_components)
            float64.
        squared_norms : ndarray of shape (n_samples,)
            Of the gradients themselves, not of their features.
        """
        keys = row_keys(rows)
        found = {key: self.gradients.store.get_row(self._key(key)) for key in keys}
        missing = {
            key: row for key, row in zip(keys, rows, strict=True) if found[key] is None
        }
        names = list(missing)
        computed = self._sketched(list(missing.values()))
        for indices, (norms, features) in computed:
            found.update(
                self._store_features([names[i] for i in indices], features, norms)
            )
        out = np.array([found[key] for key in keys], dtype=np.float64)
        return out[:, 1:], out[:, 0]

    def state(self):
        """Return what `set_state` needs in another process."""
        return self.digest, self.errors, self.sketch.to_flat()

    def set_state(self, rows, state):
        """Take over the projections that `state` returned after a fit to rows."""
        self.digest, self.errors, flat = state
        self.sketch = self.new_sketch(rows)
        self._take(flat)

    def _take(self, flat):
        """Take over projections."""
        self.sketch.from_flat(flat)
        self._made = array_key(flat)

    def new_sketch(self, rows):
        """Return a sketch without projections; any row shows how gradients are."""
        layout = self.gradients.find_layout(rows)
        width = max(first_width(layout), self.n_components)
        return GradientSketch(layout, width, self.seed)

    def forget_all_but(self, rows):
        """Let go of sketches held in memory, apart from those of some rows."""
        kept = {self._key(key) for key in row_keys(rows)}
        self.gradients.store.keep(kept)

    def _fit_projections(self, rows):
        """Find the projections from a sample of rows; return its features and norms."""
        held, n_bytes, first, norms = [], 0, None, None

        def collect(indices, squares, features):
            nonlocal first, norms
            if first is None:
                first = features.new_empty(len(rows), features.shape[1])
                norms = squares.new_empty(len(rows))
            indices = torch.as_tensor(indices, device=features.device)
            first[indices], norms[indices] = features, squares

        start, most = 0, min(len(rows), SAMPLE_ROWS)
        while start < most and n_bytes < SAMPLE_BYTES:
            stop = min(start + CHUNK, most)
            for indices, batch in self.gradients.captured(rows[start:stop]):
                held.append((start + indices, batch))
                n_bytes += bytes_of(batch)
            start = stop
        self.sketch.fit_directions([batch for _, batch in held])
        for indices, batch in held:
            collect(indices, *_norms_and_features(self.sketch, batch))
        del held, batch
        for indices, found in self._sketched(rows[start:]):
            collect(start + indices, *found)
        if first.shape[1] > self.n_components:
            first = self.sketch.fit_components(first, self.n_components)
        return first, norms

    def _sketched(self, rows):
        """Yield which rows, and their squared norms and features, batch by batch."""
        function = partial(_sketch_batch, self.sketch)
        for indices, found in self.gradients.mapped(function, rows):
            yield indices, [part.to(self.gradients.device) for part in found]

    def _measure(self, keys, rows):
        """Compare the kernel of some rows, apart from its diagonal, with exact."""
        exact, features = [None] * len(rows), [None] * len(rows)
        norms = np.empty(len(rows))
        for indices, batch in self.gradients.captured(rows):
            squares, found = _norms_and_features(self.sketch, batch)
            self._store_features([keys[i] for i in indices], found, squares)
            norms[indices] = squares.cpu()
            for index, gradient, feature in zip(
                indices, batch.rows(), found.double(), strict=True
            ):
                exact[index], features[index] = gradient, feature
        if len(rows) < 2:
            return
        device = features[0].device
        K = gram(self.sketch.layout, exact, norms=[norms], device=device)
        features = torch.stack(features)
        wrong = (features @ features.T).cpu().numpy() - K
        for matrix in (K, wrong):
            np.fill_diagonal(matrix, 0)
        norms[norms == 0] = 1.0  # of rows whose products are zero
        lengths = np.sqrt(norms)
        for i, divisor in enumerate((1.0, np.outer(lengths, lengths))):
            size = np.linalg.norm(K / divisor)
            self.errors[i] = np.linalg.norm(wrong / divisor) / size if size else np.nan

    def _store_features(self, keys, features, norms):
        """Store the features of rows behind their squared norms; return them by key."""
        found = torch.cat([norms.to(features)[:, None], features], 1).cpu().numpy()
        by_key = dict(zip(keys, found, strict=True))
        for key, row in by_key.items():
            self.gradients.store.put_row(self._key(key), row)
        return by_key

    def _rank(self, key):
        """Return what rows are sorted by before a sample is taken."""
        return text_key(self.seed, key)

    def _key(self, key):
        """Return the key of a row's sketch by these projections.

        By what they are: from the same rows others may be found, by other versions of
        libraries, and what is stored of a row outlasts the file of its projections.
        """
        return text_key(self.digest, self._made, key)


def bytes_of(batch):
    """Return the bytes of the gradients of a batch, without padding."""
    return sum(
        int(counts.sum()) * (a.shape[-1] + d.shape[-1]) * a.itemsize
        for (a, d), counts in zip(batch.pairs, batch.counts, strict=True)
    )


def _sketch_batch(sketch, capture, batch, lengths):
    return _norms_and_features(sketch, capture.gradients(batch, lengths))


def _norms_and_features(sketch, batch):
    """Return the squared norms of gradients, and their features."""
    features = sketch.features(batch)
    norms = quick_squared_norms(sketch.layout, BatchedRows(sketch.layout, [batch]))
    return torch.from_numpy(norms).to(features.device), features
