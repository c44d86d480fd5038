"""Per-example gradients in factored form: what one holds, and how it is laid out flat.

The gradient of one example has three sorts of parts. The gradient of a matrix is a sum
over tokens of outer products ``d_t a_t'``; that of an embedding adds d_t to the row
whose number a_t is; everything else is a plain vector.
"""

from typing import NamedTuple

import numpy as np
import torch

__all__ = [
    "BatchGradients",
    "Factor",
    "Layout",
    "concatenate",
    "drop_zeros",
    "join_pairs",
    "squared_norms_of_pair",
]

N_FIRST = 8  # entries of a token's gradient that are looked at first


class Factor(NamedTuple):
    """The gradient of a matrix, as a sum over tokens.

    Attributes
    ----------
    n_inputs : int
        Entries of a_t: what a layer read, or 1, the number of a row.
    n_outputs : int
        Entries of d_t: the gradient at what the layer wrote.
    is_lookup : bool
        Whether a_t is the number of a row, and d_t the gradient of that row.
    """

    n_inputs: int
    n_outputs: int
    is_lookup: bool = False

    @property
    def width(self):
        """Numbers a token takes."""
        return self.n_inputs + self.n_outputs


class Layout(NamedTuple):
    """How the gradient of one example is laid out in one array.

    First the number of tokens of each factor, then the vector, then for each factor
    all a_t and all d_t.

    Attributes
    ----------
    n_vector : int
        Entries of the vector.
    factors : list of Factor
    n_outputs : int
        How many outputs of a network have their gradients in it, one after another.
    """

    n_vector: int
    factors: list
    n_outputs: int = 1

    def fits(self, row):
        """Whether a flat row has as many numbers as it says."""
        n = len(self.factors)
        if row.ndim != 1 or row.dtype.kind != "f" or len(row) < n:
            return False
        widths = [factor.width for factor in self.factors]
        return len(row) == n + self.n_vector + row[:n].astype(float) @ widths

    def counts(self, row):
        """Return the number of tokens of each factor of a flat row."""
        return row[: len(self.factors)].astype(np.intp)

    def vector(self, row):
        """Return the vector of a flat row."""
        return row[len(self.factors) : len(self.factors) + self.n_vector]

    def tokens(self, row, index):
        """Return (n_tokens, n_inputs) and (n_tokens, n_outputs) of one factor."""
        counts = self.counts(row)
        factor = self.factors[index]
        start = len(self.factors) + self.n_vector
        for count, before in zip(counts[:index], self.factors, strict=False):
            start += count * before.width
        middle = start + counts[index] * factor.n_inputs
        stop = middle + counts[index] * factor.n_outputs
        a = row[start:middle].reshape(-1, factor.n_inputs)
        return a, row[middle:stop].reshape(-1, factor.n_outputs)


class BatchGradients(NamedTuple):
    """The gradients of a batch.

    Attributes
    ----------
    vector : Tensor of shape (n, n_vector)
    pairs : list of (Tensor, Tensor)
        a of shape (n, n_tokens, n_inputs) and d of shape (n, n_tokens, n_outputs) of
        each factor, where tokens that do not count have d zero and come last.
    counts : list of ndarray of shape (n,)
        How many tokens count, by factor.
    """

    vector: torch.Tensor
    pairs: list
    counts: list

    def rows(self):
        """Return the flat gradient of each example."""
        vector = self.vector.cpu().numpy()
        pairs = [(a.cpu().numpy(), d.cpu().numpy()) for a, d in self.pairs]
        rows = []
        for i in range(len(vector)):
            header = [count[i] for count in self.counts]
            parts = [np.array(header, dtype=vector.dtype), vector[i]]
            for (a, d), count in zip(pairs, header, strict=True):
                parts.extend([a[i, :count].ravel(), d[i, :count].ravel()])
            rows.append(np.concatenate(parts, dtype=vector.dtype))
        return rows


def drop_zeros(a, d):
    """Drop tokens whose output gradient is zero, such as padding.

    Parameters
    ----------
    a : Tensor of shape (n, n_tokens, n_inputs)
    d : Tensor of shape (n, n_tokens, n_outputs)

    Returns
    -------
    a, d : Tensor
        With as many tokens as the example that has most; of others the last are zero
        in `d`.
    counts : ndarray of shape (n,)
        How many tokens are left of each example.
    """
    if d.device.type == "cpu":
        # Most tokens are told by their first entries, without a look at all of d.
        is_kept = d[..., :N_FIRST].any(-1)
        is_open = ~is_kept
        is_kept[is_open] = d[is_open].any(-1)
    else:
        is_kept = d.any(-1)
    counts = is_kept.sum(1)
    is_first = torch.arange(d.shape[1], device=d.device) < counts[:, None]
    # Together, so that a GPU is waited for only once.
    is_apart = (is_kept != is_first).any()
    *counts, is_apart = torch.cat([counts, is_apart[None]]).tolist()
    most = max(1, *counts)
    if is_apart:
        order = (~is_kept).to(torch.uint8).argsort(dim=1, stable=True)
        order = order[:, :most, None]
        a, d = a.take_along_dim(order, 1), d.take_along_dim(order, 1)
    return _own(a[:, :most]), _own(d[:, :most]), np.array(counts)


def _own(part):
    """Copy a part of a tensor, which would keep the rest in memory."""
    return part.clone() if part.untyped_storage().nbytes() > part.nbytes else part


def squared_norms_of_pair(a, d):
    """Compute the squared norm of each sum of outer products ``d_t a_t'``.

    Parameters
    ----------
    a : Tensor of shape (n, n_tokens, n_inputs)
    d : Tensor of shape (n, n_tokens, n_outputs)

    Returns
    -------
    Tensor of shape (n,)
        float64.
    """
    p, q = a.shape[2], d.shape[2]
    t = a.shape[1]
    if t * (p + q) > p * q and 3 * t * t > 2 * p * q:  # less to do and to hold
        return (d.mT @ a).square().sum((1, 2), dtype=torch.float64)
    return ((a @ a.mT) * (d @ d.mT)).sum((1, 2), dtype=torch.float64)


def concatenate(batches):
    """Put the gradients of batches together, as those of one."""
    vectors, pairs, counts = zip(*batches, strict=True)
    joined = [join_pairs(parts) for parts in zip(*pairs, strict=True)]
    counts = [np.concatenate(parts) for parts in zip(*counts, strict=True)]
    return BatchGradients(torch.cat(vectors), joined, counts)


def join_pairs(pairs):
    """Put (a, d) of one factor, of several batches, together."""
    if len(pairs) == 1:
        return pairs[0]
    return tuple(_pad_tokens(side) for side in zip(*pairs, strict=True))


def _pad_tokens(parts):
    """Put tensors of shape (n, n_tokens, size) together, with zeros behind the last."""
    n, most = sum(len(part) for part in parts), max(part.shape[1] for part in parts)
    out, start = parts[0].new_zeros(n, most, parts[0].shape[2]), 0
    for part in parts:
        out[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return out
