"""Tests of rows that the caller holds out."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from skshap import DataRemoval, DataSelector, LabelNoiseDetector
from skshap.exceptions import NotPositiveDefiniteError
from skshap.selection._held_out import (
    check_held_out,
    errors_name_held_out,
)


@pytest.mark.parametrize(
    ("names", "advice"), [("ba", r"; use X_val\[X\.columns\]\.$"), ("ac", r"'c'\]\.$")]
)
def test_the_order_of_columns_can_be_mended_but_not_their_names(names, advice):
    X = pd.DataFrame(np.eye(2), columns=list("ab"))
    X_val = pd.DataFrame(np.eye(2), columns=list(names))
    with pytest.raises(ValueError, match=advice):
        check_held_out(X, X_val, [0, 1])


def test_labels_in_another_order_are_named_as_theirs():
    X = pd.DataFrame(np.eye(3), index=[7, 3, 5])
    y_val = pd.Series([0, 1, 0], index=[3, 7, 5])
    with pytest.raises(ValueError, match="y_val must be in the order of X_val"):
        check_held_out(X, X, y_val)


def test_errors_speak_of_the_rows_held_out():
    with (
        pytest.raises(ValueError, match=r"^X_val has columns \['maX', 'X_raw'\]$"),
        errors_name_held_out(),
    ):
        raise ValueError("X has columns ['maX', 'X_raw']")


def test_errors_of_other_types_stay():
    error = NotPositiveDefiniteError("of X")
    with pytest.raises(NotPositiveDefiniteError) as caught, errors_name_held_out():
        raise error
    assert caught.value is error


@pytest.mark.parametrize("values", [False, True])
def test_held_out_rows_must_fit(values, removal, table):
    X, y, _ = table
    frame = pd.DataFrame(X, columns=list("abcd"))
    for X_val, message in (
        (X[:2, :3], r"X_val must have rows of the shape of those of X, \(4,\), got"),
        (X[:0], "X_val has no rows"),
        ([], "X_val has no rows"),
        (["a text", "another"], "X holds no texts and X_val texts"),
        ("a text", "X_val must be rows"),
        (3, "X_val must be rows"),
        (frame[list("abdc")][:2], "X_val must have the columns of X in the same order"),
    ):
        estimator = removal if values else LabelNoiseDetector()
        with pytest.raises(ValueError, match=message):
            estimator.fit(frame, y, X_val=X_val, y_val=[0, 1])
    with pytest.raises(ValueError, match=r"y_val holds labels .* \[7\]"):
        estimator.fit(frame, y, X_val=frame[:2], y_val=[0, 7])


@pytest.mark.parametrize("make", [DataSelector, partial(DataRemoval, LinearSVC())])
def test_values_missing_in_held_out_rows_are_named_as_theirs(make, quick, table):
    X, y, _ = table
    gaps = np.where(np.arange(4) == 1, np.nan, X[:3])
    with pytest.raises(ValueError, match=r"^X_val must hold numbers. Columns \[1\]"):
        make(attributor=quick).fit(X, y, X_val=gaps, y_val=y[:3])
    frame, gaps = (pd.DataFrame(rows, columns=list("AXYZ")) for rows in (X, gaps))
    with pytest.raises(ValueError, match=r"^X_val must hold numbers. Columns \['X'\]"):
        make(attributor=quick).fit(frame, y, X_val=gaps, y_val=y[:3])


def test_validation_labels_that_are_no_class(table):
    X, y, _ = table
    selector = DataSelector(n_samples_to_select=10, random_state=0)
    with pytest.raises(ValueError, match=r"y_val holds .* do not have: .7"):
        selector.fit(X, y, X_val=X[:2], y_val=[0, 7])
    with pytest.raises(
        ValueError,
        match="row of X_val, got 3 entries for 2 rows",
    ):
        selector.fit(X, y, X_val=X[:2], y_val=[0, 1, 1])
