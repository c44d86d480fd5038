"""Estimates of semivalues by random permutations, with standard errors."""

from typing import NamedTuple

import numpy as np
import torch

from skshap.utils._progress import progress

__all__ = ["Estimate", "average", "generators", "permutation_marginals"]

SMALLEST_SAMPLE = 10  # permutations before errors are trusted


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

    def __init__(self):
        self.count = 0

    def update(self, values):
        """Take in one more array; it is used as scratch space."""
        if not self.count:
            self.mean = torch.zeros_like(values)
            self._squares = torch.zeros_like(values)
        self.count += 1
        step = values.sub_(self.mean)
        self.mean.add_(step, alpha=1 / self.count)
        self._squares.addcmul_(step, step, value=1 - 1 / self.count)

    def largest_error(self):
        """Return the largest standard error."""
        largest = float(self._squares.max())
        return (largest / (self.count * (self.count - 1))) ** 0.5

    def estimate(self):
        """Return the mean and its standard error."""
        variance = (
            self._squares / (self.count - 1)
            if self.count > 1
            else (torch.full_like(self._squares, torch.nan))
        )
        error = (variance / self.count).sqrt()
        return Estimate(self.mean.cpu().numpy(), error.cpu().numpy())


def average(draws, *, n_permutations, tol, verbose):
    """Average what independent draws say, until errors are small enough.

    Parameters
    ----------
    draws : iterable of Tensor
        Unbiased estimates of the values; each is used as scratch space.
    n_permutations : int
        How many there are.
    tol : float or None
        Stop after at least 10 draws once every standard error is at most this.
    verbose : int
        Show a progress bar.

    Returns
    -------
    Estimate
        Mean and standard error.
    """
    moments = RunningMoments()
    for values in progress(
        draws,
        total=n_permutations,
        desc="permutations",
        unit="permutation",
        verbose=verbose,
    ):
        moments.update(values)
        if tol is not None and moments.count >= SMALLEST_SAMPLE:
            if moments.largest_error() <= tol:
                break
    return moments.estimate()


def generators(n_draws, seed):
    """Generate random generators, each from a seed of its own.

    Parameters
    ----------
    n_draws : int
        How many.
    seed : int
        The t-th generator depends on it and on t alone.

    Yields
    ------
    numpy.random.Generator
    """
    for t in range(n_draws):
        yield np.random.default_rng([seed, t])


def permutation_marginals(
    ridge, utility, rngs, *, weights, null, per_sample, truncation_tol
):
    """Weigh what every row adds when it joins along random permutations.

    Parameters
    ----------
    ridge : PrefixRidge
        Predicts with every prefix.
    utility : Utility
        Scores predictions.
    rngs : iterable of numpy.random.Generator
        One a permutation.
    weights : ndarray of shape (n,)
        Share of each size of coalition in the semivalue.
    null : float
        Utility of the empty coalition.
    per_sample : bool
        Whether to keep the rows scored apart.
    truncation_tol : float or None
        Stop a permutation after two prefixes in a row whose mean utility is within this
        share of ``|full - null|`` of `full`, the mean utility of all rows; the rows
        after them get zero from it.

    Yields
    ------
    Tensor of shape (n,), or (n, m) if `per_sample`
        An unbiased estimate of the values, by training row, if nothing is truncated;
        overwritten by the next one.
    """
    n, m = len(ridge.K), len(utility.y)
    shape = (n, m) if per_sample else (n,)
    out = torch.empty(shape, dtype=ridge.K.dtype, device=ridge.K.device)
    full = tolerance = None
    if truncation_tol is not None:
        *_, (_, decision) = ridge.decisions(torch.arange(n, device=out.device))
        full = float(utility(decision[:, -1]).mean())
        tolerance = truncation_tol * abs(full - null)
    # A row stands at each size with probability 1 / n.
    weights = torch.tensor(n * weights, device=out.device)
    weights = weights.unsqueeze(1) if per_sample else weights
    for rng in rngs:
        order = torch.from_numpy(rng.permutation(n)).to(out.device)
        _gains_along(ridge, utility, order, null, full, tolerance, out)
        out[order] *= weights
        yield out


def _gains_along(ridge, utility, order, null, full, tolerance, out):
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
