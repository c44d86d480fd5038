"""Tests of rows put below others."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from skshap.selection._stack import stack_rows


def test_frames_of_polars_take_numbers_of_another_type():
    X, X_val = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [0.5]})
    assert stack_rows(X, X_val)["a"].to_list() == [1, 2, 0.5]


@pytest.mark.parametrize(
    "types",
    [
        (pl.Enum(["a", "b", "c"]), pl.Enum(["c", "b", "a"])),
        (pl.Enum(["a", "b", "c"]), pl.Categorical),
        (pl.Categorical, pl.String),
        (pl.String, pl.Enum(["b", "c"])),
    ],
)
def test_frames_of_polars_take_other_categories(types):
    X, X_val = (
        pl.DataFrame({"n": [n], "a": pl.Series([word], dtype=kind)})
        for n, word, kind in zip([1, 2], ["a", "b"], types, strict=True)
    )
    X_val = X_val.with_columns(a=pl.Series(["c"], dtype=types[1]))
    both = stack_rows(X, X_val)
    assert both["a"].cast(pl.String).to_list() == ["a", "c"]
    assert both["n"].to_list() == [1, 2]


def test_categories_of_polars_stay_where_they_are_the_same():
    X = pl.DataFrame({"a": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"]))})
    assert stack_rows(X, X).dtypes == X.dtypes


@pytest.mark.parametrize("frame", [pl.DataFrame, pd.DataFrame])
def test_an_array_of_objects_below_a_frame(frame):
    X = frame({"a": [1.0, 2.0], "b": ["x", "y"]})
    rows = [[3, "z"], [None, "x"], [np.float32(0.5), np.nan], [pd.NA, None]]
    both = stack_rows(X, np.array(rows, dtype=object))
    texts = both["b"].to_list()
    assert texts[:4] == ["x", "y", "z", "x"] and all(map(pd.isna, texts[4:]))
    numbers = np.asarray(both["a"])
    assert numbers.dtype == float
    np.testing.assert_array_equal(numbers, [1, 2, 3, np.nan, 0.5, np.nan])


@pytest.mark.parametrize("make", [pl.DataFrame, lambda rows: np.array([[2.0, 5.0]])])
def test_numbers_and_texts_in_one_column_of_polars(make):
    X, X_val = pl.DataFrame({"a": [1.0], "b": ["3"]}), make({"a": [2.0], "b": [5.0]})
    with pytest.raises(
        ValueError, match=r"X_val must .*'b' is String in X and Float64"
    ):
        stack_rows(X, X_val)
    with pytest.raises(ValueError, match=r"'a' is Float64 in X and String in X_val"):
        stack_rows(X, pl.DataFrame({"a": ["2"], "b": ["3"]}))
    assert stack_rows(X, pl.DataFrame({"a": [None], "b": [None]})).shape == (2, 2)


def test_sparse_rows_below_a_frame():
    both = stack_rows(pd.DataFrame({"a": [1.0], "b": [2.0]}), csr_array([[0.0, 3.0]]))
    assert both.to_numpy().tolist() == [[1, 2], [0, 3]]


@pytest.mark.parametrize("make", [np.array, list, csr_array])
def test_an_array_below_a_frame_with_two_columns_of_one_name(make):
    X = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "a", "b"])
    both = stack_rows(X, make([[4.0, 5.0, 6.0]]))
    assert both.columns.tolist() == ["a", "a", "b"]
    assert both.to_numpy().tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: np.array(rows, dtype=np.float16),
        lambda rows: np.array(rows, dtype=object),
        lambda rows: pd.DataFrame(rows, dtype="Int64"),
    ],
)
def test_numbers_of_types_that_scipy_does_not_know_beside_sparse_ones(make):
    rows, other = make([[1, 0], [0, 2]]), csr_array([[0, 3]])
    assert stack_rows(other, rows).toarray().tolist() == [[0, 3], [1, 0], [0, 2]]
    if isinstance(rows, np.ndarray):
        assert stack_rows(rows, other).toarray().tolist() == [[1, 0], [0, 2], [0, 3]]


def test_held_out_rows_that_are_no_numbers_below_sparse_ones():
    with pytest.raises(ValueError, match=r"X_val must hold numbers. Columns \[1\]"):
        stack_rows(csr_array(np.eye(2)), pd.DataFrame([[1, pd.NA]], dtype="Int64"))


@pytest.mark.parametrize(
    "texts",
    [
        list,
        np.array,
        pd.Series,
        pl.Series,
        lambda texts: [(text, text[::-1]) for text in texts],
    ],
)
def test_texts_are_stacked(texts):
    words = [f"word {i}" for i in range(6)]
    both = stack_rows(texts(words[:4]), texts(words[4:]))
    assert [str(row) for row in both] == [str(row) for row in texts(words)]


@pytest.mark.parametrize("container", [pd.Series, pl.Series])
def test_a_column_of_texts_stays_one(container):
    X = container(["a", "b"]).rename("text")
    for X_val in (container(["c"]), ["c"], np.array(["c"])):
        both = stack_rows(X, X_val)
        assert type(both) is container
        assert both.name == "text"
        assert list(both) == ["a", "b", "c"]
    X, X_val = (pd.Series(list(t), dtype="category") for t in ("ab", "c"))
    assert list(stack_rows(X, X_val)) == ["a", "b", "c"]


def test_numbers_beside_texts_are_stacked_as_they_are():
    rows = np.array([["a", 1], ["b", 2]], dtype=object)
    for both in (stack_rows(rows, [["c", 3]]), stack_rows([["a", 1]], [["b", 2]])):
        assert {type(value) for value in both[:, 1]} == {int}
    pairs = [("a", "b"), ("c", "d")]
    stacked = stack_rows(pairs, pd.DataFrame([("e", "f")]))
    assert [tuple(row) for row in stacked] == [*pairs, ("e", "f")]
    long = ["a " * 10_000, "b"]  # an array would give both rows that width
    assert stack_rows(np.array(["c", "d"]), long)[2:] == long
