"""Gram matrices of gradients held in factored form.

The inner product of two gradients of a matrix, ``sum_{t,u} (a_t . a_u') (d_t . d_u')``,
is computed in one of two ways, whichever takes fewer operations: from the tokens, as it
is written, or by multiplying the factors out to weight gradients, some outputs at a
time. For p inputs and q outputs the first costs ``T T' (p + q)`` products a pair of
rows, the second ``p q`` a pair and as many a token. Of two gradients of a table, only
the rows count that both have looked up.
"""

import numpy as np
import torch

from skshap.nn._factors import squared_norms_of_pair
from skshap.nn._gram_cost import count_operations
from skshap.nn._product import add_product
from skshap.nn._sorted_rows import CHUNK_COLUMNS, SortedRows
from skshap.nn._token_products import (
    MOST_ROUNDING,
    add_token_products,
    most_cancelled,
)

__all__ = ["CHUNK_BYTES", "gram", "quick_squared_norms", "squared_norms"]

CHUNK_BYTES = 1 << 29  # of multiplied-out gradients held at once, on a CPU
GPU_COLUMNS = 1 << 17  # of multiplied-out gradients at once, on a GPU
GPU_SHARE = 32  # one part in so many of its memory, for them


def gram(
    layout, left, right=None, *, norms=None, is_sign=False, device="cpu", advance=None
):
    """Compute the inner products between gradients.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    left : list of ndarray, or BatchedRows
        n gradients, flat or in batches.
    right : list of ndarray, BatchedRows or None, default=None
        m gradients; None for those of `left`, which takes half the work.
    norms : list of ndarray, default=None
        `squared_norms` of either side, which tell where terms of float32 cancel so far
        that they are summed in float64; None computes them where they are needed.
    is_sign : bool, default=False
        Take the signs of gradients instead, zero for what may be rounding, and of
        several outputs the mean.
    device : str or torch.device, default="cpu"
        Where products of flat gradients are computed; batches stay where they are.
    advance : callable, default=None
        Called with the share of the work that each step has done.

    Returns
    -------
    ndarray of shape (n, m)
        float64; exactly symmetric if `right` is None.
    """
    left = _arrange(layout, left, device)
    right = None if right is None else _arrange(layout, right, device)
    other = left if right is None else right
    K = torch.zeros(len(left), len(other), dtype=torch.float64, device=left.device)
    take = _make_signs(layout, left, is_sign)
    take_other = take if right is None else _make_signs(layout, right, is_sign)

    pairs = zip(left.vectors(), other.vectors(), strict=True)
    for G, H in pairs:
        add_product(K, take(G), None if right is None else take_other(H))
    plans = {}
    for index, factor in enumerate(layout.factors):
        if factor.is_lookup:
            sides = (left, take), (other, take_other)
            _add_lookups(K, *(_taken(rows.lookups(index), f) for rows, f in sides))
        else:
            plans[index] = _product_tasks(factor, index, left, right, is_sign)
    n_tasks, buffers = sum(map(len, plans.values())), ([], [])
    sides = [left] if right is None else [left, right]
    if norms is None:
        by_tokens = [index for index, tasks in plans.items() if tasks == [None]]
        # Of one token no terms can cancel.
        many = left.counts[:, by_tokens].max(initial=0) > 1
        norms = [
            squared_norms(layout, rows) if many else np.full(len(rows), np.inf)
            for rows in sides
        ]
    for index, tasks in plans.items():
        buckets = [_wider_last(rows.buckets(index)) for rows in sides]
        for part in tasks:
            if part is None:
                ratios = list(map(most_cancelled, buckets, sides, norms))
                add_token_products(K, buckets[0], buckets[-1], ratios)
            else:
                G, *H = map(_multiply_out, buckets, [part] * 2, buffers)
                add_product(K, take(G), *map(take_other, H))
            if advance is not None:
                advance(1 / n_tasks)
    if right is None:
        K.tril_()
        K += torch.tril(K, -1).T
    if is_sign:  # whose mean is not that of gradients, which are divided before
        K /= layout.n_outputs
    out = np.empty(K.shape)
    out[np.ix_(left.order, other.order)] = K.cpu().numpy()
    return out


def squared_norms(layout, rows, *, is_sign=False, is_exact=True, device="cpu"):
    """Compute the squared norm of each gradient: the diagonal of `gram`.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    rows : list of ndarray, BatchedRows or SortedRows
        n gradients, flat or in batches.
    is_sign : bool, default=False
        Take the signs of gradients instead, zero for what may be rounding, and of
        several outputs the mean.
    is_exact : bool, default=True
        Take products in float64, and not in the precision of the gradients.
    device : str or torch.device, default="cpu"
        Where products of flat gradients are computed; batches stay where they are.

    Returns
    -------
    ndarray of shape (n,)
        float64.
    """
    rows = _arrange(layout, rows, device)
    take = _make_signs(layout, rows, is_sign)
    total = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    for vectors in rows.vectors():
        total += take(vectors.double()).square().sum(1)
    for index, factor in enumerate(layout.factors):
        if factor.is_lookup:
            _, owners, sums = _taken(rows.lookups(index), take)
            owners = torch.from_numpy(owners).to(rows.device)
            total.index_add_(0, owners, sums.square().sum(1))
            continue
        start = 0
        for a, d in rows.buckets(index):
            if is_exact:
                a, d = a.double(), d.double()
            if is_sign:
                signs = take((d.mT @ a).flatten(1), slice(start, start + len(a)))
                squares = signs.square().sum(1)
            else:
                squares = squared_norms_of_pair(a, d)
            total[start : start + len(a)] += squares
            start += len(a)
    if is_sign:
        total /= layout.n_outputs
    out = np.empty(len(rows))
    out[rows.order] = total.clamp_(min=0).cpu().numpy()
    return out


