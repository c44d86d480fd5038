"""Rows held out by the caller: checked against training rows."""

import re
from contextlib import contextmanager

import numpy as np
from scipy import sparse

from skshap.utils._order import check_order
from skshap.utils._rows import check_unmasked, number_of_rows
from skshap.utils._texts import is_text
from skshap.utils._warn import warn_caller

__all__ = ["check_held_out", "errors_name_held_out"]

FEWEST = 20, 5  # rows of X and of X_val, of which ranges tell
ENOUGH = 20  # rows of X_val of which quartiles tell
NARROW = 0.1  # of the distance between quartiles of X: what has less is in other units
MARGIN = 0.25  # of the range of a column of X: what lies as far from it is outside
SHARE = 0.25  # of the columns of numbers, two at least, that tell of other units
IN_PIPELINE = (
    "Behind other steps of a Pipeline, transform_input=['X_val'] has them transform it"
)


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
        entries are masked, labels have their names in another order, or rows are texts
        beside numbers, or of another number or names of columns.

    Warns
    -----
    UserWarning
        If they look like numbers in other units.
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
    check_unmasked(X)
    check_unmasked(X_val, "X_val")
    shape, shape_val = row_shape(X), row_shape(X_val)
    if number_of_rows(X_val, "X_val") == 0:
        raise ValueError("X_val has no rows; pass at least one, or X_val=None.")
    check_order(X_val, y_val, ("X_val", "y_val"))
    if is_text(X) != is_text(X_val):
        kinds = ["texts" if is_text(rows) else "no texts" for rows in (X, X_val)]
        raise ValueError(
            f"X_val must be rows of the same kind as X, but X holds {kinds[0]} and "
            f"X_val {kinds[1]}. {IN_PIPELINE}."
        )
    if None not in (shape, shape_val) and shape != shape_val:
        one_dimensional = ", one of texts as one-dimensional" * (shape == ())
        raise ValueError(
            f"X_val must have rows of the shape of those of X, {shape}, got "
            f"{shape_val}; pass the same columns{one_dimensional}. {IN_PIPELINE}."
        )
    names, names_val = (list(getattr(rows, "columns", [])) for rows in (X, X_val))
    if names and names_val and names != names_val:
        raise ValueError(
            "X_val must have the columns of X in the same order, "
            f"{names[:5]} and so on, got {names_val[:5]}"
            + ("; use X_val[X.columns]." if set(names) == set(names_val) else ".")
        )
    n_outside, n_columns = _count_outside(X, X_val)
    if n_outside >= 2 and n_outside >= SHARE * n_columns:
        kinds = " X is an array and X_val a frame." * (bool(names_val) and not names)
        warn_caller(
            f"X_val is far from X in {n_outside} of {n_columns} columns, half of its "
            f"rows outside by {MARGIN:.0%} of the range of X, or close together by "
            f"{NARROW:.0%} of what half of X spans, as if only X were scaled."
            f"{kinds} {IN_PIPELINE}; else pass X_val in the units of X."
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


def _count_outside(X, X_val):
    """Count columns that half of the held-out rows are far outside of, or fill little.

    Return how many there are, and of how many columns of numbers. None, where rows are
    few or no tables of numbers; constant columns and missing values do not count.
    """
    if is_text(X):
        return 0, 0
    tables = [_numbers(rows) for rows in (X, X_val)]
    for table, fewest in zip(tables, FEWEST, strict=True):
        if table is None or table.shape[0] < fewest:
            return 0, 0
    A, B = tables
    filled = slice(None)
    if sparse.issparse(A):  # columns that are mostly zero are so in whatever units
        filled = np.diff(A.indptr) > A.shape[0] / 2
    A, B = (
        table[:, filled].toarray() if sparse.issparse(table) else table[:, filled]
        for table in tables
    )
    A, B = A.astype(float), B.astype(float)
    told = ~(np.isnan(A).all(axis=0) | np.isnan(B).all(axis=0))
    n_columns = row_shape(X)[0] - A.shape[1] + told.sum()
    if not told.any():
        return 0, 0
    A, B = A[:, told], B[:, told]
    low, high = np.nanmin(A, axis=0), np.nanmax(A, axis=0)
    with np.errstate(invalid="ignore"):  # of infinite values
        margin = MARGIN * (high - low)
        is_far = (B < low - margin) | (B > high + margin)
        is_far = is_far.sum(axis=0) >= 0.5 * (~np.isnan(B)).sum(axis=0)
        if len(B) >= ENOUGH:
            wide, own = (
                np.subtract(*np.nanpercentile(rows, [75, 25], axis=0))
                for rows in (A, B)
            )
            is_far |= (own > 0) & (own < NARROW * wide)
        return int((is_far & (margin > 0)).sum()), int(n_columns)


def _numbers(rows):
    """Return rows as a table of numbers, NaN in columns of a frame that hold others.

    None, if they are none.
    """
    if sparse.issparse(rows):
        return sparse.coo_array(rows).tocsc() if rows.dtype.kind in "fiu" else None
    if hasattr(rows, "columns") and rows.shape[1]:
        of_frame = rows.iloc if hasattr(rows, "iloc") else rows
        return np.column_stack([_column(of_frame[:, j]) for j in range(rows.shape[1])])
    if isinstance(rows, (list, tuple)) and len({np.shape(row) for row in rows}) == 1:
        rows = np.asarray(rows)
    is_table = isinstance(rows, np.ndarray) and rows.ndim == 2
    rows = np.asarray(rows)  # of a matrix, whose columns have two axes
    return rows if is_table and rows.dtype.kind in "fiu" else None


def _column(column):
    nullable = getattr(column.dtype, "numpy_dtype", None)
    if getattr(nullable, "kind", "O") in "fiu":
        column = column.to_numpy(dtype=float, na_value=np.nan)
    values = np.asarray(column)
    return values if values.dtype.kind in "fiu" else np.full(len(values), np.nan)


def row_shape(rows):
    """Shape of one row: () of a text, None where only reading all rows would tell."""
    if hasattr(rows, "shape"):
        return tuple(rows.shape[1:])
    first = rows[0] if isinstance(rows, (list, tuple)) and len(rows) else None
    return None if first is None else np.shape(first)
