"""What a kernel tells of rows one by one: explicit features, and the diagonal.

All of it works on a pipeline that ends in a kernel as well, whose steps get rows of
their own.
"""

import numpy as np
from sklearn.pipeline import Pipeline

from skshap.utils._kernel_values import check_rows_kept
from skshap.utils._rows import number_of_rows

__all__ = [
    "diagonal",
    "explicit_features",
    "has_features",
    "last_step",
    "lost_diagonal",
    "unshared",
]


def last_step(kernel):
    """Return the kernel that a pipeline ends in, or a kernel itself."""
    return last_step(kernel.steps[-1][1]) if isinstance(kernel, Pipeline) else kernel


def unshared(kernel, X):
    """Return rows that a kernel may change: a copy, for the steps of a pipeline.

    Those with ``copy=False`` write into the rows that they are given, which are read
    again, by the same steps once more or by other kernels.
    """
    copy = getattr(X, "copy", None) or getattr(X, "clone", None)  # that of polars
    return copy() if isinstance(kernel, Pipeline) and copy else X


def has_features(kernel):
    """Whether a kernel, fitted or not, may have explicit features."""
    last = last_step(kernel)
    if isinstance(last, str):
        return last == "linear"
    return hasattr(last, "transform_features")


def explicit_features(kernel, X, n_columns=None):
    """Return the explicit features of rows by a fitted kernel that has them.

    Parameters
    ----------
    kernel : kernel object or Pipeline
        Fitted.
    X : list, dataframe, or {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    n_columns : int or None, default=None
        How many features there must be; None for any number.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
        float64.

    Raises
    ------
    ValueError
        If what the kernel returns is no such array of finite numbers. The message names
        the kernel.
    """
    n = number_of_rows(X)
    kernel, X = _reach_kernel(kernel, X)
    check_rows_kept((number_of_rows(X),), n)
    features = kernel.transform_features(X)
    name = f"transform_features of kernel {type(kernel).__name__}"
    wanted = f"({n}, {'n_components' if n_columns is None else n_columns})"
    if hasattr(features, "nnz"):
        raise ValueError(
            f"{name} must return a dense array of shape {wanted}, got "
            f"{type(features).__name__}; return its toarray()."
        )
    try:
        features = np.asarray(features)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must return an array: {error}") from error
    shape = features.shape
    if len(shape) != 2 or shape[0] != n or n_columns not in (None, shape[1]):
        raise ValueError(
            f"{name} must return an array of shape {wanted}, one row for each row of "
            f"X and the same columns every time, got {shape}."
        )
    if features.dtype.kind not in "biuf":
        raise ValueError(f"{name} must return real numbers, got {features.dtype}.")
    is_finite = np.isfinite(features).all(1)
    if not is_finite.all():
        raise ValueError(
            f"{name} returned NaN or infinity for {n - is_finite.sum()} of {n} rows, "
            f"the first of them row {is_finite.argmin()}; check the kernel and the "
            "range of its rows."
        )
    return np.ascontiguousarray(features, dtype=np.float64)


def lost_diagonal(kernel):
    """Return what the features of a fitted kernel lack of its mean diagonal."""
    return getattr(last_step(kernel), "lost_diagonal_", 0.0)


def diagonal(kernel, X):
    """Return the value of each row with itself by a fitted kernel."""
    kernel, X = _reach_kernel(kernel, X)
    return kernel.diag(X)


def _reach_kernel(kernel, X):
    """Take rows through the fitted steps of a pipeline, up to the kernel at its end."""
    X = unshared(kernel, X)
    while isinstance(kernel, Pipeline):
        for _, step in kernel.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        kernel = kernel.steps[-1][1]
    return kernel, X
