"""Checks of rows, labels and kernel matrices."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

from skshap.utils._labels import check_numbers, check_targets, encode_targets
from skshap.utils._validation import (
    check_device,
    check_gram,
    check_kernel_values,
    check_rows,
    check_table,
    check_text,
    is_text,
)

TEXTS = ["one", "two three"]
PAIRS = [("one", "two"), ("three", "four")]


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=np.dtypes.StringDType()),
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype=object, index=[5, 3]),
        pd.Series(TEXTS, dtype="string"),
    ],
)
def test_texts_come_out_as_a_list_of_str(X):
    assert is_text(X)
    assert check_text(X) == TEXTS
    assert all(type(text) is str for text in check_text(X))


@pytest.mark.parametrize(
    "X",
    [
        PAIRS,
        [list(pair) for pair in PAIRS],
        np.array(PAIRS),
        np.array(PAIRS, dtype=object),
        pd.DataFrame(PAIRS, index=[5, 3]),
    ],
)
def test_pairs_come_out_as_a_list_of_tuples(X):
    assert is_text(X)
    assert check_text(X) == PAIRS
    assert all(type(part) is str for pair in check_text(X) for part in pair)


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0]],
        [1, 2],
        np.ones((2, 2)),
        np.ones((2, 2), dtype=object),
        np.array(3.0),
        np.array("text"),
        pd.DataFrame({"a": [1.0], "b": ["x"]}),
        pd.DataFrame({"a": [1.0, 2.0]}),
        pd.Series([1.0, 2.0]),
        sparse.eye_array(3, format="csr"),
        sparse.eye_array(3, format="dok"),
        torch.ones(2, 2),
        [],
        np.empty((0, 3)),
        [["a", "b", "c"]],
        [None, None],
        [[np.nan, 1.0]],
        5,
        None,
    ],
)
def test_anything_else_is_no_text(X):
    assert not is_text(X)


@settings(deadline=None)
@given(text=st.text())
def test_a_bare_string_is_no_sequence_of_texts(text):
    with pytest.raises(ValueError, match=r"X must be a sequence.*\[text\]"):
        is_text(text)


def test_a_long_bare_string_is_cut_in_the_message():
    with pytest.raises(ValueError) as caught:
        is_text("x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "X, words",
    [
        (["one", ""], ["row 1", "''", "empty"]),
        (["one", " \n\t"], ["row 1", "empty"]),
        (["one", None], ["row 1", "None", "NoneType"]),
        ([None, "one"], ["row 0", "None", "missing"]),
        ([np.nan, "one"], ["row 0", "nan", "float"]),
        (["one", None, "", np.nan], ["row 1", "In all, 3 rows lack a text."]),
        (["one", " ", None], ["row 1", "In all, 2 rows lack a text."]),
        ([("one", None), ("", None), ("a", "b")], ["row 0", "In all, 2 rows"]),
        (["one", 3], ["row 1", "3", "int", "make a text of it"]),
        (["one", b"two"], ["row 1", "bytes"]),
        (pd.Series([None, "one"]), ["row 0", "missing"]),
        (pd.Series([pd.NA, "one"], dtype="string"), ["row 0", "missing"]),
        ([("one", "two"), ("three", "")], ["row 1", "empty"]),
        ([("one", "two"), ("three", None)], ["row 1", "None"]),
        ([("one", "two"), ("three",)], ["row 1", "1 columns"]),
        ([("one", "two"), ("a", "b", "c")], ["row 1", "3 columns"]),
        ([("one", "two"), "three"], ["row 1", "'three'", "not both"]),
        ([("one", "two"), None], ["row 1", "None", "missing"]),
        (["one", ("two", "three")], ["row 1", "('two', 'three')", "not both"]),
        (np.array([["one"], ["two"]]), ["row 0", "1 columns", "not df[['text']]"]),
        (pd.DataFrame({"text": TEXTS}), ["row 0", "1 columns", "not df[['text']]"]),
    ],
)
def test_malformed_texts_are_named(X, words):
    assert is_text(X)
    with pytest.raises(ValueError, match="X must") as caught:
        check_text(X)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


def test_a_single_missing_text_is_not_counted():
    with pytest.raises(ValueError, match=r"fill the missing text\.$"):
        check_text(["one", None, "two"])


@pytest.mark.parametrize("sparse_first", [False, True])
def test_rows_of_numbers_become_float64(sparse_first):
    table = np.arange(6).reshape(3, 2)
    estimator = BaseEstimator()
    X = sparse.coo_array(table) if sparse_first else table
    rows = check_rows(estimator, X, reset=True, sparse=True)
    assert rows.dtype == np.float64
    assert not sparse_first or rows.format == "csr"
    assert_array_equal(rows.toarray() if sparse_first else rows, table)
    assert estimator.n_features_in_ == 2
    with pytest.raises(ValueError, match=r"X has 1 features.*2 features"):
        check_rows(estimator, table[:, :1], reset=False)


@pytest.mark.parametrize(
    "X, words",
    [
        (None, "or a table, got None"),
        ({"text": "one"}, "or a table, got dict"),
        ({"one", "two"}, "or a table, got set"),
        (b"one", "or a table, got bytes"),
        (iter(TEXTS), "or a table, got list_iterator"),
        ((text for text in TEXTS), "or a table, got generator"),
        ([], "X has no rows"),
        ([b"one", b"two"], r"bytes, b'one'; decode them"),
        (np.array([b"one", b"two"]), r"bytes, b'one'; decode them"),
        ([1, 2] * 500, r"got list of shape \(1000,\) without texts"),
        ([None, None], r"got list of shape \(2,\) without texts"),
    ],
)
def test_what_holds_no_rows_is_named(X, words):
    with pytest.raises(ValueError, match=words) as caught:
        check_rows(BaseEstimator(), X, reset=True)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("make", [np.array, pd.Series, pl.Series, list])
def test_a_column_of_numbers_is_neither_texts_nor_a_table(make):
    with pytest.raises(ValueError, match=r"texts, or be a table.* of shape \(3,\)"):
        check_rows(BaseEstimator(), make([1.0, 2.0, 3.0]), reset=True)


def test_rows_must_be_of_the_kind_fitted():
    estimator = BaseEstimator()
    check_rows(estimator, pd.DataFrame({"a": [1.0], "b": [2.0]}), reset=True)
    with pytest.raises(ValueError, match=r"X holds texts.*2 numeric features"):
        check_rows(estimator, TEXTS, reset=False)
    # Fitting again on texts forgets the table.
    assert check_rows(estimator, TEXTS, reset=True) == TEXTS
    assert not hasattr(estimator, "n_features_in_")
    assert not hasattr(estimator, "feature_names_in_")
    for X in ([[1.0, 2.0]], [], None):
        with pytest.raises(ValueError, match="X must hold texts, as in fit"):
            check_rows(estimator, X, reset=False)


@pytest.mark.parametrize(
    "y, classes",
    [
        ([3, 1, 3, 2], [1, 2, 3]),
        (["b", "a", "b", "c"], ["a", "b", "c"]),
        (np.array(["b", "a", "b", "c"], dtype=object), ["a", "b", "c"]),
        (pd.Series(["b", "a", "b", "c"], index=[3, 2, 1, 0]), ["a", "b", "c"]),
        (pd.Series(["b", "a", "b", "c"], dtype="string"), ["a", "b", "c"]),
        (pd.Categorical(["b", "a", "b", "c"]), ["a", "b", "c"]),
        ([2.0, 0.0, 2.0, 5.0], [0, 2, 5]),
    ],
)
def test_labels_are_encoded(y, classes):
    found, y_index = check_targets(y, range(4))
    assert_array_equal(found, classes)
    assert [classes[i] for i in y_index] == list(y)
    assert_array_equal(encode_targets(y, found, range(4)), y_index)
    assert_array_equal(encode_targets([classes[2]], found, [0]), [2])


def test_booleans_are_labels():
    classes, y_index = check_targets([True, False, True], range(3))
    assert_array_equal(classes, [False, True])
    assert_array_equal(y_index, [1, 0, 1])
    assert_array_equal(encode_targets([1, 0], classes, range(2)), [1, 0])


def test_labels_longer_than_any_in_training_are_not_cut():
    classes, _ = check_targets(["a", "b"], range(2))
    with pytest.raises(ValueError, match="'apple'"):
        encode_targets(["apple"], classes, [0])


@pytest.mark.parametrize(
    "y, words",
    [
        (None, ["y", "None"]),
        ([1, 2, 3], ["y", "3 entries", "2 rows"]),
        ([1], ["y", "1 entries", "2 rows"]),
        ([1, 1], ["y", "one class", "1"]),
        (["a", "a"], ["'a'", "one class"]),
        ([1.0, np.nan], ["y", "NaN"]),
        ([1.0, np.inf], ["y", "infinity"]),
        (np.array(["a", None]), ["y", "missing", "[1]", "None"]),
        (np.array(["a", np.nan], dtype=object), ["y", "missing", "[1]", "nan"]),
        (pd.Series(["a", pd.NA], dtype="string"), ["y", "missing", "[1]"]),
        (pd.Series([1, pd.NA], dtype="Int64"), ["y", "NaN"]),
        (np.array(["a", 1], dtype=object), ["y", "'int'", "'str'"]),
        ([0.5, 1.7], ["continuous"]),
        ([[0, 1], [1, 0]], ["y", "1d"]),
    ],
)
def test_bad_labels_are_named(y, words):
    with pytest.raises(ValueError) as caught:
        check_targets(y, np.ones((2, 3)))
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


@pytest.mark.parametrize("rows", [["a", "b"], np.ones((2, 3)), sparse.eye_array(2)])
def test_labels_are_counted_for_any_kind_of_rows(rows):
    check_targets([0, 1], rows)
    with pytest.raises(ValueError, match="3 entries for 2 rows"):
        check_targets([0, 1, 1], rows)


def test_kernel_values_are_finite_float64():
    assert check_kernel_values(np.ones((2, 3), dtype=np.float32)).dtype == np.float64
    for value in (np.nan, np.inf, -np.inf):
        K = np.ones((3, 4))
        K[1, 2] = value
        with pytest.raises(ValueError, match=rf"K\[1, 2\] is {value}"):
            check_kernel_values(K)


def test_gram_must_be_square_and_symmetric():
    K = np.array([[1e6, 2.0], [2.0, 1.0]])
    assert_array_equal(check_gram(K), K)
    skew = np.array([[0, 1.0], [0, 0]])
    check_gram(K + 1e-3 * skew)  # rounding, next to the largest entry
    with pytest.raises(ValueError, match=r"symmetric.*\(K \+ K\.T\) / 2"):
        check_gram(K + skew)
    for bad in (np.ones((2, 3)), np.ones(4), np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match="square matrix, got an array of shape"):
            check_gram(bad)
    with pytest.raises(ValueError, match=r"K\[0, 1\] is nan"):
        check_gram(np.array([[1, np.nan], [np.nan, 1]]))


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=f"device='{device}'.*None"):
        check_device(device)
    check_device(None)
    check_device("cpu")


@pytest.mark.parametrize("labels", [["a", 1], ("a", True), [["a"], [1.5]]])
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_numbers_among_texts_stay_numbers(labels):
    with pytest.raises(ValueError, match=r"labels of one type, numbers or str, got"):
        check_targets(labels, [0, 1])


@pytest.mark.parametrize("missing", [float("nan"), None, np.nan])
def test_a_missing_label_among_texts_is_no_text(missing):
    with pytest.raises(ValueError, match=r"missing labels, but rows \[2\]"):
        check_targets(["a", "b", missing], [0, 1, 2])
    with pytest.raises(ValueError, match=r"missing labels, but rows \[0\]"):
        encode_targets([missing, "a"], np.array(["a", "b"]), [0, 1])


def test_labels_in_numpy_strings_and_bytes():
    labels = np.array(["b", "a", "b"], dtype=np.dtypes.StringDType())
    classes, y_index = check_targets(labels, [0, 1, 2])
    assert classes.tolist() == ["a", "b"]
    assert y_index.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"numbers or str, got \['bytes_'\]"):
        check_targets(np.array([b"a", b"b"]), [0, 1])


def test_numbers_among_objects_are_labels():
    for labels in ([0, 1, 1], [False, True, True], [0.0, 1.0, 1.0]):
        classes, index = check_targets(np.array(labels, dtype=object), range(3))
        assert classes.dtype == np.array(labels).dtype
        assert_array_equal(index, [0, 1, 1])
    with pytest.raises(ValueError, match=r"one type.*\['int', 'str'\]"):
        check_targets(np.array([0, "a", 1], dtype=object), range(3))


def test_missing_times_are_missing_labels():
    y = np.array(["2020-01-01", "NaT", "2020-01-02"], dtype="M8[D]")
    with pytest.raises(ValueError, match="y must not hold missing labels, but row 1"):
        check_targets(y, range(3))


@pytest.mark.parametrize("y", [["1", "2"], np.array([1, 2], dtype="m8[s]")])
def test_texts_and_times_are_no_numbers(y):
    with pytest.raises(ValueError, match="y must hold numbers"):
        check_numbers(y, range(2))


def test_rows_that_have_yet_to_be_computed():
    lazy = pl.LazyFrame({"x": [1.0, 2.0]})
    for check in (is_text, lambda X: check_table(BaseEstimator(), X, reset=True)):
        with pytest.raises(ValueError, match=r"LazyFrame.*pass X.collect\(\)"):
            check(lazy)
