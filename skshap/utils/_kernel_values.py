"""Checks of kernel matrices, given or computed."""

import numpy as np

__all__ = ["check_gram", "check_kernel_values"]


def check_gram(K):
    """Check a kernel matrix between training rows: square, finite and symmetric.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples)
        Kernel values.

    Returns
    -------
    ndarray of shape (n_samples, n_samples)
        The same array, float64.

    Raises
    ------
    ValueError
        If it is not square, holds NaN or infinity, or is not symmetric.
    """
    if np.ndim(K) != 2 or K.shape[0] != K.shape[1]:
        raise ValueError(
            "Precomputed metric requires shape (n_samples, n_samples): the training "
            f"kernel must be a square matrix, got an array of shape {np.shape(K)}; "
            "pass kernel values of every training row with every training row."
        )
    K = check_kernel_values(K)
    scale = np.abs(K).max()
    skew = np.abs(K - K.T).max()
    if skew > 1e-8 * scale:
        raise ValueError(
            "the training kernel must be symmetric, but K - K.T has entries of up to "
            f"{skew:.2g} (largest entry of K: {scale:.2g}); use (K + K.T) / 2 if this "
            "is rounding."
        )
    return K


def check_kernel_values(K):
    """Raise if a kernel matrix holds NaN or infinity; return it as float64."""
    K = np.ascontiguousarray(K, dtype=np.float64)
    if not np.isfinite(K).all():
        row, column = np.argwhere(~np.isfinite(K))[0]
        raise ValueError(
            f"the kernel must be finite, but K[{row}, {column}] is {K[row, column]}; "
            "check the kernel's parameters and the rows it was computed from."
        )
    return K
