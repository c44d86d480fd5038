"""Labels as arrays: one a row, none missing, none made into something else."""

from enum import Enum
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_array, column_or_1d

from skshap.utils._columns import is_missing
from skshap.utils._rows import check_real, check_several, number_of_rows
from skshap.utils._warn import warn_caller

__all__ = ["as_labels", "check_labels"]


def check_labels(y, rows, name="y", *, is_exact=True):
    """Raise unless there is a label a row; return labels as an array.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    rows : sequence of length n_samples
        The rows they belong to.
    name : str, default="y"
        Of the labels, in messages.
    is_exact : bool, default=True
        Whether integers that floats would round are refused; not those of a regression.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; numbers among objects as numbers.

    Raises
    ------
    ValueError
        If a label is missing (NaN, None, NaT, NA or masked) or infinite, their number
        is another, or floats would round integers.
    """
    y = as_labels(y, name, is_exact=is_exact)
    of_rows = "X_val" if name == "y_val" else "X"
    n_rows = number_of_rows(rows, of_rows)
    if len(y) != n_rows:
        raise ValueError(
            f"{name} must hold one entry a row of {of_rows}, got {len(y)} entries for "
            f"{n_rows} rows; pass {of_rows} and {name} of the same length."
        )
    if y.dtype.kind == "f":
        _check_present(np.isnan(y), "NaN", name)
        check_array(y.reshape(-1, 1), input_name=name, dtype=None, ensure_min_samples=0)
    elif y.dtype.kind in "mM":
        _check_present(np.isnat(y), "NaT", name)
    elif y.dtype.kind == "O":
        _check_present(
            [is_missing(label) for label in y], "None, nan, NaT or <NA>", name
        )
        if all(isinstance(label, (Real, np.bool_)) for label in y):
            numbers = np.array(y.tolist())
            if is_exact:
                _check_exact(y, numbers, name)
            y = numbers
    return y


def _check_exact(values, numbers, name):
    """Raise if numbers are floats that round what were integers."""
    if numbers.dtype.kind != "f":
        return
    for value, found in zip(values, numbers.tolist(), strict=True):
        if isinstance(value, Integral) and int(value) != found:
            raise ValueError(
                f"{name} holds integers such as {value}, which no integer type holds "
                "together with its other numbers, and which floats would round; pass "
                "integers of one type, or str."
            )


def _check_present(is_absent, what, name):
    """Raise if any of the labels is absent; say how many and where."""
    rows = np.flatnonzero(is_absent)
    if len(rows):
        more = " ..." if len(rows) > 5 else ""
        raise ValueError(
            f"{name} must not hold missing values, but {len(rows)} of {len(is_absent)} "
            f"are {what}, in rows {rows[:5].tolist()}{more}; drop these rows, or fill "
            "them in."
        )


def as_labels(y, name="y", *, is_exact=True):
    """Return labels as a one-dimensional array, none of them made into a text.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    name : str, default="y"
        Of the labels, in messages.
    is_exact : bool, default=True
        Whether integers that floats would round are refused; not those of a regression.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; members of an enum, and what shares a list with texts, are kept as
        objects.

    Raises
    ------
    ValueError
        If labels are masked, complex, a single one, on more than one axis, or integers
        that floats would round.
    """
    check_several(y, name)
    check_real(y, name)
    if hasattr(getattr(y, "dtype", None), "numpy_dtype"):
        y = y.to_numpy()  # of pandas: integers that may be missing would be floats
    try:
        labels = column_or_1d(y)
    except ValueError as error:
        if "1d array" not in str(error):
            raise
        is_frame = hasattr(y, "columns")
        largest = f"{name}.idxmax(" if is_frame else f"numpy.argmax({name}, "
        raise ValueError(
            f"{name} must hold one entry a row: {error} Of one-hot labels, pass "
            f"{largest}axis=1); several labels a row are not supported."
        ) from error
    if np.asarray(y).ndim == 2:
        warn_caller(
            f"A column-vector {name} was passed when a 1d array was expected; pass "
            f"{name}.ravel(), or of a frame one column, as {name}[column].",
            DataConversionWarning,
        )
    if isinstance(y, np.ma.MaskedArray):
        _check_present(np.ma.getmaskarray(y).ravel(), "masked", name)
    if labels.dtype.kind == "T":
        return labels.astype(object)
    if is_exact and labels.dtype.kind == "f" and isinstance(y, (list, tuple)):
        _check_exact(np.array(y, dtype=object).ravel(), labels, name)
    if labels.dtype.kind == "U" and isinstance(y, (list, tuple)):
        given = np.array(y, dtype=object).ravel()
        # NumPy cuts the names of members of an enum as long as their values, and NUL
        # characters at the end of texts.
        are_texts = all(isinstance(v, str) and not isinstance(v, Enum) for v in given)
        if not are_texts or labels.tolist() != given.tolist():
            return given
    return labels
