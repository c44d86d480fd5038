"""The algebra of ridge regression: one factor, and what it says of left-out rows."""

import numpy as np
import torch

from skshap.exceptions import NotPositiveDefiniteError

__all__ = [
    "BLOCK",
    "TIE",
    "blocks",
    "check_pivots",
    "factorize",
    "invert_factor",
    "invert_ridge",
    "leave_one_out",
    "means_of_others",
    "multiply",
    "take_columns",
    "tie_of",
    "with_ones",
]

BLOCK = 512  # rows worked on at a time, so that an interrupt is seen soon
# Decision values of size one this close are equal but for rounding; of rows of many
# sizes this is a share of a usual one, but no less than the largest are rounded by, nor
# than what rounding of their terms grows to: where alpha is small, those of copies of a
# row with different labels are large and cancel.
TIE, ROUNDING, GROWTH = 1e-9, 1e-13, 1000
# Smallest pivot of a Cholesky factor that is trusted, as a share of the diagonal entry
# it is left of: rounding of the entry is then about a 1e-6 of the pivot at most.
SMALLEST_PIVOT = 1e-9


def leave_one_out(Y, solved, inverse_diagonal, prior):
    """Compute exact leave-one-out predictions.

    Parameters
    ----------
    Y : ndarray of shape (n, n_targets)
        Indicators of classes, or targets of a regression.
    solved : ndarray of shape (n, n_targets + 1)
        ``(K + alpha I)^-1 [Y, 1]``.
    inverse_diagonal : ndarray of shape (n, 1)
        Diagonal of ``(K + alpha I)^-1``.
    prior : float or ndarray of shape (n, n_targets) or (n_targets,)
        What is subtracted from the targets and added back when each row is predicted.

    Returns
    -------
    ndarray of shape (n, n_targets)
        What the ridge trained on the other rows predicts for each row.
    """
    loo = Y - solved[:, :-1] / inverse_diagonal
    return loo + prior * solved[:, -1:] / inverse_diagonal


def tie_of(diagonal, alpha, terms):
    """Return how close decision values are that are equal but for rounding.

    Predictions from no prior are about as small as the kernel is beside alpha.

    Parameters
    ----------
    diagonal : ndarray of shape (n,)
        Of the kernel of the training rows.
    alpha : float
        Strength of the ridge.
    terms : float
        Root of the sum of squares of what a prediction sums, at most.

    Returns
    -------
    float
    """
    sizes = diagonal[diagonal > 0]
    if not len(sizes):
        return TIE
    rounding = ROUNDING / (1 + alpha / float(sizes.max()))
    rounding = max(rounding, GROWTH * np.finfo(float).eps * terms)
    return max(TIE / (1 + alpha / float(np.median(sizes))), rounding)


def with_ones(Y):
    """Return targets beside a column of ones, which tells what a prior takes off."""
    return np.hstack([Y, np.ones((len(Y), 1))])


def means_of_others(Y):
    """Return the mean of the targets of all other rows, for each, shape of `Y`."""
    return (Y.sum(0) - Y) / (len(Y) - 1)


def invert_factor(K, alpha):
    """Return the inverse of the Cholesky factor of ``K + alpha I``.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Symmetric.
    alpha : float
        Added to the diagonal.

    Returns
    -------
    Tensor of shape (n, n)
        Lower triangular.

    Raises
    ------
    NotPositiveDefiniteError
        If the matrix is not positive definite to working precision.
    """
    n = len(K)
    L = K.clone()  # its lower triangle becomes the factor, then the factor's inverse
    L.diagonal().add_(alpha)
    diagonal = L.diagonal().clone()
    spans = blocks(0, n, BLOCK)
    for i, j in spans:
        L[i:, i:j].addmm_(L[i:, :i], L[i:j, :i].T, alpha=-1)
        options = {"diagonal": diagonal[i:j], "largest": diagonal.max()}
        corner = factorize(L[i:j, i:j], alpha=alpha, **options)
        L[i:j, i:j] = corner
        solved = torch.linalg.solve_triangular(corner, L[j:, i:j].T, upper=False)
        L[j:, i:j] = solved.T
    L.tril_()
    for i, j in spans:
        identity = torch.eye(j - i, dtype=L.dtype, device=L.device)
        corner = torch.linalg.solve_triangular(L[i:j, i:j], identity, upper=False)
        left = corner @ L[i:j, :i]
        for start, stop in blocks(0, i, BLOCK):
            torch.mm(left[:, start:], L[start:i, start:stop], out=L[i:j, start:stop])
        L[i:j, :i].neg_()
        L[i:j, i:j] = corner
    return L


