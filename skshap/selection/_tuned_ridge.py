"""Kernel ridge regression with the alpha of least leave-one-out error."""

import numpy as np

from skshap.kernel_ridge import KernelRidgeClassifierCV

__all__ = ["tune_kernel", "tune_ridge"]

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # by a mean diagonal of 1


def tune_kernel(kernel, y, device=None):
    """Return the alpha of least leave-one-out error.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n rows.
    y : ndarray of shape (n,)
        Labels.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    float
    """
    ridge = tune_ridge(
        kernel.values,
        y,
        kernel.diagonal().mean(),
        lost=kernel.lost,
        kernel="linear" if kernel.is_explicit else "precomputed",
        device=device,
    )
    return ridge.alpha_ - kernel.lost


def tune_ridge(rows, y, scale, *, lost=0.0, **params):
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
    lost : float, default=0.0
        Added to alphas: what features lack of the kernel's diagonal.
    **params
        Of the ridge.

    Returns
    -------
    KernelRidgeClassifierCV
        Fitted.
    """
    scale = scale if scale > np.finfo(float).tiny else 1.0
    alphas = scale * np.array(ALPHAS) + lost
    return KernelRidgeClassifierCV(alphas, class_prior=True, **params).fit(rows, y)
