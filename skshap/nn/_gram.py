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
from scipy.linalg import get_blas_funcs

__all__ = [
    "BUCKET",
    "CHUNK_BYTES",
    "CHUNK_COLUMNS",
    "add_product",
    "gram",
    "gram_cost",
    "squared_norms",
]

CHUNK_COLUMNS = 1 << 15  # longest sum in the working precision, then float64
CHUNK_BYTES = 1 << 29  # of multiplied-out gradients held at once
BUCKET = 64  # rows of similar length padded to one tensor


class _Rows:
    """Flat gradients sorted by length, cut into the tensors that products need."""

    def __init__(self, layout, rows, device):
        self.layout = layout
        self.device = device
        n_factors = len(layout.factors)
        counts = np.array([layout.counts(row) for row in rows], dtype=np.intp)
        counts = counts.reshape(len(rows), n_factors)
        self.order = np.argsort(-counts.sum(1), kind="stable")
        self.rows = [rows[i] for i in self.order]
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
        """Return which rows looked up which numbers, and their summed gradients.

        Returns
        -------
        numbers, rows : ndarray of shape (n_pairs,)
            Sorted by number.
        sums : Tensor of shape (n_pairs, n_outputs)
            float64.
        """
        pairs = [self.layout.tokens(row, index) for row in self.rows]
        owners = np.repeat(np.arange(len(pairs)), [len(a) for a, _ in pairs])
        numbers = np.concatenate([a[:, 0] for a, _ in pairs]).astype(np.intp)
        grads = np.concatenate([d for _, d in pairs])
        keys, inverse = np.unique(
            numbers * len(self.rows) + owners, return_inverse=True
        )
        grads = torch.from_numpy(grads).to(self.device, torch.float64)
        sums = grads.new_zeros(len(keys), grads.shape[1])
        sums.index_add_(0, torch.from_numpy(inverse).to(self.device), grads)
        return keys // len(self.rows), keys % len(self.rows), sums


def gram(layout, left, right=None, *, is_sign=False, device="cpu", advance=None):
    """Compute the inner products between gradients.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    left : list of ndarray
        n flat gradients.
    right : list of ndarray or None, default=None
        m flat gradients; None for those of `left`, which takes half the work.
    is_sign : bool, default=False
        Take the signs of gradients instead.
    device : str or torch.device, default="cpu"
        Where products are computed.
    advance : callable, default=None
        Called with the share of the work that each step has done.

    Returns
    -------
    ndarray of shape (n, m)
        float64; exactly symmetric if `right` is None.
    """
    left = _Rows(layout, left, device)
    right = None if right is None else _Rows(layout, right, device)
    other = left if right is None else right
    K = torch.zeros(len(left), len(other), dtype=torch.float64, device=device)

    pairs = zip(left.vectors(), other.vectors(), strict=True)
    for G, H in pairs:
        add_product(K, *_signs(is_sign, G, None if right is None else H))
    plans = []
    for index, factor in enumerate(layout.factors):
        if factor.is_lookup:
            _add_lookups(K, left.lookups(index), other.lookups(index), is_sign)
        else:
            plans.append((index, _plan(factor, index, left, right, is_sign)))
    steps = [(task, index) for index, tasks in plans for task in tasks]
    current, buffers = None, ([], [])
    for outputs, index in steps:
        if index != current:
            current = index
            factors = left.buckets(index)
            others = None if right is None else right.buckets(index)
        if outputs is None:
            _add_token_products(K, factors, others)
        else:
            G = _multiply_out(factors, outputs, buffers[0])
            H = None if others is None else _multiply_out(others, outputs, buffers[1])
            add_product(K, *_signs(is_sign, G, H))
        if advance is not None:
            advance(1 / len(steps))
    if right is None:
        K = torch.tril(K) + torch.tril(K, -1).T
    out = np.empty(K.shape)
    out[np.ix_(left.order, other.order)] = K.cpu().numpy()
    return out


def squared_norms(layout, rows, *, is_sign=False, device="cpu"):
    """Compute the squared norm of each gradient: the diagonal of `gram`.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    rows : list of ndarray
        n flat gradients.
    is_sign : bool, default=False
        Take the signs of gradients instead.
    device : str or torch.device, default="cpu"
        Where products are computed.

    Returns
    -------
    ndarray of shape (n,)
        float64.
    """
    rows = _Rows(layout, rows, device)
    total = torch.zeros(len(rows), dtype=torch.float64, device=device)
    for vectors in rows.vectors():
        (vectors,) = _signs(is_sign, vectors.double())
        total += vectors.square().sum(1)
    for index, factor in enumerate(layout.factors):
        if factor.is_lookup:
            _, owners, sums = rows.lookups(index)
            (sums,) = _signs(is_sign, sums)
            owners = torch.from_numpy(owners).to(device)
            total.index_add_(0, owners, sums.square().sum(1))
            continue
        start = 0
        for a, d in rows.buckets(index):
            a, d = a.double(), d.double()
            if is_sign:
                squares = (d.mT @ a).sign().square().sum((1, 2))
            else:
                squares = ((a @ a.mT) * (d @ d.mT)).sum((1, 2))
            total[start : start + len(a)] += squares
            start += len(a)
    out = np.empty(len(rows))
    out[rows.order] = total.cpu().numpy()
    return out


