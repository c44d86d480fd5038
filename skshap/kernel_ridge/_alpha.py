"""The strength of the ridge: the alpha of least leave-one-out error."""

from functools import cache

import numpy as np

from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernel_ridge._ridge_path import RidgePath
from skshap.kernel_ridge._some_rows import MOST_ROWS, some_rows
from skshap.utils._ridge import leave_one_out, means_of_others, with_ones

__all__ = [
    "ALPHAS",
    "alpha_of_least",
    "candidate_alphas",
    "choose_alpha",
    "in_largest",
    "leave_one_out_errors",
]

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # by a scale of 1
ALIKE = 0.1  # share of the mean diagonal that is left if rows are centred, if little


def choose_alpha(kernel, Y, has_prior=True, device=None):
    """Return the alpha of least leave-one-out error.

    Of a large matrix, whose eigenvectors take as long as some fifteen of its factors,
    errors are followed downhill, from the alpha that is best for some of the rows.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n rows.
    Y : ndarray of shape (n, n_targets)
        Indicators of classes, or targets of a regression.
    has_prior : bool, default=True
        See `leave_one_out_errors`.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    float
    """
    Y = in_largest(Y)
    alphas, options = candidate_alphas(kernel), (has_prior, device)
    if kernel.is_explicit or len(kernel) <= MOST_ROWS:
        return best_alpha(kernel, Y, alphas, *options)
    # Along what a row has in common with all, in whatever order they come.
    some = some_rows(kernel.values.sum(1), Y.argmax(1))
    start = best_alpha(kernel.part(some), Y[some], alphas, *options)

    def error(i):
        return leave_one_out_error(kernel, Y, alphas[i], *options)

    return float(alphas[downhill(error, alphas.tolist().index(start), len(alphas))])


def in_largest(Y):
    """Return targets in units of the largest: squares of any are numbers then."""
    return Y / (np.abs(Y).max() or 1.0)


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def candidate_alphas(kernel):
    """Return candidates for alpha, by the scale of a kernel.

    That is its mean diagonal or, where little of it is left if rows are centred, that.
    Of rows of zeros, where it is zero, no alpha is better.
    """
    values, n = kernel.values, len(kernel)
    common = np.square(values.mean(0)).sum() if kernel.is_explicit else values.mean()
    scale = kernel.diagonal().mean()
    left, rounding = scale - common, 1000 * n * np.finfo(float).eps * scale
    if rounding < left < ALIKE * scale:
        scale = left
    alphas = (scale if scale > np.finfo(float).tiny else 1.0) * np.array(ALPHAS)
    if not np.isfinite(alphas).all():
        raise ValueError(
            "kernel must be finite, but products of rows overflow; scale X down."
        )
    return alphas


def best_alpha(kernel, Y, alphas, has_prior, device):
    """Return the best of some alphas by the eigenvectors of a kernel."""
    errors = leave_one_out_errors(kernel, Y, alphas, has_prior, device)
    return alpha_of_least(errors, alphas)


def alpha_of_least(errors, alphas):
    """Return the alpha of least error; the largest if none has a factor."""
    has_factor = np.isfinite(errors).any()
    return float(alphas[errors.argmin()] if has_factor else alphas.max())


def leave_one_out_errors(kernel, Y, alphas, has_prior=True, device=None):
    """Return the mean squared leave-one-out error of ridges, from one decomposition.

    Those of an alpha so small that it would round much are from its own factor.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n rows.
    Y : ndarray of shape (n, n_targets)
        Indicators of classes, or targets of a regression.
    alphas : ndarray of shape (n_alphas,)
        Strengths of the ridges.
    has_prior : bool, default=True
        Whether targets are regressed on minus their means, which are added back. When
        a row is left out, so is its target from these.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    ndarray of shape (n_alphas,)
        Infinite where there is no factor.
    """
    options = {"is_explicit": kernel.is_explicit, "device": device}
    path = RidgePath(kernel.values, with_ones(Y), **options)

    def error(alpha):
        if not path.is_exact(alpha + kernel.lost):
            return leave_one_out_error(kernel, Y, alpha, has_prior, device)
        solved, diagonal = path.solve(alpha + kernel.lost)
        return mean_squared_error(Y, solved, diagonal, has_prior)

    return np.array([error(alpha) for alpha in alphas])


def leave_one_out_error(kernel, Y, alpha, has_prior, device):
    """Return the same of one alpha by its factor, infinite where there is none."""
    try:
        factor = kernel.factorize(alpha, device)
    except NotPositiveDefiniteError:
        return np.inf
    solved, _ = factor.solve(with_ones(Y))
    return mean_squared_error(Y, solved, factor.inverse_diagonal, has_prior)


def mean_squared_error(Y, solved, inverse_diagonal, has_prior):
    """Return that of leave-one-out predictions, from what `leave_one_out` takes."""
    priors = means_of_others(Y) if has_prior else 0.0
    loo = leave_one_out(Y, solved, inverse_diagonal, priors)
    return float(np.mean((loo - Y) ** 2))


def downhill(error, start, n):
    """Return the first of n places, from a start on, whose neighbours are no better.

    Of equal ones, the last is better: where there is no factor, alpha is to be raised.
    """
    error, here, best = cache(error), None, start
    while best != here:
        here = best
        near = range(max(here - 1, 0), min(here + 2, n))
        best = min(near, key=lambda i: (error(i), -i))
    return here