def quick_squared_norms(layout, rows):
    """Compute squared norms in the precision of gradients, unless their terms cancel.

    Parameters
    ----------
    layout : Layout
    rows : BatchedRows

    Returns
    -------
    ndarray of shape (n,)
        float64.
    """
    norms = squared_norms(layout, rows, is_exact=False)
    for index, factor in enumerate(layout.factors):
        if not factor.is_lookup:
            buckets = rows.buckets(index)
            ratio = max(most_cancelled(buckets, rows, norms))
            if torch.finfo(buckets[0][0].dtype).eps * ratio**2 > MOST_ROUNDING:
                return squared_norms(layout, rows)
    return norms


def _arrange(layout, rows, device):
    """Return rows in the tensors that products need."""
    return SortedRows(layout, rows, device) if isinstance(rows, list) else rows


def _most_columns(device, column_bytes):
    """Return how many columns of multiplied-out gradients are made at once, at most."""
    if device.type == "cpu":
        return min(CHUNK_COLUMNS, CHUNK_BYTES // column_bytes)
    n_bytes = torch.cuda.get_device_properties(device).total_memory // GPU_SHARE
    return min(GPU_COLUMNS, n_bytes // column_bytes)


def _make_signs(layout, rows, is_sign):
    """Return what replaces gradients by their signs, if asked for.

    It takes gradients, (n_owners, n_parameters), and whose they are. What is zero but
    for rounding, such as biases of keys, has no sign that would be the same in another
    batch: zero stands for it, as for all that is less than the relative spacing of
    numbers (eps) times a row's largest gradient. Of shapes as those of BERT-base, keys
    have a third of that at most, and one in 10,000 of other gradients is as small.
    """
    if not is_sign:
        return lambda gradients, owners=None: gradients
    largest = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    for vectors in rows.vectors():
        largest = torch.maximum(largest, vectors.abs().amax(1))
    for index, factor in enumerate(layout.factors):
        if factor.is_lookup:
            _, owners, sums = rows.lookups(index)
            owners = torch.from_numpy(owners).to(rows.device)
            largest.scatter_reduce_(0, owners, sums.abs().amax(1), "amax")
            continue
        buckets, buffer = _wider_last(rows.buckets(index)), []
        for part in _product_tasks(factor, index, rows, None, is_sign):
            G = _multiply_out(buckets, part, buffer)
            largest = torch.maximum(largest, torch.linalg.vector_norm(G, torch.inf, 1))
    kind = torch.float64 if rows.itemsize == 8 else torch.float32
    limits = torch.finfo(kind).eps * largest

    def take(gradients, owners=slice(None)):
        return gradients.sign() * (gradients.abs() > limits[owners, None])

    return take


def _taken(lookups, take):
    """Replace the gradients of lookups by their signs, if asked for."""
    numbers, owners, sums = lookups
    return numbers, owners, take(sums, owners)


def _product_tasks(factor, index, left, right, is_sign):
    """Split one factor's products into tasks: parts of the longer side of the matrix.

    None stands for products by tokens.
    """
    other = left if right is None else right
    p, q = sorted((factor.n_inputs, factor.n_outputs))
    pairs = len(left) * len(other) / (2 if right is None else 1)
    counts, others = left.counts[:, index], other.counts[:, index]
    n_tokens = counts.sum() + (0 if right is None else others.sum())
    by_tokens, multiplied_out = count_operations(
        factor, pairs, counts.mean(), others.mean(), n_tokens
    )
    if by_tokens < multiplied_out and not is_sign:
        return [None]
    n = len(left) + (0 if right is None else len(right))
    step = max(1, _most_columns(left.device, n * left.itemsize) // p)
    return [slice(i, min(i + step, q)) for i in range(0, q, step)]


def _wider_last(buckets):
    """Return a and d in the order of their numbers of inputs and outputs."""
    a, d = buckets[0]
    return [(d, a) for a, d in buckets] if a.shape[2] > d.shape[2] else buckets


def _multiply_out(buckets, part, buffer):
    """Multiply factors out to the gradients of some outputs, (n, n_outputs * p).

    They are written to a buffer, a list of one tensor, which grows as needed.
    """
    a, d = buckets[0]
    n, q, p = sum(len(a) for a, _ in buckets), d[..., part].shape[-1], a.shape[-1]
    if not buffer or buffer[0].numel() < n * q * p:
        buffer[:] = [a.new_empty(n * q * p)]
    out = buffer[0][: n * q * p].view(n, q, p)
    start = 0
    for a, d in buckets:
        torch.bmm(d[..., part].mT, a, out=out[start : start + len(a)])
        start += len(a)
    return out.flatten(1)


def _add_lookups(K, left, right):
    """Add the products of the rows of a table that both sides looked up."""
    numbers, rows, sums = left
    others, columns, other_sums = right
    shared, starts, counts = np.unique(numbers, return_index=True, return_counts=True)
    first = np.searchsorted(others, shared)
    last = np.searchsorted(others, shared, side="right")
    for i in np.flatnonzero(last > first):
        mine, theirs = slice(starts[i], starts[i] + counts[i]), slice(first[i], last[i])
        block = sums[mine] @ other_sums[theirs].T
        index = torch.from_numpy(rows[mine]), torch.from_numpy(columns[theirs])
        K[index[0][:, None].to(K.device), index[1].to(K.device)] += block
