"""Inner products of gradients from pairs of tokens, bucket by bucket of rows."""

import torch

__all__ = ["MOST_ROUNDING", "add_token_products", "most_cancelled"]

# Of the norms, the most by which sums over pairs of tokens may be wrong.
MOST_ROUNDING = 1e-5


def most_cancelled(buckets, rows, norms):
    """Return how far terms cancel, for each bucket of rows.

    That is by how much the norms of a row's outer products, one a token, add up to more
    than the norm of its gradient, at most.
    """
    norms = torch.from_numpy(norms[rows.order]).to(rows.device).sqrt()
    largest, start = [], 0
    for a, d in buckets:
        terms = (a.norm(dim=2) * d.norm(dim=2)).sum(1, dtype=torch.float64)
        size = norms[start : start + len(a)].clamp_min(torch.finfo(a.dtype).tiny)
        largest.append((terms / size).amax())
        start += len(a)
    return torch.stack(largest).tolist()


def add_token_products(K, left, right, ratios):
    """Add the sums over pairs of tokens, bucket by bucket.

    Parameters
    ----------
    K : Tensor of shape (n, m)
    left, right : list of (Tensor, Tensor)
        Buckets of either side; `right` is `left` for half the products of these.
    ratios : list of list of float
        From `most_cancelled`, of either side, or of the only one.
    """
    row = 0
    for (a, d), ratio in zip(left, ratios[0], strict=True):
        column = 0
        n, t, _ = a.shape
        error = torch.finfo(a.dtype).eps * ratio
        for (b, e), other in zip(right, ratios[-1], strict=True):
            m, u, _ = b.shape
            if right is left and column > row:
                break
            # One product a pair is no sum to keep in the working precision.
            is_exact = t == 1 or error * other > MOST_ROUNDING
            kind = torch.float64 if is_exact else a.dtype
            products = _between_tokens(a, b, kind)
            products *= _between_tokens(d, e, kind)
            block = products.view(n, t, m, u).sum((1, 3), dtype=torch.float64)
            K[row : row + n, column : column + m] += block
            column += m
        row += n


def _between_tokens(a, b, kind):
    """Return the inner products between all tokens of two sides."""
    return a.flatten(0, 1).to(kind) @ b.flatten(0, 1).to(kind).T
