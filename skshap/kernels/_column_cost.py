"""Predicting the cost of kernels on columns of a table."""

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skshap.kernels._base import make_kernel
from skshap.kernels._column_errors import noted
from skshap.kernels._features import unshared
from skshap.kernels._kernels_on_columns import read_columns
from skshap.utils._rows import number_of_rows
from skshap.utils._sklearn import safe_indexing
from skshap.utils._timing import timed

__all__ = ["predict_column_costs"]

N_TIMED = 256  # rows on which a kernel of vectors is timed


def predict_column_costs(kernels, X):
    """Predict what the sum of the matrices of kernels takes.

    Parameters
    ----------
    kernels : list of tuple
        Tuples (name, kernel, columns).
    X : dataframe or ndarray
        The table.

    Returns
    -------
    Bunch
        `seconds` of wall time, `memory` and `disk` in bytes.
    """
    costs = []
    for name, kernel, columns in kernels:
        columns, part = read_columns(X, name, columns)
        with noted(name, columns, part):
            costs.append(_predict_cost(kernel, part))
    matrix = 8 * X.shape[0] ** 2
    return Bunch(
        seconds=sum(cost.seconds for cost in costs),
        # All matrices are held until they are added up.
        memory=matrix * len(costs) + max(cost.memory for cost in costs),
        disk=sum(cost.disk for cost in costs),
    )


def _predict_cost(kernel, X):
    """Predict what the matrix of a kernel, or a pipeline, takes of its columns."""
    kernel = make_kernel(kernel)
    X = unshared(kernel, X)
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
