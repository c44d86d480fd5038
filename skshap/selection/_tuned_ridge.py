"""Kernel ridge regression with the alpha of least leave-one-out error."""

import numpy as np

from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernel_ridge import KernelRidgeClassifierCV
from skshap.selection._some_rows import MOST_ROWS, some_rows
from skshap.utils._ridge import leave_one_out

__all__ = ["alpha_scale", "tune_kernel", "tune_ridge"]

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # by a scale of 1
ALIKE = 0.1  # share of the mean diagonal that is left if rows are centred, if little


class TunedRidge(KernelRidgeClassifierCV):
    """A ridge on a kernel that is tried, or that the attributor has warned of."""

    _warns_of_narrow = False


def tune_kernel(kernel, y, device=None, start=None):
    """Return the alpha of least leave-one-out error.

    Of a large matrix, whose eigenvectors take as long as some fifteen of its factors,
    errors are followed downhill, from the alpha that is best for some of the rows.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n rows.
    y : ndarray of shape (n,)
        Labels.
    device : str, torch.device or None, default=None
        Where to compute.
    start : float or None, default=None
        Alpha that is best for some of the rows, if known.

    Returns
    -------
    float
    """
    values = kernel.values
    common = np.square(values.mean(0)).sum() if kernel.is_explicit else values.mean()
    scale = alpha_scale(kernel.diagonal().mean(), float(common), len(kernel))
    alphas = scaled_alphas(scale)
    is_large = not kernel.is_explicit and len(kernel) > MOST_ROWS
    if not is_large:
        return best_alpha(kernel, y, alphas, device)
    classes, y_index = np.unique(y, return_inverse=True)
    if start is None:
        # Along what a row has in common with all, in whatever order they come.
        some = some_rows(kernel.values.sum(1), y_index)
        start = best_alpha(kernel.part(some), y[some], alphas, device)
    Y = np.eye(len(classes))[y_index]

    def error(i):
        return leave_one_out_error(kernel, Y, alphas[i], device)

    near = int(np.abs(np.log(alphas / start)).argmin())
    return float(alphas[downhill(error, near, len(alphas))])


def alpha_scale(diagonal, common, n):
    """Return what candidates for alpha are multiplied by, for a kernel.

    Parameters
    ----------
    diagonal : float
        Its mean diagonal.
    common : float
        Its mean, which all rows have in common, as by a column far from zero.
    n : int
        Rows.

    Returns
    -------
    float
        The mean diagonal, or, where little of it is left if rows are centred, that.
    """
    left = diagonal - common
    rounding = 1000 * n * np.finfo(float).eps * diagonal
    return left if rounding < left < ALIKE * diagonal else diagonal


def scaled_alphas(scale):
    """Return candidates for a kernel of some scale.

    Of rows of zeros, where it is zero, no alpha is better.
    """
    alphas = (scale if scale > np.finfo(float).tiny else 1.0) * np.array(ALPHAS)
    if not np.isfinite(alphas).all():
        raise ValueError(
            "kernel must be finite, but products of rows overflow; scale X down."
        )
    return alphas


def best_alpha(kernel, y, alphas, device):
    """Return the best of some alphas by the eigenvectors of a kernel."""
    ridge = TunedRidge(
        alphas + kernel.lost,
        kernel="linear" if kernel.is_explicit else "precomputed",
        class_prior=True,
        device=device,
    )
    return ridge.fit(kernel.values, y).alpha_ - kernel.lost


def leave_one_out_error(kernel, Y, alpha, device):
    """Return the mean squared error of indicators, infinite where there is no factor.

    Each row is predicted by the ridge on the others, with their class frequencies.
    """
    try:
        factor = kernel.factorize(alpha, device)
    except NotPositiveDefiniteError:
        return np.inf
    solved, _ = factor.solve(np.hstack([Y, np.ones((len(Y), 1))]))
    priors = (Y.sum(0) - Y) / (len(Y) - 1)
    loo = leave_one_out(Y, solved, factor.inverse_diagonal, priors)
    return float(np.mean((loo - Y) ** 2))


def downhill(error, start, n):
    """Return the first of n places, from a start on, whose neighbours are no better.

    Of equal ones, the last is better: where there is no factor, alpha is to be raised.
    """
    errors, here = {}, None
    best = start
    while best != here:
        here = best
        near = range(max(here - 1, 0), min(here + 2, n))
        for i in near:
            if i not in errors:
                errors[i] = error(i)
        best = min(near, key=lambda i: (errors[i], -i))
    return here


def tune_ridge(rows, y, scale, **params):
    """Fit a ridge on targets without class frequencies, with the best of some alphas.

    Parameters
    ----------
    rows : ndarray or sparse matrix of shape (n, d)
        Rows.
    y : ndarray of shape (n,)
        Labels.
    scale : float
        From `alpha_scale`.
    **params
        Of the ridge.

    Returns
    -------
    TunedRidge
        Fitted.
    """
    ridge = TunedRidge(scaled_alphas(scale), class_prior=True, **params)
    return ridge.fit(rows, y)
