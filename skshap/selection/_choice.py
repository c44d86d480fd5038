"""The choice of rows to remove."""

from typing import NamedTuple

import numpy as np

__all__ = ["Choice"]


class Choice(NamedTuple):
    """Rows to remove.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Of the rows: they are removed by these.
    order : ndarray of shape (n,)
        The row to remove first on top.
    n_removed : int
        How many of these are removed.
    errors, probability : ndarray of shape (n,) or None
        Of values, and that rows are harmful.
    """

    values: np.ndarray
    order: np.ndarray
    n_removed: int
    errors: np.ndarray | None = None
    probability: np.ndarray | None = None