def gram_cost(layout, n, n_tokens, itemsize):
    """Predict what `gram` of n rows takes.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    n : int
        Rows.
    n_tokens : array-like of shape (n_factors,)
        Tokens of a row, by factor.
    itemsize : int
        Bytes of a number.

    Returns
    -------
    n_bytes : int
        That the rows take.
    n_operations : float
        Multiplications and additions.
    """
    numbers, products = layout.n_vector, n * layout.n_vector / 2
    for factor, t in zip(layout.factors, n_tokens, strict=True):
        numbers += t * factor.width
        size = factor.n_inputs * factor.n_outputs
        if not factor.is_lookup:
            by_tokens = n / 2 * t**2 * factor.width
            products += min(by_tokens, (n / 2 + t) * size)
    return int(n * numbers * itemsize), 2.0 * n * products


def _signs(is_sign, *gradients):
    """Replace gradients by their signs, if asked for."""
    return [g.sign() if is_sign and g is not None else g for g in gradients]


def _plan(factor, index, left, right, is_sign):
    """Split one factor's products into tasks: output ranges, or None for tokens."""
    other = left if right is None else right
    p, q = factor.n_inputs, factor.n_outputs
    pairs = len(left) * len(other) / (2 if right is None else 1)
    counts, others = left.counts[:, index], other.counts[:, index]
    by_tokens = pairs * counts.mean() * others.mean() * (p + q)
    n_tokens = counts.sum() + (0 if right is None else others.sum())
    if by_tokens < (pairs + n_tokens) * p * q and not is_sign:
        return [None]
    n = len(left) + (0 if right is None else len(right))
    itemsize = left.rows[0].itemsize
    columns = min(CHUNK_COLUMNS, CHUNK_BYTES // (n * itemsize))
    step = max(1, columns // p)
    return [slice(i, min(i + step, q)) for i in range(0, q, step)]


def _multiply_out(buckets, outputs, buffer):
    """Multiply factors out to the gradients of some outputs, (n, n_outputs * p).

    They are written to a buffer, a list of one tensor, which grows as needed.
    """
    a, d = buckets[0]
    n, q, p = sum(len(a) for a, _ in buckets), d[..., outputs].shape[-1], a.shape[-1]
    if not buffer or buffer[0].numel() < n * q * p:
        buffer[:] = [a.new_empty(n * q * p)]
    out = buffer[0][: n * q * p].view(n, q, p)
    start = 0
    for a, d in buckets:
        torch.bmm(d[..., outputs].mT, a, out=out[start : start + len(a)])
        start += len(a)
    return out.flatten(1)


def add_product(K, G, H=None):
    """Add ``G H'`` to K; without H the lower triangle of ``G G'``, at least."""
    if H is not None:
        K += G @ H.T
    elif G.device.type == "cpu":
        syrk = get_blas_funcs("syrk", dtype=G.numpy().dtype)
        K += torch.from_numpy(syrk(1.0, G.numpy().T, trans=1, lower=1))
    else:
        K += G @ G.T


def _add_lookups(K, left, right, is_sign):
    """Add the products of the rows of a table that both sides looked up."""
    numbers, rows, sums = left
    others, columns, other_sums = right
    sums, other_sums = _signs(is_sign, sums, other_sums)
    shared, starts, counts = np.unique(numbers, return_index=True, return_counts=True)
    first = np.searchsorted(others, shared)
    last = np.searchsorted(others, shared, side="right")
    for i in np.flatnonzero(last > first):
        mine, theirs = slice(starts[i], starts[i] + counts[i]), slice(first[i], last[i])
        block = sums[mine] @ other_sums[theirs].T
        index = torch.from_numpy(rows[mine]), torch.from_numpy(columns[theirs])
        K[index[0][:, None].to(K.device), index[1].to(K.device)] += block


def _add_token_products(K, left, right=None):
    """Add the sums over pairs of tokens, bucket by bucket."""
    row = 0
    for i, (a, d) in enumerate(left):
        column = 0
        n, t, _ = a.shape
        if t == 1:  # one product a pair: no sum to keep in the working precision
            a, d = a.double(), d.double()
        for j, (b, e) in enumerate(left if right is None else right):
            m, u, _ = b.shape
            if right is not None or j <= i:
                b, e = b.to(a.dtype), e.to(a.dtype)
                products = a.flatten(0, 1) @ b.flatten(0, 1).T
                products *= d.flatten(0, 1) @ e.flatten(0, 1).T
                block = products.view(n, t, m, u).sum((1, 3), dtype=torch.float64)
                K[row : row + n, column : column + m] += block
            column += m
        row += n
