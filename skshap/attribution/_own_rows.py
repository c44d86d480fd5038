"""Training rows that are given again, as the rows to predict."""

import numpy as np
from sklearn.utils import gen_batches

from skshap.utils._warn import warn_caller

__all__ = ["warn_of_own_rows"]

SLACK = 1e-6  # of the largest value, by rounding
APART = 10  # slacks that rows differ by, at least, where they are told apart
COMPARED = 256  # rows at a time


def warn_of_own_rows(data, y, y_fit):
    """Warn of values that are judged on the rows that they are values of.

    Only all rows in their order tell: of a table with few different rows, most of those
    held out are found among the training rows.

    Parameters
    ----------
    data : Data
        Of the training rows and of those to predict.
    y : ndarray of shape (m,)
        Labels or targets of the rows to predict, encoded.
    y_fit : ndarray of shape (n,)
        Those of the training rows.

    Warns
    -----
    UserWarning
        If the rows are those of `fit` in the same order, as far as the kernel tells
        rows apart, and so are most labels.
    """
    if len(y) != len(y_fit) or not (y == y_fit).mean() > 0.5:
        return
    slack = SLACK * np.abs(data.rows[0]).max()
    is_own = all(  # which the first rows deny, if they are others
        np.abs(data.rows[some] - data.cross[some]).max() <= slack
        for some in gen_batches(len(y), COMPARED)
    )
    if is_own and np.ptp(data.rows, axis=0).max() > APART * slack:
        same = "X and y are those of fit"
        if not (y == y_fit).all():
            same = f"X is that of fit, as are {int(100 * (y == y_fit).mean())} % of y"
        warn_caller(
            f"{same}, so that values say how rows help to predict themselves, wrong "
            "labels included. Pass rows held out, as of train_test_split. Without any, "
            "LabelNoiseDetector and DataRemoval judge labels and rows of "
            "classifications by other folds."
        )
