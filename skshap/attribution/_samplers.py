"""Estimates of Shapley values: by permutations, with errors, or by enumeration."""

from itertools import combinations, islice
from math import comb
from typing import NamedTuple

import numpy as np
import torch

from skshap.utils._progress import progress
from skshap.utils._validation import check_pivots

__all__ = ["Estimate", "enumerate_coalitions", "permutations", "sample_permutations"]

CHUNK_NUMBERS = 1 << 22  # of a batch of enumerated coalitions


class Estimate(NamedTuple):
    """Values and their standard errors.

    Attributes
    ----------
    values : ndarray of shape (n,) or (n, m)
        By training row; with a column for each row scored if these are kept apart.
    standard_error : ndarray of the same shape
        Of each value; NaN after a single permutation, zero if values are exact.
    """

    values: np.ndarray
    standard_error: np.ndarray


class RunningMoments:
    """Mean and variance of arrays that come one by one (Welford's recurrence)."""

    def __init__(self, shape, device):
        self.count = 0
        self.mean = torch.zeros(shape, dtype=torch.float64, device=device)
        self._squares = torch.zeros_like(self.mean)

    def update(self, values):
        """Take in one more array; it is used as scratch space."""
        self.count += 1
        step = values.sub_(self.mean)
        self.mean.add_(step, alpha=1 / self.count)
        self._squares.addcmul_(step, step, value=1 - 1 / self.count)

    def estimate(self):
        """Return the mean and its standard error."""
        variance = (
            self._squares / (self.count - 1)
            if self.count > 1
            else (torch.full_like(self._squares, torch.nan))
        )
        error = (variance / self.count).sqrt()
        return Estimate(self.mean.cpu().numpy(), error.cpu().numpy())


def permutations(n, n_permutations, seed):
    """Generate permutations, each from a seed of its own.

    Parameters
    ----------
    n : int
        Number of players.
    n_permutations : int
        How many.
    seed : int
        The t-th permutation depends on it and on t alone.

    Yields
    ------
    Tensor of shape (n,)
        A permutation of ``range(n)``.
    """
    for t in range(n_permutations):
        rng = np.random.default_rng([seed, t])
        yield torch.from_numpy(rng.permutation(n))


def sample_permutations(
    ridge,
    utility,
    orders,
    *,
    n_permutations,
    null,
    full,
    per_sample,
    truncation_tol,
    verbose,
):
    """Estimate Shapley values by the marginals along permutations.

    Parameters
    ----------
    ridge : GrowingRidge
        Predicts with every prefix.
    utility : Utility
        Scores predictions.
    orders : iterable of Tensor of shape (n,)
        The permutations.
    n_permutations : int
        How many there are.
    null : float
        Utility of the empty coalition.
    full : float
        Mean utility of all rows, for truncation.
    per_sample : bool
        Whether to keep the rows scored apart.
    truncation_tol : float or None
        Stop a permutation after two prefixes in a row whose mean utility is within this
        share of ``|full - null|`` of `full`; the rows after them get zero from it.
    verbose : int
        Show a progress bar.

    Returns
    -------
    Estimate
        Of shape (n,), or (n, m) if `per_sample`.
    """
    n, m = len(ridge.K), len(utility.y)
    moments = RunningMoments((n, m) if per_sample else (n,), ridge.K.device)
    marginals = torch.empty_like(moments.mean)
    tolerance = None if truncation_tol is None else truncation_tol * abs(full - null)
    for order in progress(
        orders,
        total=n_permutations,
        desc="permutations",
        unit="permutation",
        verbose=verbose,
    ):
        _marginals(
            ridge, utility, order.to(ridge.K.device), null, full, tolerance, marginals
        )
        moments.update(marginals)
    return moments.estimate()


def _marginals(ridge, utility, order, null, full, tolerance, out):
    """Write what each row adds when it joins along a permutation into `out`."""
    out.zero_()
    previous = torch.full(out.shape[1:], null, dtype=out.dtype, device=out.device)
    was_close = False
    for rows, decision in ridge.decisions(order):
        scores = utility(decision)
        means = scores.mean(1)
        gains = scores if out.ndim == 2 else means
        gains = torch.diff(gains, dim=0, prepend=previous.unsqueeze(0))
        if tolerance is not None:
            close = (means - full).abs() <= tolerance
            before = torch.cat([close.new_tensor([was_close]), close[:-1]])
            stop = torch.nonzero(close & before)[:1]
            if len(stop):
                kept = slice(int(stop) + 1)
                out[rows[kept]] = gains[kept]
                return
            was_close = bool(close[-1])
        out[rows] = gains
        previous = scores[-1] if out.ndim == 2 else means[-1]


def enumerate_coalitions(K, cross, targets, alpha, utility, *, null):
    """Compute Shapley values from the utility of every coalition.

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
    null : float
        Utility of the empty coalition.

    Returns
    -------
    Estimate
        Of shape (n, m); standard errors are zero.
    """
    n, m = cross.shape
    # The empty coalition: minus its utility, weighted, to everyone who joins it.
    values = torch.full_like(cross, -null / n)
    for size in range(1, n + 1):
        coalitions = combinations(range(n), size)
        batch = max(1, CHUNK_NUMBERS // (size * (size + m) + n))
        while chunk := list(islice(coalitions, batch)):
            index = torch.tensor(chunk, device=K.device)
            scores = _scores(K, cross, targets, alpha, utility, index)
            # A member gains the coalition's utility, an outsider is charged it.
            member = 1 / (n * comb(n - 1, size - 1))
            outsider = 0.0 if size == n else -1 / (n * comb(n - 1, size))
            weights = torch.full((len(chunk), n), outsider, dtype=K.dtype)
            weights = weights.to(K.device).scatter_(1, index, member)
            values += weights.T @ scores
    values = values.cpu().numpy()
    return Estimate(values, np.zeros_like(values))


def _scores(K, cross, targets, alpha, utility, index):
    """Score every coalition of one size, of shape (n_coalitions, m)."""
    A = K[index[:, :, None], index[:, None, :]]
    A.diagonal(dim1=1, dim2=2).add_(alpha)
    L, info = torch.linalg.cholesky_ex(A)
    pivots, diagonal = (M.diagonal(dim1=1, dim2=2) for M in (L, A))
    check_pivots(pivots.square(), info.max(), diagonal=diagonal, alpha=alpha)
    weights = torch.cholesky_solve(targets[index], L)
    return utility(torch.einsum("bsq,bsm->qbm", weights, cross[index]))
