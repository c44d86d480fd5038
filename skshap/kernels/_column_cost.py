"""Predicting the cost of a kernel on some columns of a table."""

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skshap.kernels._base import make_kernel
from skshap.utils._rows import number_of_rows
from skshap.utils._sklearn import safe_indexing
from skshap.utils._timing import timed

__all__ = ["predict_column_cost"]

N_TIMED = 256  # rows on which a kernel of vectors is timed


def predict_column_cost(kernel, X):
    """Predict what the matrix of a kernel takes that reads some columns.

    Parameters
    ----------
    kernel : str, callable or kernel object
        Or a pipeline, whose other steps are fitted.
    X : dataframe, series or ndarray
        The columns.

    Returns
    -------
    Bunch
        `seconds` of wall time, `memory` and `disk` in bytes.
    """
    kernel = make_kernel(kernel)
    while isinstance(kernel, Pipeline):
        X = kernel[:-1].fit_transform(X) if len(kernel) > 1 else X
        kernel = kernel[-1]
    if hasattr(kernel, "estimate_cost"):
        return kernel.estimate_cost(X)
    n = number_of_rows(X)
    some = safe_indexing(X, np.arange(min(n, N_TIMED)))
    seconds, _ = timed(lambda: clone(kernel).fit_transform(some))
    seconds *= (n / min(n, N_TIMED)) ** 2
    return Bunch(seconds=seconds, memory=3 * 8 * n**2, disk=0)
