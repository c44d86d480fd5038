"""Rows held out by the caller: checked against training rows."""

import re
from contextlib import contextmanager

import numpy as np

from skshap.utils._order import check_order
from skshap.utils._rows import number_of_rows
from skshap.utils._texts import is_text

__all__ = ["check_held_out", "errors_name_held_out"]


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
            f"X_val {kinds[1]}. Behind other steps of a Pipeline, "
            "transform_input=['X_val'] has them transform it."
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
