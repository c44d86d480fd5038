"""Checks of labels and targets, and the indices that labels are encoded by."""

import warnings
from enum import Enum
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from skshap.utils._columns import is_missing
from skshap.utils._rows import check_real, check_several, number_of_rows
from skshap.utils._warn import warn_caller

__all__ = [
    "as_labels",
    "check_labels",
    "check_numbers",
    "check_targets",
    "encode_targets",
    "find_classes",
]

OF_NUMBERS = "what trains on numbers is valued by FreeShapRegressor"


def check_targets(y, rows):
    """Check training labels and encode them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    rows : sequence of length n_samples
        The rows they belong to.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    y_index : ndarray of shape (n_samples,)
        Index into `classes` of each label.

    Raises
    ------
    ValueError
        If labels are missing, continuous, of one class only, or of another number
        than the rows.
    """
    if y is None:
        raise ValueError(
            "y must be an array of class labels, got None: this estimator requires y "
            "to be passed, but the target y is None."
        )
    classes, y_index = find_classes(check_labels(y, rows))
    if len(classes) < 2:
        raise ValueError(
            "y must hold at least two classes, but every label is "
            f"{classes.tolist()[0]!r} (one class); pass rows of another class as well."
        )
    return classes, y_index


def find_classes(y):
    """Return the sorted labels, and the index of each label among them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    y_index : ndarray of shape (n_samples,)
        Index into `classes` of each label.

    Raises
    ------
    ValueError
        If labels are continuous, of several types, or neither numbers nor texts.

    Warns
    -----
    UserWarning
        If more than half of the labels are different ones.
    """
    try:
        is_mixed = y.dtype.kind == "O" and not all(isinstance(v, str) for v in y)
        if is_mixed or y.dtype.kind == "S":
            raise TypeError("labels do not compare")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_classification_targets(y)
        found = np.unique(y, return_inverse=True)
    except ValueError as error:
        raise ValueError(f"y must hold class labels; {OF_NUMBERS}. {error}") from error
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in y})
        beyond = " of more than 64 bits" if kinds == ["int"] else ""
        raise ValueError(
            f"y must hold labels of one type, numbers or str, got {kinds}{beyond}; "
            "convert them to str."
        ) from error
    hint = f" If so, {OF_NUMBERS}." if y.dtype.kind in "iuf" else ""
    for warning in caught:
        warn_caller(f"{warning.message}{hint}", warning.category)
    return found


def encode_targets(y, classes, rows, name="y"):
    """Encode the labels of rows whose predictions are valued.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels, all among `classes`.
    classes : ndarray of shape (n_classes,)
        The sorted training labels.
    rows : sequence of length n_samples
        The rows they belong to.
    name : str, default="y"
        Of the labels, in messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        Index into `classes` of each label.

    Raises
    ------
    ValueError
        If labels are missing, were not seen in training, or of another number than
        the rows.
    """
    if y is None:
        raise ValueError(
            "y must be the labels of the rows in X, got None: a value says how much a "
            "training row helps to predict them. For rows without labels use explain."
        )
    y = check_labels(y, rows, name)
    unseen = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unseen:
        raise ValueError(
            f"{name} holds labels that the training rows do not have: {unseen[:5]}; "
            f"the classes are {classes.tolist()[:20]}."
        )
    return np.searchsorted(classes, y.astype(classes.dtype, copy=False))


def check_numbers(y, rows):
    """Check the targets of a regression.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Targets.
    rows : sequence of length n_samples
        The rows they belong to.

    Returns
    -------
    ndarray of shape (n_samples,)
        Float64.

    Raises
    ------
    ValueError
        If targets are missing, infinite, no numbers, or of another number than the
        rows.
    """
    if y is None:
        raise ValueError(
            "y must be an array of numbers, got None: this estimator requires y to be "
            "passed, but the target y is None."
        )
    y = check_labels(y, rows)
    texts = [value for value in y.tolist() if isinstance(value, str)]
    if texts:
        raise ValueError(
            f"y must hold numbers, got {texts[0]!r} of type str; for class labels use "
            "FreeShapAttributor."
        )
    if y.dtype.kind in "SmM":
        raise ValueError(
            f"y must hold numbers, got an array of dtype {y.dtype}; convert it first."
        )
    return check_array(
        y, input_name="y", dtype=np.float64, ensure_2d=False, ensure_min_samples=0
    )


def check_labels(y, rows, name="y"):
    """Raise unless there is a label a row; return labels as an array.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    rows : sequence of length n_samples
        The rows they belong to.
    name : str, default="y"
        Of the labels, in messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; numbers among objects as numbers.

    Raises
    ------
    ValueError
        If a label is missing (NaN, None, NaT, NA or masked) or infinite, or their
        number is another.
    """
    y = as_labels(y, name)
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
            y = np.array(y.tolist())
    return y


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


def as_labels(y, name="y"):
    """Return labels as a one-dimensional array, none of them made into a text.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    name : str, default="y"
        Of the labels, in messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; members of an enum, and what shares a list with texts, are kept as
        objects.

    Raises
    ------
    ValueError
        If labels are masked, complex, a single one, or on more than one axis.
    """
    check_several(y, name)
    check_real(y, name)
    if hasattr(getattr(y, "dtype", None), "numpy_dtype"):
        y = y.to_numpy()  # of pandas: integers that may be missing would be floats
    try:
        labels = column_or_1d(y, warn=True)
    except ValueError as error:
        if "1d array" not in str(error):
            raise
        is_frame = hasattr(y, "columns")
        largest = f"{name}.idxmax(" if is_frame else f"numpy.argmax({name}, "
        raise ValueError(
            f"{name} must hold one entry a row: {error} Of one-hot labels, pass "
            f"{largest}axis=1); several labels a row are not supported."
        ) from error
    if isinstance(y, np.ma.MaskedArray):
        _check_present(np.ma.getmaskarray(y).ravel(), "masked", name)
    if labels.dtype.kind == "T":
        return labels.astype(object)
    if labels.dtype.kind == "U" and isinstance(y, (list, tuple)):
        given = np.array(y, dtype=object).ravel()
        # NumPy cuts the names of members of an enum as long as their values.
        if not all(isinstance(v, str) and not isinstance(v, Enum) for v in given):
            return given
    return labels
