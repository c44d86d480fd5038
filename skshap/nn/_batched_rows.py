"""Gradients of batches that stay where they were computed, for products there."""

import numpy as np
import torch

from skshap.nn._factors import join_pairs
from skshap.nn._sorted_rows import CHUNK_COLUMNS, sum_lookups

__all__ = ["BatchedRows"]

MERGED_TOKENS = 1 << 13  # with padding, of batches that are put together


class BatchedRows:
    """Gradients of batches, in the tensors that products need; see `SortedRows`.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    batches : list of BatchGradients
        n rows in all, those of similar length in one batch. They are kept, on their
        device.

    Attributes
    ----------
    device : torch.device
    order : ndarray of shape (n,)
        Rows are as they come.
    itemsize : int
        Bytes of a number.
    counts : ndarray of shape (n, n_factors)
        Tokens of each.
    """

    def __init__(self, layout, batches):
        self.layout = layout
        self.batches = batches
        self.device = batches[0].vector.device
        self.itemsize = batches[0].vector.itemsize
        counts = [np.stack(batch.counts, 1) for batch in batches if batch.counts]
        n = sum(len(batch.vector) for batch in batches)
        self.counts = np.concatenate(counts) if counts else np.empty((n, 0), np.intp)
        self.order = np.arange(n)

    def __len__(self):
        return len(self.order)

    def vectors(self):
        """Yield the vectors of all rows, some columns at a time."""
        for start in range(0, self.layout.n_vector, CHUNK_COLUMNS):
            columns = slice(start, start + CHUNK_COLUMNS)
            yield torch.cat([batch.vector[:, columns] for batch in self.batches])

    def buckets(self, index):
        """Return (a, d) of a factor for each bucket of rows, padded with zeros."""
        buckets, pairs = [], []
        n = most = 0
        for a, d in (batch.pairs[index] for batch in self.batches):
            n, most = n + len(a), max(most, a.shape[1])
            if pairs and n * most > MERGED_TOKENS:
                buckets.append(join_pairs(pairs))
                pairs, n, most = [], len(a), a.shape[1]
            pairs.append((a, d))
        return [*buckets, join_pairs(pairs)]

    def lookups(self, index):
        """Return which rows looked up which numbers; see `sum_lookups`."""
        numbers, owners, grads, start = [], [], [], 0
        for batch in self.batches:
            a, d = batch.pairs[index]
            rows, tokens = np.nonzero(
                np.arange(a.shape[1]) < batch.counts[index][:, None]
            )
            numbers.append(a[..., 0].cpu().numpy()[rows, tokens])
            owners.append(start + rows)
            grads.append(d[torch.from_numpy(rows), torch.from_numpy(tokens)])
            start += len(a)
        numbers, owners = np.concatenate(numbers), np.concatenate(owners)
        return sum_lookups(numbers, owners, torch.cat(grads), len(self))
