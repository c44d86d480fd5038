"""Semivalues of small games, from the utility of every coalition."""

from itertools import combinations, islice
from math import comb

import torch

from skshap.utils._ridge import check_pivots

__all__ = ["enumerate_coalitions"]

CHUNK_NUMBERS = 1 << 22  # of a batch of enumerated coalitions


def enumerate_coalitions(K, cross, targets, alpha, utility, *, weights, null):
    """Compute semivalues from the utility of every coalition.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Kernel of the training rows.
    cross : Tensor of shape (n, m)
        Kernel between training rows and the rows to predict.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    alpha : float
        Strength of the ridge.
    utility : Utility
        Scores predictions.
    weights : ndarray of shape (n,)
        Share of each size of coalition in the semivalue.
    null : float
        Utility of the empty coalition.

    Returns
    -------
    Tensor of shape (n, m)
        Values of each training row for each row scored.
    """
    n, m = cross.shape
    # The empty coalition: minus its utility, weighted, to everyone who joins it.
    values = torch.full_like(cross, -null * weights[0])
    for size in range(1, n + 1):
        coalitions = combinations(range(n), size)
        batch = max(1, CHUNK_NUMBERS // (size * (size + m) + n))
        while chunk := list(islice(coalitions, batch)):
            index = torch.tensor(chunk, device=K.device)
            scores = _scores(K, cross, targets, alpha, utility, index)
            # A member gains the coalition's utility, an outsider is charged it.
            member = weights[size - 1] / comb(n - 1, size - 1)
            outsider = 0.0 if size == n else -weights[size] / comb(n - 1, size)
            share = torch.full((len(chunk), n), outsider, dtype=K.dtype)
            share = share.to(K.device).scatter_(1, index, float(member))
            values += share.T @ scores
    return values


def _scores(K, cross, targets, alpha, utility, index):
    """Score every coalition of one size, of shape (n_coalitions, m)."""
    A = K[index[:, :, None], index[:, None, :]]
    A.diagonal(dim1=1, dim2=2).add_(alpha)
    L, info = torch.linalg.cholesky_ex(A)
    pivots, diagonal = (M.diagonal(dim1=1, dim2=2) for M in (L, A))
    check_pivots(pivots.square(), info.max(), diagonal=diagonal, alpha=alpha)
    weights = torch.cholesky_solve(targets[index], L)
    return utility(torch.einsum("bsq,bsm->qbm", weights, cross[index]))