def invert_ridge(K, alpha):
    """Return ``(K + alpha I)^-1``.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Symmetric.
    alpha : float
        Added to the diagonal.

    Returns
    -------
    Tensor of shape (n, n)

    Notes
    -----
    About ``n^3`` floating-point multiplications, and as many additions.
    """
    L = invert_factor(K, alpha)
    out = torch.empty_like(K)
    for i, j in blocks(0, len(K), BLOCK):
        block = L[i:, i:j].T @ L[i:, :j]
        out[i:j, :j] = block
        out[:j, i:j] = block.T
    return out


def multiply(A, B):
    """Return the product of two matrices, computed by blocks of rows.

    Parameters
    ----------
    A : Tensor of shape (n, k)
    B : Tensor of shape (k, m)

    Returns
    -------
    Tensor of shape (n, m)
    """
    out = A.new_empty(len(A), B.shape[1])
    for i, j in blocks(0, len(A), BLOCK):
        torch.mm(A[i:j], B, out=out[i:j])
    return out


def blocks(start, stop, size):
    """Cut a range into blocks."""
    return [(i, min(i + size, stop)) for i in range(start, stop, size)]


def take_columns(A, index):
    """Copy columns of a matrix; on a CPU several times quicker than `index_select`.

    Parameters
    ----------
    A : Tensor of shape (n, k)
    index : Tensor of shape (c,)

    Returns
    -------
    Tensor of shape (n, c)
    """
    return A.gather(1, index.expand(len(A), -1))


def factorize(A, *, alpha, diagonal=None, largest=None):
    """Return the Cholesky factor of a matrix, or of several; see `check_pivots`.

    Parameters
    ----------
    A : Tensor of shape (..., n, n)
    alpha, diagonal, largest
        See `check_pivots`; None is the diagonal of `A`.

    Returns
    -------
    Tensor of shape (..., n, n)
    """
    L, info = torch.linalg.cholesky_ex(A)
    pivots, own = (M.diagonal(dim1=-2, dim2=-1) for M in (L, A))
    diagonal = own if diagonal is None else diagonal
    options = {"alpha": alpha, "info": info.max(), "largest": largest}
    check_pivots(pivots.square(), diagonal=diagonal, **options)
    return L


def check_pivots(pivots, *, diagonal, alpha, info=0, largest=None):
    """Raise if a Cholesky factor failed, or succeeded by rounding alone.

    Parameters
    ----------
    pivots : Tensor of shape (..., n)
        Squares of the factor's diagonal, or what bounds them from below.
    info : int or Tensor
        What the factorization returned: zero, or the first row that failed.
    diagonal : Tensor of shape (..., n)
        The diagonal of the matrix that was factorized, `alpha` included.
    alpha : float
        What was added to the kernel.
    largest : float or None, default=None
        Entry on the whole diagonal, if `diagonal` is a part of it.

    Raises
    ------
    NotPositiveDefiniteError
        If a pivot is not well above the rounding error of its diagonal entry.
    """
    if int(info) == 0 and bool((pivots > SMALLEST_PIVOT * diagonal).all()):
        return
    if not bool(torch.isfinite(diagonal).all()):
        raise ValueError(
            "kernel must be finite, but products of rows overflow; scale X down."
        )
    largest = float(diagonal.max() if largest is None else largest) - alpha
    start = max(1e-8 * largest, 10 * alpha) or 1.0
    raise NotPositiveDefiniteError(
        f"the kernel matrix plus alpha={alpha:.3g} on its diagonal is not positive "
        f"definite to working precision (largest diagonal entry {largest:.3g}): rows "
        "are duplicated or nearly so, or the kernel is not positive semi-definite. "
        f"Raise alpha; {start:.1g} would be a start."
    )
