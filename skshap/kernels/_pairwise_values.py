"""Values of a kernel of vectors, as scikit-learn has them, with all their digits."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import pairwise_kernels

from skshap.kernels._callables import check_callable

__all__ = ["centre_of", "kernel_values"]

# Kernels whose code in Cython asks for arrays that can be written, and for indices of
# 32 bits.
WRITABLE = "chi2", "additive_chi2"
SMALL_INDICES = ("laplacian",)
CENTRED = ("rbf",)  # kernels of differences that are had from inner products
RBF_PARAMS = {"gamma", "n_jobs", "filter_params"}  # of which one changes values
ROUNDING = 1e-8  # of exponents of theirs, above which differences are taken instead


def kernel_values(kernel, params, centre, X, other):
    """Return the kernel between rows, given what `centre_of` found in `fit`."""
    if callable(kernel):
        check_callable(kernel, params, X[0], other[0])
    if kernel in WRITABLE and not (issparse(X) or issparse(other)):
        X, other = (np.require(rows, requirements="W") for rows in (X, other))
    if centre is not None:
        new = (X.toarray() if issparse(X) else X) - centre
        X, other = new, new if other is X else other - centre
        gamma = params.get("gamma")
        gamma = 1 / X.shape[1] if gamma is None else gamma
        gamma = np.ravel(gamma)[0] if np.size(gamma) == 1 else gamma
        is_valid = params.get("filter_params") or params.keys() <= RBF_PARAMS
        is_valid = is_valid and isinstance(gamma, Real)
        if is_valid and loses_digits(X, other, gamma):
            return np.exp(-gamma * cdist(X, other, "sqeuclidean"))
    if kernel in SMALL_INDICES:
        X, other = (with_small_indices(rows) for rows in (X, other))
    try:
        return pairwise_kernels(X, other, metric=kernel, **params)
    except TypeError as error:
        if not params:
            raise
        raise ValueError(
            f"kernel_params={params!r} do not fit kernel={kernel!r}: {error}."
        ) from error


def centre_of(kernel, rows):
    """Return a row that is in the middle of each column; None of sparse rows.

    Distances from inner products, as scikit-learn computes them, lose the digits that
    rows far from zero have in common. Kernels without them have no centre either.
    """
    if kernel not in CENTRED or issparse(rows):
        return None
    middle = len(rows) // 2
    return np.partition(rows, middle, axis=0)[middle]  # unlike a mean, by no outlier


def loses_digits(X, other, gamma):
    """Whether some squared distances have too few digits if had from inner products.

    So it is with rows of both that are far from the middle, as of two clusters or with
    codes of what is missing: differences of each two are taken then, at several times
    the work. Far rows and near ones are so far apart that no digit counts.
    """
    largest = min(np.square(rows).sum(1).max() for rows in (X, other))
    return np.finfo(np.float64).eps * gamma * largest > ROUNDING


def with_small_indices(rows):
    """Return rows whose indices, if they are sparse and all fit, have 32 bits."""
    if not issparse(rows) or max(rows.nnz, *rows.shape) > np.iinfo(np.int32).max:
        return rows
    indices, starts = (part.astype(np.int32) for part in (rows.indices, rows.indptr))
    return type(rows)((rows.data, indices, starts), shape=rows.shape)
