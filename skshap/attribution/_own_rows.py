"""Training rows that are given again, as the rows to predict."""

import numpy as np
from sklearn.utils import gen_batches

from skshap.utils._warn import warn_caller

__all__ = ["warn_of_own_rows"]

SLACK = 1e-6  # of the largest value, by rounding
APART = 10  # slacks that rows differ by, at least, where they are told apart
COMPARED = 256  # rows at a time
FEWEST = 40  # rows to predict, and to train on, of which a share tells,
FEWEST_ALL = 10  # or of which it tells that they are all among the others
MOST = 0.5  # of the rows to predict, beyond the share of training rows with twins


def warn_of_own_rows(rows, others, y, y_fit, names):
    """Warn of training rows that are judged by themselves.

    Of a table with few different rows, most of those held out are found among the
    training rows, but then so are the training rows among each other. Where most of
    these have twins, only all rows in their order tell.

    Parameters
    ----------
    rows : ndarray of shape (n, n) or (n, d)
        Kernel of the training rows, or their features.
    others : ndarray of shape (m, n) or (m, d)
        The same of the rows to predict.
    y : ndarray of shape (m,)
        Labels or targets of the rows to predict, encoded.
    y_fit : ndarray of shape (n,)
        Those of the training rows.
    names : tuple of (str, str)
        Of the rows to predict and their labels, in messages.

    Warns
    -----
    UserWarning
        If the rows are those of `fit` in the same order, as far as the kernel tells
        rows apart, and so are most labels; or if most of forty rows or more, or all of
        ten or more, are among those of `fit`, in whatever order, with their labels.
    """
    X, y_name = names
    slack = SLACK * np.abs(rows[0]).max()
    if _are_all(rows, others, y, y_fit, slack):
        same = f"{X} and {y_name} are those of fit"
        if not (y == y_fit).all():
            share = int(100 * (y == y_fit).mean())
            same = f"{X} is that of fit, as are {share} % of {y_name}"
    elif share := _share_of_own(rows, others, y, y_fit, slack):
        same = f"{int(100 * share)} % of {X} and {y_name} are rows of fit"
    else:
        return
    warn_caller(
        f"{same}, so that rows are judged by themselves, wrong labels included. "
        "Pass rows held out, as of train_test_split. Without any, "
        "LabelNoiseDetector and DataRemoval judge labels and rows of "
        "classifications by other folds."
    )


def _are_all(rows, others, y, y_fit, slack):
    """Whether the rows to predict are those of `fit`, in their order."""
    if len(y) != len(y_fit) or not (y == y_fit).mean() > 0.5:
        return False
    everyone = np.arange(len(y))
    parts = _compare(rows, everyone, others, everyone, slack)
    # The first rows deny it, if they are others.
    return all(map(np.all, parts)) and np.ptp(rows, axis=0).max() > APART * slack


def _share_of_own(rows, others, y, y_fit, slack):
    """Return the share of rows that are among those of `fit`, 0 if it tells nothing."""
    n, m = len(y_fit), len(y)
    if min(n, m) < FEWEST_ALL:
        return 0
    # Rows that are the same are next to each other along any direction.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    along = rows @ direction
    order = np.argsort(along)
    place = np.searchsorted(along[order], others @ direction)
    is_own = np.zeros(m, dtype=bool)
    for near in order[[np.maximum(place - 1, 0), np.minimum(place, n - 1)]]:
        is_same = np.concatenate([*_compare(rows, near, others, np.arange(m), slack)])
        is_own |= is_same & (y == y_fit[near])
    share = is_own.mean()
    if share <= MOST or (share < 1 and min(n, m) < FEWEST):
        return 0
    before, after = order[:-1], order[1:]
    is_same = np.concatenate([*_compare(rows, before, rows, after, slack)])
    is_same &= y_fit[before] == y_fit[after]
    n_twins = len(np.union1d(before[is_same], after[is_same]))
    return share if share > MOST + n_twins / n else 0


def _compare(A, of_A, B, of_B, slack):
    """Say whether rows of one array are those of another but for rounding, in parts."""
    for some in gen_batches(len(of_A), COMPARED):
        yield np.abs(A[of_A[some]] - B[of_B[some]]).max(axis=1) <= slack
