"""Checks of kernel matrices, given or computed."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from skshap.utils._warn import warn_caller

__all__ = ["check_gram", "check_kernel_values", "check_rows_kept", "warn_of_gram"]

SLACK = 1e-4  # of kernel values that were rounded, beyond what the diagonal allows


def check_gram(K, hint=""):
    """Check a kernel matrix between training rows: square, finite and symmetric.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples)
        Kernel values.
    hint : str, default=""
        Why it may be none, said where it is not symmetric.

    Returns
    -------
    ndarray of shape (n_samples, n_samples)
        The same array, float64.

    Raises
    ------
    ValueError
        If it is not square, holds NaN or infinity, or is not symmetric.
    """
    K = check_kernel_values(K)
    if K.ndim != 2 or K.shape[0] != K.shape[1]:
        raise ValueError(
            "Precomputed metric requires shape (n_samples, n_samples): the training "
            f"kernel must be a square matrix, got an array of shape {K.shape}; "
            "pass kernel values of every training row with every training row."
        )
    scale = np.abs(K).max()
    rows = gen_batches(len(K), 256)  # a few at a time, as their differences are a copy
    skew = max(np.abs(K[some] - K[:, some].T).max() for some in rows)
    if skew > 1e-8 * scale:
        raise ValueError(
            "the training kernel must be symmetric, but K - K.T has entries of up to "
            f"{skew:.2g} (largest entry of K: {scale:.2g}); use (K + K.T) / 2 if this "
            f"is rounding. {hint}".rstrip()
        )
    return K


def check_kernel_values(K, n_rows=None):
    """Raise if a kernel is sparse, or holds NaN or infinity; return it as float64.

    Nor may it have another number of rows than `n_rows`, if that is given.
    """
    if n_rows is not None:
        check_rows_kept(np.shape(K), n_rows)
    if issparse(K):
        raise ValueError(
            f"the kernel must be a dense matrix, got a sparse one of shape {K.shape}; "
            "pass K.toarray()."
        )
    K = np.ascontiguousarray(K, dtype=np.float64)
    if not np.isfinite(K).all():
        place = np.argwhere(~np.isfinite(K))[0].tolist()
        raise ValueError(
            f"the kernel must be finite, but K{place} is {K[tuple(place)]}; "
            "check the kernel's parameters and the rows it was computed from."
        )
    return K


def check_rows_kept(shape, n_rows):
    """Raise unless what a kernel, or a pipeline, made of rows has as many."""
    found = shape[0] if shape else "none"
    if found != n_rows:
        raise ValueError(
            f"kernel must keep rows apart, but of {n_rows} rows it gave values of "
            f"{found}: a step that drops rows, as those with "
            "gaps, goes in front of all that reads them, X and y alike; and one that "
            'reads texts takes a column, df["text"], not a frame, df[["text"]].'
        )


def warn_of_gram(rows, kernel):
    """Warn where training rows look like kernel values, but are not taken for them.

    Parameters
    ----------
    rows : object
        Training rows.
    kernel : object
        The kernel that is taken of them, as it was passed.

    Warns
    -----
    UserWarning
        If the rows are a symmetric matrix whose values are as far from zero as the
        diagonal allows, not all whole numbers, and not all the same beside the
        diagonal.
    """
    is_named = isinstance(kernel, str) and kernel != "precomputed"
    if is_named and isinstance(rows, np.ndarray) and _is_gram(rows):
        warn_caller(
            f"X looks like the kernel matrix of its {len(rows)} rows, but "
            f"kernel={kernel!r} takes it for {len(rows)} columns of numbers; set "
            "kernel='precomputed' if it holds kernel values, as after a kernel in a "
            "Pipeline."
        )


def _is_gram(X):
    """Whether a table is symmetric, bounded by its diagonal, and no table of codes."""
    is_square = X.ndim == 2 and X.shape[0] == X.shape[1] > 2
    if not is_square or not np.allclose(X[0], X[:, 0], rtol=1e-6):
        return False
    diagonal = X.diagonal()
    if (diagonal <= 0).any():
        return False
    norms, scale = np.sqrt(diagonal) * (1 + SLACK), np.abs(X).max()
    is_whole, least, most = True, np.inf, -np.inf
    for some in gen_batches(len(X), 256):  # a few rows at a time, as these are copies
        part = X[some].copy()
        if np.abs(part - X[:, some].T).max() > 1e-8 * scale:
            return False
        if (np.abs(part) > norms[some, None] * norms).any():
            return False
        is_whole &= bool((part == np.round(part)).all())
        rows = np.arange(len(part))
        part[rows, rows + some.start] = part[0, 1 if some.start == 0 else 0]
        least, most = min(least, part.min()), max(most, part.max())
    return not is_whole and least < most
