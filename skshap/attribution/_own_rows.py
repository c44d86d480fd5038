"""Training rows that are given again, as the rows to predict."""

import numpy as np
from sklearn.utils import gen_batches

from skshap.utils._warn import warn_caller

__all__ = ["warn_of_own_rows"]

SLACK = 1e-6  # of the largest value, by rounding
APART = 10  # slacks that rows differ by, at least, where they are told apart
COMPARED = 256  # rows at a time


def warn_of_own_rows(rows, cross, y, y_fit, names=("X", "y")):
    """Warn of training rows that are judged by themselves.

    Only all rows in their order tell: of a table with few different rows, most of those
    held out are found among the training rows.

    Parameters
    ----------
    rows : ndarray of shape (n, n) or (n, d)
        Kernel of the training rows, or their features.
    cross : ndarray of shape (m, n) or (m, d)
        The same of the rows to predict.
    y : ndarray of shape (m,)
        Labels or targets of the rows to predict, encoded.
    y_fit : ndarray of shape (n,)
        Those of the training rows.
    names : tuple of (str, str), default=("X", "y")
        Of the rows to predict and their labels, in messages.

    Warns
    -----
    UserWarning
        If the rows are those of `fit` in the same order, as far as the kernel tells
        rows apart, and so are most labels.
    """
    if len(y) != len(y_fit) or not (y == y_fit).mean() > 0.5:
        return
    slack = SLACK * np.abs(rows[0]).max()
    is_own = all(  # which the first rows deny, if they are others
        np.abs(rows[some] - cross[some]).max() <= slack
        for some in gen_batches(len(y), COMPARED)
    )
    if is_own and np.ptp(rows, axis=0).max() > APART * slack:
        X, y_name = names
        same = f"{X} and {y_name} are those of fit"
        if not (y == y_fit).all():
            share = int(100 * (y == y_fit).mean())
            same = f"{X} is that of fit, as are {share} % of {y_name}"
        warn_caller(
            f"{same}, so that rows are judged by themselves, wrong labels included. "
            "Pass rows held out, as of train_test_split. Without any, "
            "LabelNoiseDetector and DataRemoval judge labels and rows of "
            "classifications by other folds."
        )
