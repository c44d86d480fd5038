"""Rows put below others, in whatever container."""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skshap.selection._held_out import errors_name_held_out
from skshap.utils._columns import is_missing, is_series
from skshap.utils._optional import import_optional
from skshap.utils._texts import is_text
from skshap.utils._validation import check_rows

__all__ = ["stack_rows"]


def stack_rows(X, X_val):
    """Put held-out rows below those to train on.

    Parameters
    ----------
    X, X_val : list, array, sparse matrix, series or dataframe
        Rows of one kind, see `check_held_out`.

    Returns
    -------
    list, array, sparse matrix, series or dataframe
        The rows of both: frames and series of texts in the kind of `X`, other texts as
        a list, anything sparse as a CSR array, else an array.

    Raises
    ------
    ValueError
        If one is sparse, and either holds what are no finite numbers; or if both are
        frames of polars and a column of texts in one is none in the other.
    """
    if hasattr(X, "columns"):
        if not hasattr(X_val, "columns"):
            is_sparse = sparse.issparse(X_val)
            X_val = X_val.toarray() if is_sparse else np.asarray(X_val)
            columns = map(_typed, X_val.T) if X_val.dtype.kind == "O" else X_val.T
            X_val = type(X)({str(j): column for j, column in enumerate(columns)})
            X_val.columns = X.columns  # of which two may be of one name
        elif type(X_val) is not type(X):
            X_val = type(X)({name: X_val[name].to_numpy() for name in X.columns})
        if hasattr(X, "iloc"):
            pandas = import_optional("pandas", "frame")
            return pandas.concat([X, X_val], ignore_index=True)
        return _stack_polars(X, X_val.select(X.columns))
    if is_text(X):
        if hasattr(X_val, "columns"):  # pairs; a loop would go over columns
            X_val = X_val.to_numpy()
        return _stack_texts(X, X_val)
    if sparse.issparse(X) or sparse.issparse(X_val):
        X = as_csr(X)
        with errors_name_held_out():
            return sparse.vstack([X, as_csr(X_val)])
    return np.concatenate([as_array(X), as_array(X_val)])


def _stack_polars(X, X_val):
    """Put a frame of polars below another with the same columns."""
    polars = import_optional("polars", "frame")
    kinds = polars.Enum, polars.Categorical  # of other categories, or another order
    names = []
    for name, *types in zip(X.columns, X.dtypes, X_val.dtypes, strict=True):
        are_texts = {isinstance(kind, (*kinds, polars.String)) for kind in types}
        if len(are_texts) == 2 and polars.Null not in types:
            raise ValueError(
                f"X_val must have columns of the types of those of X, but {name!r} is "
                f"{types[0]} in X and {types[1]} in X_val; cast one of them."
            )
        if types[0] != types[1] and any(isinstance(kind, kinds) for kind in types):
            names.append(name)
    as_text = polars.col(names).cast(polars.String)
    X, X_val = X.with_columns(as_text), X_val.with_columns(as_text)
    return polars.concat([X, X_val], how="vertical_relaxed")


def _typed(objects):
    """Return what an array of objects holds as numbers, or as a list; None is missing.

    A frame of polars would keep objects, or take the type of the first.
    """
    present = [None if is_missing(value) else value for value in objects]
    if not all(value is None or isinstance(value, Real) for value in present):
        return present
    return np.array([np.nan if value is None else value for value in present])


def _stack_texts(X, X_val):
    """Put texts below others: in a series if `X` is one, which steps may read."""
    texts = [*X, *X_val]
    if not is_series(X):
        return texts
    is_pandas = hasattr(X, "iloc")
    return type(X)(texts, name=X.name) if is_pandas else type(X)(X.name, texts)


def as_csr(rows):
    """Return rows of numbers, of whatever type and container, as a CSR array."""
    return sparse.csr_array(check_rows(BaseEstimator(), rows, reset=True, sparse=True))


def as_array(rows):
    """Return rows as an array that keeps numbers beside texts as they are."""
    return np.asarray(rows, dtype=None if hasattr(rows, "dtype") else object)
