"""Training rows that are given again, as the rows to predict."""

import joblib

from skshap.kernels._base import check_kernel_rows
from skshap.utils._warn import warn_caller

__all__ = ["digest_rows", "warn_of_own_rows"]


def digest_rows(rows):
    """Hash rows, as `check_kernel_rows` returns them.

    Parameters
    ----------
    rows : list, dataframe, or {ndarray, sparse matrix}

    Returns
    -------
    str
    """
    return joblib.hash(rows, coerce_mmap=True)


def warn_of_own_rows(attributor, X, y):
    """Warn of values that are judged on the rows that they are values of.

    Only all rows in their order tell: of a table with few different rows, most of those
    held out are found among the training rows.

    Parameters
    ----------
    attributor : BaseFreeShap
        Fitted.
    X : rows
        To predict, as the user passed them.
    y : ndarray of shape (n_samples,)
        Their labels or targets, encoded.

    Warns
    -----
    UserWarning
        If the rows are those of `fit`, and so are most labels.
    """
    if len(y) != len(attributor._y) or not (y == attributor._y).mean() > 0.5:
        return  # before rows are looked at
    rows = check_kernel_rows(attributor, X, reset=False)
    if digest_rows(rows) == attributor._rows_digest:
        warn_caller(
            "X and y are those of fit, so that values say how rows help to predict "
            "themselves, wrong labels included. Pass rows held out, as of "
            "train_test_split. Without any, LabelNoiseDetector and DataRemoval judge "
            "labels and rows of classifications by other folds."
        )
