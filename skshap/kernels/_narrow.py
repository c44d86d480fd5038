"""Kernels so narrow that a row resembles none but itself."""

import numpy as np

from skshap.kernels._base import is_precomputed
from skshap.kernels._features import last_step
from skshap.kernels._pairwise import PairwiseKernel
from skshap.utils._warn import warn_caller

__all__ = ["is_narrow", "warn_of_narrow"]

FEWEST = 10  # rows
MOST_ROWS = 500  # that are looked at
# What all other rows together are to a row, beside what it is to itself: of less, no
# ridge predicts more than as much of a label, whatever its alpha. Of three times as
# much, as of digits, labels are predicted well, by margins near zero.
LEAST = 0.005
SCALED = "make_pipeline(StandardScaler(), PairwiseKernel())"


def is_narrow(K):
    """Whether half of the training rows resemble none but themselves.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Their kernel matrix.

    Returns
    -------
    bool
    """
    n = len(K)
    if n < FEWEST or K.shape != (n, n):  # which others refuse
        return False
    some = np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int)
    own = np.abs(K[some, some])
    total = np.array([np.abs(K[row]).sum() for row in some])
    is_seen = own > 0  # a row that is nothing even to itself says nothing
    # What other rows are to one, beside itself.
    others = total[is_seen] / own[is_seen] - 1
    return len(others) > 0 and np.median(others) < LEAST


def warn_of_narrow(K, given, name=None):
    """Warn of a kernel by which rows resemble none but themselves.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Kernel matrix of the training rows.
    given : str, callable or kernel object
        The parameter ``kernel``.
    name : str or None, default=None
        Of the kernel, where it is one of several that are added up.

    Warns
    -----
    UserWarning
        If so of half of ten rows or more.
    """
    if not is_narrow(K):
        return
    last = last_step(given)
    kind = last.kernel if isinstance(last, PairwiseKernel) else last
    shown = getattr(last, "__name__", type(last).__name__)  # of functions, their own
    if isinstance(given, str):
        shown = f"kernel={given!r}"
    so = "predictions stay near zero and most values say little"
    choosing = "pass kernel='auto', which chooses scaling and width, "
    if name is not None:
        shown = f"kernel {name!r}, one of those that are added up"
        so, choosing = "it says next to nothing", ""
    if is_precomputed(given):
        advice = (
            "Compute the values by a wider kernel, such as rbf of a smaller gamma, or "
            "of columns scaled by StandardScaler"
        )
    elif kind in ("rbf", "laplacian", "chi2"):
        advice = (
            f"Columns have very different scales, or gamma is too large: {choosing}"
            f"put a StandardScaler in front, as kernel={SCALED} with "
            "skshap.PairwiseKernel, or lower gamma in kernel_params"
        )
    else:
        advice = (
            "Check what it makes of these rows, or pass a kernel by which they have "
            "more in common"
        )
    # The same text for each fold: filters can then merge them.
    warn_caller(
        f"rows resemble only themselves by {shown}: of half of them, all others "
        f"together are less than {LEAST:.1%} of what each is to itself, so that {so}. "
        f"{advice}."
    )
