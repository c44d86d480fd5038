"""Gram matrices of gradients held in factored form.

The inner product of two linear gradients, ``sum_{t,u} (a_t . a_u') (d_t . d_u')``, is
computed in one of two ways, whichever takes fewer operations: from the tokens, as it
is written, or by multiplying the factors out to weight gradients, some outputs at a
time. For p inputs and q outputs the first costs ``T T' (p + q)`` products a pair of
rows, the second ``p q`` a pair and as many a token.
"""

import numpy as np
import torch

from skshap.utils._progress import progress

__all__ = ["gram", "squared_norms"]

CHUNK_COLUMNS = 1 << 15  # longest sum in the working precision, then float64
CHUNK_BYTES = 1 << 29  # of multiplied-out gradients held at once
BUCKET = 64  # rows of similar length padded to one tensor


class _Rows:
    """Flat gradients sorted by length, cut into the tensors that products need."""

    def __init__(self, layout, rows, device):
        self.layout = layout
        self.device = device
        lengths = np.array([layout.n_tokens(row) for row in rows], dtype=np.intp)
        self.order = np.argsort(-lengths, kind="stable")
        self.rows = [rows[i] for i in self.order]
        self.lengths = lengths[self.order]

    def __len__(self):
        return len(self.rows)

    def columns(self, start, stop):
        """Return flat columns of all rows, of shape (n, stop - start)."""
        out = np.stack([row[start:stop] for row in self.rows])
        return torch.from_numpy(out).to(self.device)

    def token_factors(self, factor):
        """Return (inputs, output gradients) of each bucket, padded with zeros."""
        layout = self.layout
        first = layout.n_vector + layout.n_single
        buckets = []
        for start in range(0, len(self.rows), BUCKET):
            rows = self.rows[start : start + BUCKET]
            size = factor.stop - factor.start
            shape = (len(rows), int(self.lengths[start]), size)
            out = np.zeros(shape, dtype=rows[0].dtype)
            for i, row in enumerate(rows):
                tokens = row[first:].reshape(-1, layout.width)
                out[i, : len(tokens)] = tokens[:, factor.start : factor.stop]
            out = torch.from_numpy(out).to(self.device)
            buckets.append(out.split([factor.n_inputs, factor.n_outputs], -1))
        return buckets

    def single_factors(self, factor):
        """Return (inputs, output gradients) of a layer that sees one token a row."""
        first = self.layout.n_vector
        out = self.columns(first + factor.start, first + factor.stop).double()
        return out.split([factor.n_inputs, factor.n_outputs], -1)


def gram(layout, left, right=None, *, device="cpu", verbose=0):
    """Compute the inner products between gradients.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    left : list of ndarray
        n flat gradients.
    right : list of ndarray or None, default=None
        m flat gradients; None for those of `left`, which takes half the work.
    device : str or torch.device, default="cpu"
        Where products are computed.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n, m)
        float64; exactly symmetric if `right` is None.
    """
    left = _Rows(layout, left, device)
    right = None if right is None else _Rows(layout, right, device)
    other = left if right is None else right
    K = torch.zeros(len(left), len(other), dtype=torch.float64, device=device)

    if layout.n_vector:
        _add_product(K, *(_pair(left, right, "columns", 0, layout.n_vector)))
    for factor in layout.single:
        (a, d), (b, e) = left.single_factors(factor), other.single_factors(factor)
        K += (a @ b.T) * (d @ e.T)
    plans = [_plan(factor, left, right) for factor in layout.tokens]
    bar = progress(
        ((task, factor) for factor, tasks in plans for task in tasks),
        total=sum(len(tasks) for _, tasks in plans),
        desc="kernel",
        unit="block",
        verbose=verbose,
    )
    current = None
    for outputs, factor in bar:
        if factor is not current:
            current = factor
            factors = left.token_factors(factor)
            others = None if right is None else right.token_factors(factor)
        if outputs is None:
            _add_token_products(K, factors, others)
        else:
            G = _multiply_out(factors, outputs)
            H = None if others is None else _multiply_out(others, outputs)
            _add_product(K, G, H)
    if right is None:
        K = torch.tril(K) + torch.tril(K, -1).T
    out = np.empty(K.shape)
    out[np.ix_(left.order, other.order)] = K.cpu().numpy()
    return out


def squared_norms(layout, rows, *, device="cpu"):
    """Compute the squared norm of each gradient: the diagonal of `gram`.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    rows : list of ndarray
        n flat gradients.
    device : str or torch.device, default="cpu"
        Where products are computed.

    Returns
    -------
    ndarray of shape (n,)
        float64.
    """
    rows = _Rows(layout, rows, device)
    total = torch.zeros(len(rows), dtype=torch.float64, device=device)
    if layout.n_vector:
        total += rows.columns(0, layout.n_vector).double().square().sum(1)
    for factor in layout.single:
        a, d = rows.single_factors(factor)
        total += a.square().sum(1) * d.square().sum(1)
    for factor in layout.tokens:
        start = 0
        for a, d in rows.token_factors(factor):
            a, d = a.double(), d.double()
            products = (a @ a.mT) * (d @ d.mT)
            total[start : start + len(a)] += products.sum((1, 2))
            start += len(a)
    out = np.empty(len(rows))
    out[rows.order] = total.cpu().numpy()
    return out


def _pair(left, right, method, *args):
    """Call a method of both sides; None where there is only one."""
    one = getattr(left, method)(*args)
    return one, None if right is None else getattr(right, method)(*args)


def _plan(factor, left, right):
    """Split one layer's products into tasks: output ranges, or None for tokens."""
    other = left if right is None else right
    p, q = factor.n_inputs, factor.n_outputs
    pairs = len(left) * len(other) / (2 if right is None else 1)
    by_tokens = pairs * left.lengths.mean() * other.lengths.mean() * (p + q)
    n_tokens = left.lengths.sum() + (0 if right is None else right.lengths.sum())
    if by_tokens < (pairs + n_tokens) * p * q:
        return factor, [None]
    n = len(left) + (0 if right is None else len(right))
    itemsize = left.rows[0].itemsize
    columns = min(CHUNK_COLUMNS, CHUNK_BYTES // (n * itemsize))
    step = max(1, columns // p)
    return factor, [slice(i, min(i + step, q)) for i in range(0, q, step)]


def _multiply_out(buckets, outputs):
    """Multiply factors out to the gradients of some outputs, (n, n_outputs * p)."""
    parts = [(d[..., outputs].mT @ a).flatten(1) for a, d in buckets]
    return torch.cat(parts)


def _add_product(K, G, H=None):
    """Add ``G H'`` to K; without H the lower block triangle of ``G G'``."""
    if H is not None:
        K += G @ H.T
        return
    step = max(256, -(-len(G) // 8))
    for start in range(0, len(G), step):
        stop = min(start + step, len(G))
        K[start:stop, :stop] += G[start:stop] @ G[:stop].T


def _add_token_products(K, left, right=None):
    """Add the sums over pairs of tokens, bucket by bucket."""
    row = 0
    for i, (a, d) in enumerate(left):
        column = 0
        n, t, _ = a.shape
        for j, (b, e) in enumerate(left if right is None else right):
            m, u, _ = b.shape
            if right is not None or j <= i:
                products = a.flatten(0, 1) @ b.flatten(0, 1).T
                products *= d.flatten(0, 1) @ e.flatten(0, 1).T
                block = products.view(n, t, m, u).sum((1, 3), dtype=torch.float64)
                K[row : row + n, column : column + m] += block
            column += m
        row += n
