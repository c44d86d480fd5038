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


def is_narrow(kernel):
    """Whether half of the training rows resemble none but themselves.

    Parameters
    ----------
    kernel : TrainingKernel
        Explicit features, which rows share, are not looked at.

    Returns
    -------
    bool
    """
    n = len(kernel)
    if kernel.is_explicit or n < FEWEST:
        return False
    some = np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int)
    own = np.abs(kernel.diagonal()[some])
    total = np.array([np.abs(kernel.values[row]).sum() for row in some])
    is_seen = own > 0  # a row that is nothing even to itself says nothing
    # What other rows are to one, beside itself.
    others = total[is_seen] / own[is_seen] - 1
    return len(others) > 0 and np.median(others) < LEAST


def warn_of_narrow(kernel, given):
    """Warn of a kernel by which rows resemble none but themselves.

    Parameters
    ----------
    kernel : TrainingKernel
        That of the training rows.
    given : str, callable or kernel object
        The parameter ``kernel``.

    Warns
    -----
    UserWarning
        If so of half of ten rows or more.
    """
    if not is_narrow(kernel):
        return
    last = last_step(given)
    name = last.kernel if isinstance(last, PairwiseKernel) else last
    shown = getattr(last, "__name__", type(last).__name__)  # of functions, their own
    if isinstance(given, str):
        shown = f"kernel={given!r}"
    if is_precomputed(given):
        advice = (
            "Compute the values by a wider kernel, such as rbf of a smaller gamma, or "
            "of columns scaled by StandardScaler"
        )
    elif name in ("rbf", "laplacian", "chi2"):
        advice = (
            "Columns have very different scales, or gamma is too large: pass "
            "kernel='auto', which chooses scaling and width, put a StandardScaler in "
            f"front, as kernel={SCALED} with skshap.PairwiseKernel, or lower gamma in "
            "kernel_params"
        )
    else:
        advice = (
            "Check what it makes of these rows, or pass a kernel by which they have "
            "more in common"
        )
    # The same text for each fold: filters can then merge them.
    warn_caller(
        f"rows resemble only themselves by {shown}: of half of them, all others "
        f"together are less than {LEAST:.1%} of what each is to itself, so that "
        f"predictions stay near zero and most values say little. {advice}."
    )
