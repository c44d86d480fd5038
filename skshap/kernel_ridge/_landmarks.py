"""Features of rows by landmarks: rows that stand for all."""

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.utils import check_array

__all__ = ["Landmarks"]


class Landmarks(Nystroem):
    """Nystroem whose landmarks are the same in whatever order rows come."""

    def fit(self, X, y=None):
        """Draw landmarks among the rows, sorted along a fixed random direction."""
        rows = check_array(X, accept_sparse="csr", dtype=np.float64)
        along = rows @ np.random.default_rng(0).normal(size=rows.shape[1])
        return super().fit(rows[np.argsort(along, kind="stable")], y)
