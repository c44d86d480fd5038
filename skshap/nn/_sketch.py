"""Sketches of gradients: few numbers whose inner products are nearly the gradients'.

A gradient ``sum_t d_t a_t'`` of a matrix is replaced by ``V' (sum_t d_t a_t') U`` with
orthonormal columns in U and V, the leading directions that a sample of the rows'
gradients has on either side (the truncated HOSVD of De Lathauwer, De Moor and
Vandewalle, 2000, doi:10.1137/S0895479896305696). They come from second moments, of wide
sides from a few rounds of subspace iteration instead. Of tables the rows looked up most
keep a place of their own and the others share places by hashing with random signs, as
do the entries of a long vector (Charikar, Chen and Farach-Colton, 2002,
doi:10.1007/3-540-45465-9_59). A second projection, on the leading right singular
vectors of a sample of what comes out, brings the columns down further.
"""

import math

import numpy as np
import torch

from skshap.nn._directions import allocate, busiest_rows, leading_directions
from skshap.nn._product import add_product

__all__ = ["GradientSketch", "first_width"]

# Numbers a row after the first projection, about: for each factor, and in all.
FACTOR_WIDTH = 1 << 12
LEAST_WIDTH, LARGEST_WIDTH = 1 << 15, 1 << 17
VECTOR_WIDTH = 1 << 12  # of them for a vector, at least
PRIME = (1 << 31) - 1  # of hashes


