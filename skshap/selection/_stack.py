"""Rows put below others, in whatever container."""

import numpy as np
from scipy import sparse

from skshap.utils._optional import import_optional
from skshap.utils._texts import is_text

__all__ = ["stack_rows"]


def stack_rows(X, X_val):
    """Put held-out rows below those to train on.

    Parameters
    ----------
    X, X_val : list, array, sparse matrix or dataframe
        Rows of one kind, see `check_held_out`.

    Returns
    -------
    list, array, sparse matrix or dataframe
        The rows of both: texts as a list, frames in the kind of `X`, anything sparse as
        a CSR array, else an array.
    """
    if hasattr(X, "columns"):
        if not hasattr(X_val, "columns"):
            is_sparse = sparse.issparse(X_val)
            X_val = X_val.toarray() if is_sparse else np.asarray(X_val)
            X_val = {name: X_val[:, j] for j, name in enumerate(X.columns)}
        elif type(X_val) is not type(X):
            X_val = {name: X_val[name].to_numpy() for name in X.columns}
        X_val = type(X)(X_val)
        if hasattr(X, "iloc"):
            pandas = import_optional("pandas", "frame")
            return pandas.concat([X, X_val], ignore_index=True)
        polars = import_optional("polars", "frame")
        return polars.concat([X, X_val], how="vertical_relaxed")
    if is_text(X):
        if hasattr(X_val, "columns"):  # pairs; a loop would go over columns
            X_val = X_val.to_numpy()
        return [*X, *X_val]
    if sparse.issparse(X) or sparse.issparse(X_val):
        return sparse.vstack([sparse.csr_array(X), sparse.csr_array(X_val)])
    return np.concatenate([as_array(X), as_array(X_val)])


def as_array(rows):
    """Return rows as an array that keeps numbers beside texts as they are."""
    return np.asarray(rows, dtype=None if hasattr(rows, "dtype") else object)
