"""Tests of rows that the caller holds out."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skshap.exceptions import NotPositiveDefiniteError
from skshap.selection._held_out import (
    check_held_out,
    errors_name_held_out,
    stack_rows,
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


def test_frames_of_polars_take_numbers_of_another_type():
    X, X_val = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [0.5]})
    assert stack_rows(X, X_val)["a"].to_list() == [1, 2, 0.5]
