"""Checks of rows."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from skshap import (
    ColumnKernel,
    FreeShapAttributor,
    KernelRidgeClassifier,
    LabelNoiseDetector,
    PairwiseKernel,
)
from skshap.utils._texts import is_text
from skshap.utils._validation import check_rows, check_table
from tests.rows import class_rows, with_twins

TEXTS = ["one", "two three"]


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


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: KernelRidgeClassifier(kernel="rbf"),
        lambda: FreeShapAttributor("cosine"),
        lambda: LabelNoiseDetector(contamination=0.1),
    ],
)
def test_sparse_entries_that_are_stored_twice(make, kind):
    X, y = class_rows(30)
    X[X < 0.3] = 0
    X_val, twins = X[:8] + (X[:8] > 0) / 4, with_twins(X).asformat(kind)
    results = []
    for rows, rows_val in [
        (twins, with_twins(X_val)),
        (sparse.csr_matrix(X), sparse.csr_matrix(X_val)),
    ]:
        estimator = make()
        if isinstance(estimator, LabelNoiseDetector):
            estimator.fit(rows, y, X_val=rows_val, y_val=y[:8])
            results.append(estimator.label_quality_)
        else:
            results.append(estimator.fit(rows, y).decision_function(rows_val))
    assert_array_equal(*results)


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


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, pd.DataFrame])
def test_complex_numbers_are_named(container):
    with pytest.raises(ValueError, match="X must not hold complex numbers") as caught:
        check_rows(BaseEstimator(), container(np.eye(30) + 0j), reset=True, sparse=True)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("make", [lambda X: X.bfloat16(), lambda X: X.requires_grad_()])
def test_tensors_that_become_no_arrays_are_named(make):
    X = make(torch.eye(3))
    with pytest.raises(ValueError, match="X must be an array, but this Tensor cannot"):
        check_rows(BaseEstimator(), X, reset=True)
    assert_array_equal(check_rows(BaseEstimator(), torch.eye(3), reset=True), np.eye(3))


def test_masked_values_are_missing():
    table = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 0], [1, 0]])
    with pytest.raises(ValueError, match="1 entries are masked"):
        check_rows(BaseEstimator(), table, reset=True)
    with pytest.raises(ValueError, match="1 entries are masked"):
        check_rows(BaseEstimator(), list(table), reset=True)
    unmasked = np.ma.masked_array(table.data)
    assert_array_equal(check_rows(BaseEstimator(), unmasked, reset=True), table.data)


def test_rows_of_several_lengths_are_told_by_them():
    words = "one length, got rows of 1 to 3 entries"
    with pytest.raises(ValueError, match=words):
        check_rows(BaseEstimator(), [[1, 2], [3, 4, 5], [6]], reset=True)


@pytest.mark.parametrize(
    "row", [np.array(1.0), {"a": 1.0}, sparse.csr_matrix([[1.0, 2.0]])]
)
def test_rows_without_a_length_get_the_message_of_scikit_learn(row):
    words = "Expected 2D array|setting an array element|must be a string or a real"
    with pytest.raises((TypeError, ValueError), match=words):
        check_rows(BaseEstimator(), [row, row], reset=True)


def test_integers_beyond_all_floats_are_refused():
    for X in ([[10**400], [1]], np.array([[10**400], [1]], dtype=object)):
        with pytest.raises(ValueError, match="X holds an integer that is too large"):
            check_rows(BaseEstimator(), X, reset=True)


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


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_names_of_columns_of_pairs(frame, names_of_polars):
    if frame is pl.DataFrame and not names_of_polars:
        pytest.skip("scikit-learn reads no names of this polars")
    estimator, pairs = BaseEstimator(), [("good film", "bad"), ("a plot", "slow")]
    X = frame(dict(zip(["first", "second"], zip(*pairs, strict=True), strict=True)))
    assert check_rows(estimator, X, reset=True) == pairs
    assert estimator.feature_names_in_.tolist() == ["first", "second"]
    assert not hasattr(estimator, "n_features_in_")
    assert check_rows(estimator, X, reset=False) == pairs
    with pytest.raises(ValueError, match="must be in the same order"):
        check_rows(estimator, X[["second", "first"]], reset=False)
    renamed = X[:]
    renamed.columns = ["a", "second"]
    with pytest.raises(ValueError, match="names unseen at fit time:\n- a"):
        check_rows(estimator, renamed, reset=False)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert check_rows(estimator, pairs, reset=False) == pairs
    # Fitting again on a list forgets them.
    check_rows(estimator, pairs, reset=True)
    assert not hasattr(estimator, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but BaseEstimator"):
        check_rows(estimator, X, reset=False)


def test_rows_that_have_yet_to_be_computed():
    lazy = pl.LazyFrame({"x": [1.0, 2.0]})
    for check in (is_text, lambda X: check_table(BaseEstimator(), X, reset=True)):
        with pytest.raises(ValueError, match=r"LazyFrame.*pass X.collect\(\)"):
            check(lazy)


def test_tables_of_pyarrow_have_neither_names_nor_types_of_numpy():
    class Table:
        column_names, columns, shape = ["a"], [[1.0, 2.0]], (2, 1)

        def to_pandas(self):
            return pd.DataFrame({"a": [1.0, 2.0]})

    for check in (is_text, lambda X: check_table(BaseEstimator(), X, reset=True)):
        with pytest.raises(ValueError, match=r"pass X.to_pandas\(\)"):
            check(Table())


@pytest.mark.parametrize("names", [[0, 1, 2], [2022, 2020, 2021], [("a", 1), 3.5, 2]])
@pytest.mark.parametrize("kernel", ["rbf", make_pipeline(PairwiseKernel())])
def test_columns_named_by_numbers_stay_in_order(kernel, names):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(8, 3)))
    frame.columns = pd.Index(names, tupleize_cols=False)
    attributor = FreeShapAttributor(kernel).fit(frame, [0, 1] * 4)
    values = attributor.decision_function(frame)
    moved = frame.iloc[:, [0, 2, 1]]
    with pytest.raises(ValueError, match=r"in the same order, but column 1 was .* X\["):
        attributor.decision_function(moved)
    back = moved[frame.columns]
    assert_array_equal(attributor.decision_function(back), values)
    # Arrays say nothing of columns.
    assert (attributor.decision_function(moved.to_numpy()) != values).any()
    attributor.fit(frame.to_numpy(), [0, 1] * 4).decision_function(moved)


def test_names_of_columns_with_gaps_are_the_same_again():
    X, y = class_rows(8)
    pairs = [("a", 1.0), ("b", float("nan")), ("c", None)]
    train, new = (
        pd.DataFrame(X, columns=pd.MultiIndex.from_tuples(pairs)) for _ in y[:2]
    )
    attributor = FreeShapAttributor().fit(train, y)
    assert_array_equal(attributor.predict(new), attributor.predict(X))


@pytest.mark.parametrize(
    "names",
    [
        [1, 2, 3],
        [2022, 2023, 2024],
        pd.to_datetime(["2022-01-01", "2023-01-01", None]),
        [("a", 1), ("a", 2), ("b", 1)],
    ],
)
@pytest.mark.parametrize(
    "kernel",
    ["rbf", ColumnKernel([("some", "rbf", [0, 1]), ("other", "rbf", [2])])],
)
def test_columns_of_other_names_that_are_no_strings(kernel, names):
    X, y = class_rows(8)
    frame = pd.DataFrame(X)
    named = frame.set_axis(names, axis=1)
    attributor = FreeShapAttributor(kernel).fit(named, y)
    values = attributor.decision_function(named)
    other = named.set_axis([7, *named.columns[1:]], axis=1)
    words = r"columns of fit, but column 0 was .* and is 7 here; pass X\["
    with pytest.raises(ValueError, match=words):
        attributor.decision_function(other)
    # Numbers from 0 on say nothing, on either side.
    assert_array_equal(attributor.decision_function(frame), values)
    attributor.fit(frame, y)
    assert_array_equal(attributor.decision_function(named), values)
    moved = "in the same order, but column 0 was 0 there and is 2 here"
    with pytest.raises(ValueError, match=moved):
        attributor.decision_function(frame[[2, 1, 0]])
