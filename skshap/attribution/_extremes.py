"""The training rows whose values are farthest from those of others."""

import numpy as np
from sklearn.utils import Bunch

__all__ = ["find_extremes"]


def find_extremes(values, std, k):
    """Find the training rows that help and harm each row most.

    Parameters
    ----------
    values, std : ndarray of shape (m, n)
        Values of n training rows for each of m rows, and their standard errors.
    k : int
        How many training rows of each kind.

    Returns
    -------
    Bunch
        `helpful` and `harmful`, positions, and for each of them ``..._values`` and
        ``..._std``, all of shape (m, k).
    """
    order = np.argsort(values, axis=1, kind="stable")
    found = Bunch(helpful=order[:, ::-1][:, :k], harmful=order[:, :k])
    for name in ("helpful", "harmful"):
        found[f"{name}_values"] = np.take_along_axis(values, found[name], 1)
        found[f"{name}_std"] = np.take_along_axis(std, found[name], 1)
    return found
