"""Rows held out by the caller: checked against training rows, and put below them."""

import re
from contextlib import contextmanager

import numpy as np
from scipy import sparse

from skshap.utils._labels import encode_targets
from skshap.utils._optional import import_optional
from skshap.utils._order import check_order
from skshap.utils._rows import number_of_rows
from skshap.utils._validation import is_text

__all__ = [
    "check_held_out",
    "check_held_out_labels",
    "errors_name_held_out",
    "stack_rows",
]


def check_held_out(X, X_val, y_val):
    """Check held-out rows against the rows to train on.

    Parameters
    ----------
    X : rows
        To train on.
    X_val, y_val : rows and labels, or None
        Held out.

    Raises
    ------
    ValueError
        If only one of `X_val` and `y_val` is given, if there are no such rows, if
        labels have their names in another order, or if rows are texts beside numbers,
        or of another number or names of columns.
    """
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} is given without {missing}; pass both, or neither.")
    if X_val is None:
        return
    if isinstance(X_val, str) or not hasattr(X_val, "__len__"):
        raise ValueError(
            f"X_val must be rows of the same kind as X, got {X_val!r:.60}; a single "
            "row goes into a list."
        )
    shape, shape_val = row_shape(X), row_shape(X_val)
    if number_of_rows(X_val, "X_val") == 0:
        raise ValueError("X_val has no rows; pass at least one, or X_val=None.")
    check_order(X_val, y_val, ("X_val", "y_val"))
    if is_text(X) != is_text(X_val):
        kinds = ["texts" if is_text(rows) else "no texts" for rows in (X, X_val)]
        raise ValueError(
            f"X_val must be rows of the same kind as X, but X holds {kinds[0]} and "
            f"X_val {kinds[1]}."
        )
    if None not in (shape, shape_val) and shape != shape_val:
        one_dimensional = ", one of texts as one-dimensional" * (shape == ())
        raise ValueError(
            f"X_val must have rows of the shape of those of X, {shape}, got "
            f"{shape_val}; pass the same columns{one_dimensional}. Behind other steps "
            "of a Pipeline, transform_input=['X_val'] has them transform it."
        )
    names, names_val = (list(getattr(rows, "columns", [])) for rows in (X, X_val))
    if names and names_val and names != names_val:
        raise ValueError(
            "X_val must have the columns of X in the same order, "
            f"{names[:5]} and so on, got {names_val[:5]}"
            + ("; use X_val[X.columns]." if set(names) == set(names_val) else ".")
        )


def check_held_out_labels(X_val, y_val, classes):
    """Check the labels of held-out rows; return their indices among the classes."""
    return encode_targets(y_val, classes, X_val, "y_val")


@contextmanager
def errors_name_held_out():
    """Have errors say `X_val` for `X`, where these rows are read: not inside values."""
    try:
        yield
    except ValueError as error:
        message = re.sub(r"(^|: |\bInput )X (?=[a-z])", r"\1X_val ", str(error))
        if type(error) is not ValueError or message == str(error):
            raise
        raise ValueError(message) from error


def row_shape(rows):
    """Shape of one row: () of a text, None where only reading all rows would tell."""
    if hasattr(rows, "shape"):
        return tuple(rows.shape[1:])
    first = rows[0] if isinstance(rows, (list, tuple)) and len(rows) else None
    return None if first is None else np.shape(first)


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
            X_val = np.asarray(X_val)
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
