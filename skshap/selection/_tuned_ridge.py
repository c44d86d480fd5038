"""Kernel ridge regression with the alpha of least leave-one-out error."""

import numpy as np

from skshap.kernel_ridge import KernelRidgeClassifierCV

__all__ = ["tune_ridge"]

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # by a mean diagonal of 1


def tune_ridge(rows, y, scale, **params):
    """Fit a ridge on targets without class frequencies, with the best of some alphas.

    Parameters
    ----------
    rows : ndarray or sparse matrix of shape (n, d), or (n, n)
        Rows, or their kernel.
    y : ndarray of shape (n,)
        Labels.
    scale : float
        Mean diagonal of the kernel, by which alphas are multiplied. Of rows of zeros,
        where it is zero, no alpha is better.
    **params
        Of the ridge.

    Returns
    -------
    KernelRidgeClassifierCV
        Fitted.
    """
    scale = scale if scale > np.finfo(float).tiny else 1.0
    alphas = scale * np.array(ALPHAS)
    return KernelRidgeClassifierCV(alphas, class_prior=True, **params).fit(rows, y)
