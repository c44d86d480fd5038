"""Checks of labels and targets, and the indices that labels are encoded by."""

import warnings

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array

from skshap.utils._label_arrays import check_labels
from skshap.utils._warn import warn_caller

__all__ = [
    "check_numbers",
    "check_targets",
    "encode_targets",
    "find_classes",
    "look_like_targets",
]

OF_NUMBERS = "what trains on numbers is valued by FreeShapRegressor"
MANY_CLASSES = 10


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
        If more than half of the labels are different ones, or they are many numbers,
        most of them of one row or two.
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
    classes, y_index = found
    if not caught and look_like_targets(classes, np.bincount(y_index)):
        warn_caller(
            f"y has {len(classes)} classes of {len(y)} rows, most of them of a row or "
            f"two, and looks like the target of a regression.{hint}"
        )
    return found


def look_like_targets(classes, sizes):
    """Say whether labels are many numbers, most of them of one row or two."""
    are_numbers = classes.dtype.kind in "iuf"
    return are_numbers and len(classes) > MANY_CLASSES and np.median(sizes) <= 2


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
    y = check_labels(y, rows, is_exact=False)
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