class GradientSketch:
    """Maps gradients in factored form to a few numbers each.

    Parameters
    ----------
    layout : Layout
        Of the gradients.
    width : int
        How many numbers a row has after the first projection, about. What has no more
        than its share of them is kept whole.
    seed : int, default=0
        Of the hashes and of the first directions.

    Attributes
    ----------
    arrays : list of Tensor
        The projections: for a matrix U of shape (n_inputs, r) and V of shape
        (n_outputs, s), for a table the rows with places of their own and V, and at the
        end the second projection, if there is one.
    """

    def __init__(self, layout, width, seed=0):
        self.layout = layout
        self.width = width
        self.seed = seed
        self.arrays = []
        self._share = width // max(1, len(layout.factors))
        self._vector_width = min(layout.n_vector, max(VECTOR_WIDTH, width // 8))

    def fit_directions(self, batches):
        """Find the first projection.

        Parameters
        ----------
        batches : list of BatchGradients
            Gradients of a sample of the rows.
        """
        generator = torch.Generator().manual_seed(self.seed)
        self.arrays, values, share = [], {}, self._share
        for index, factor in enumerate(self.layout.factors):
            pairs = [batch.pairs[index] for batch in batches]
            p, q = factor.n_inputs, factor.n_outputs
            if factor.is_lookup:
                n_places, n_outputs = self._table_size(q)
                self.arrays.append(busiest_rows(pairs, n_places // 2))
                weights = [(a == a.mT).to(d.dtype) for a, d in pairs]
                V, _ = leading_directions(pairs, 1, weights, n_outputs, generator)
            else:
                # More than its share of one side, if the other needs few.
                most = 3 * math.isqrt(share)
                weights = [d @ d.mT for _, d in pairs]
                n_most = min(p, max(most, share // q))
                U, left = leading_directions(pairs, 0, weights, n_most, generator)
                self.arrays.append(U)
                weights = [a @ a.mT for a, _ in pairs]
                n_most = min(q, max(most, share // p))
                V, right = leading_directions(pairs, 1, weights, n_most, generator)
                values[index] = left.tolist(), right.tolist()
            self.arrays.append(V)
        sizes = allocate(list(values.values()), share * len(values))
        for index, (r, s) in zip(values, sizes, strict=True):
            self.arrays[2 * index] = self.arrays[2 * index][:, :r].contiguous()
            self.arrays[2 * index + 1] = self.arrays[2 * index + 1][:, :s].contiguous()

    def fit_components(self, features, n_components):
        """Find the second projection.

        Parameters
        ----------
        features : Tensor of shape (n, width)
            First projections of a sample of the rows.
        n_components : int
            Columns wanted; fewer come out if the sample has no more.

        Returns
        -------
        Tensor of shape (n, n_components)
            The sample, projected.
        """
        gram = features.new_zeros(2 * features.shape[:1], dtype=torch.float64)
        for part in features.split(1 << 12, 1):
            add_product(gram, part)  # the lower triangle, which eigh reads
        values, vectors = torch.linalg.eigh(gram)
        values, vectors = values.flip(0), vectors.flip(1)
        smallest = 2 * torch.finfo(features.dtype).eps * values[0]
        n_kept = min(n_components, int((values > smallest).sum()))
        vectors, sizes = vectors[:, :n_kept], values[:n_kept].sqrt()
        components = features.T @ (vectors / sizes).to(features.dtype)
        self.arrays = [*self.arrays[: self._n_first], components]
        return (vectors * sizes).to(features.dtype)

    def features(self, batch):
        """Project the gradients of a batch as far as projections have been found.

        Parameters
        ----------
        batch : BatchGradients
            Of n rows.

        Returns
        -------
        Tensor of shape (n, n_columns)
        """
        self.arrays = [part.to(batch.vector) for part in self.arrays]
        parts = [self._project_vector(batch.vector)]
        for index, (a, d) in enumerate(batch.pairs):
            left, right = self.arrays[2 * index : 2 * index + 2]
            d = d @ right
            factor = self.layout.factors[index]
            if factor.is_lookup:
                n_places, _ = self._table_size(factor.n_outputs)
                parts.append(self._project_lookups(a[..., 0], d, left, n_places))
            else:
                parts.append((d.mT @ (a @ left)).flatten(1))
        features = torch.cat(parts, 1)
        for components in self.arrays[self._n_first :]:
            features = features @ components
        return features

    @property
    def _n_first(self):
        """Arrays of the first projection."""
        return 2 * len(self.layout.factors)

    def _table_size(self, n_outputs):
        """Return how many places and directions of gradients a table has."""
        n_kept = max(1, min(n_outputs, math.isqrt(self._share // 2)))
        return max(2, self._share // n_kept), n_kept

    def _project_vector(self, vector):
        n_vector = self.layout.n_vector
        if self._vector_width == n_vector:
            return vector
        entries = torch.arange(n_vector, device=vector.device)
        place, sign = _hash(entries, self._vector_width, self.seed)
        out = vector.new_zeros(len(vector), self._vector_width)
        return out.index_add_(1, place, vector * sign)

    def _project_lookups(self, numbers, d, kept, n_places):
        """Add up the gradients of the rows of a table, by place."""
        n, n_kept = len(d), len(kept)
        numbers, kept = numbers.long(), kept.long().flatten()
        place, sign = _hash(numbers, n_places - n_kept, self.seed)
        order = kept.argsort()
        ranks = torch.searchsorted(kept[order], numbers.contiguous())
        own = order[ranks.clamp(max=n_kept - 1)]
        is_own = kept[own] == numbers
        place = torch.where(is_own, own, n_kept + place)
        place = place + n_places * torch.arange(n, device=d.device)[:, None]
        sign = torch.where(is_own, 1, sign).to(d.dtype)
        out = d.new_zeros(n * n_places, d.shape[2])
        out.index_add_(0, place.flatten(), (d * sign[..., None]).flatten(0, 1))
        return out.view(n, -1)

    def to_flat(self):
        """Return all projections as one array, for a store."""
        parts = [part.cpu().numpy() for part in self.arrays]
        shapes = [size for part in parts for size in (*part.shape, 1)[:2]]
        dtype = parts[0].dtype if parts else np.float64
        header = np.array([len(parts), *shapes], dtype=dtype)
        return np.concatenate([header, *(part.ravel() for part in parts)])

    def from_flat(self, flat):
        """Take projections from what `to_flat` returned."""
        n_parts = int(flat[0])
        shapes = flat[1 : 1 + 2 * n_parts].astype(int).reshape(-1, 2)
        stops = 1 + 2 * n_parts + shapes.prod(1).cumsum()
        parts = np.split(flat, [1 + 2 * n_parts, *stops])[1:-1]
        self.arrays = [
            torch.tensor(part.reshape(shape))
            for part, shape in zip(parts, shapes, strict=True)
        ]


def first_width(layout):
    """Return how many numbers a row should have after the first projection."""
    width = FACTOR_WIDTH * len(layout.factors)
    return min(max(width, LEAST_WIDTH), LARGEST_WIDTH)


def _hash(numbers, n_places, seed):
    """Give each number a place and a sign, the same in every run.

    A polynomial of degree three makes those of any four numbers independent, which is
    what the error of inner products depends on: by a line, all pairs of numbers at
    some distances would share their places.
    """
    generator = torch.Generator().manual_seed(seed)
    first, *rest = torch.randint(1, PRIME, (4,), generator=generator).tolist()
    hashed = torch.full_like(numbers, first)
    for coefficient in rest:
        hashed = (hashed * numbers + coefficient) % PRIME
    return hashed // 2 % n_places, 1 - 2 * (hashed % 2)
