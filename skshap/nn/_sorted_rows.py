"""Rows of gradients in the order and the tensors that their products are taken in."""

import numpy as np
import torch

__all__ = ["BUCKET", "CHUNK_COLUMNS", "SortedRows", "sum_lookups"]

CHUNK_COLUMNS = 1 << 15  # longest sum in the working precision, then float64
BUCKET = 64  # rows of similar length padded to one tensor


class SortedRows:
    """Flat gradients sorted by length, cut into the tensors that products need.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    rows : list of ndarray
        n flat gradients.
    device : str or torch.device
        Where tensors are put.

    Attributes
    ----------
    device : torch.device
    order : ndarray of shape (n,)
        Places of the sorted rows among those given.
    rows : list of ndarray
        The sorted rows.
    itemsize : int
        Bytes of a number.
    counts : ndarray of shape (n, n_factors)
        Tokens of each.
    """

    def __init__(self, layout, rows, device):
        self.layout = layout
        self.device = torch.device(device)
        n_factors = len(layout.factors)
        counts = np.array([layout.counts(row) for row in rows], dtype=np.intp)
        counts = counts.reshape(len(rows), n_factors)
        self.order = np.argsort(-counts.sum(1), kind="stable")
        self.rows = [rows[i] for i in self.order]
        self.itemsize = rows[0].itemsize
        self.counts = counts[self.order]

    def __len__(self):
        return len(self.rows)

    def vectors(self):
        """Yield the vectors of all rows, some columns at a time."""
        for start in range(0, self.layout.n_vector, CHUNK_COLUMNS):
            columns = slice(start, start + CHUNK_COLUMNS)
            out = np.stack([self.layout.vector(row)[columns] for row in self.rows])
            yield torch.from_numpy(out).to(self.device)

    def buckets(self, index):
        """Return (a, d) of a factor for each bucket of rows, padded with zeros."""
        factor = self.layout.factors[index]
        buckets = []
        for start in range(0, len(self.rows), BUCKET):
            rows = self.rows[start : start + BUCKET]
            most = max(1, self.counts[start : start + BUCKET, index].max())
            sizes = factor.n_inputs, factor.n_outputs
            pair = [np.zeros((len(rows), most, s), dtype=rows[0].dtype) for s in sizes]
            for i, row in enumerate(rows):
                for out, part in zip(pair, self.layout.tokens(row, index), strict=True):
                    out[i, : len(part)] = part
            buckets.append([torch.from_numpy(part).to(self.device) for part in pair])
        return buckets

    def lookups(self, index):
        """Return which rows looked up which numbers; see `sum_lookups`."""
        pairs = [self.layout.tokens(row, index) for row in self.rows]
        owners = np.repeat(np.arange(len(pairs)), [len(a) for a, _ in pairs])
        numbers = np.concatenate([a[:, 0] for a, _ in pairs])
        grads = torch.from_numpy(np.concatenate([d for _, d in pairs]))
        return sum_lookups(numbers, owners, grads.to(self.device), len(self))


def sum_lookups(numbers, owners, grads, n):
    """Sum what each row has for each number.

    Parameters
    ----------
    numbers, owners : ndarray of shape (n_lookups,)
        Numbers that were looked up, and by which of n rows.
    grads : Tensor of shape (n_lookups, n_outputs)
        The gradient of each.
    n : int
        Rows.

    Returns
    -------
    numbers, rows : ndarray of shape (n_pairs,)
        Sorted by number.
    sums : Tensor of shape (n_pairs, n_outputs)
        float64.
    """
    keys, inverse = np.unique(numbers.astype(np.intp) * n + owners, return_inverse=True)
    sums = grads.new_zeros(len(keys), grads.shape[1], dtype=torch.float64)
    sums.index_add_(0, torch.from_numpy(inverse).to(grads.device), grads.double())
    return keys // n, keys % n, sums
