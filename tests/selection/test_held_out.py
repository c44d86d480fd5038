"""Tests of rows that the caller holds out."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
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


@pytest.mark.parametrize(
    "make",
    [
        *(LabelNoiseDetector, DataSelector, partial(DataRemoval, LinearSVC())),
        partial(DataRemoval, LinearSVC(), n_samples_to_remove="auto"),
    ],
)
@pytest.mark.parametrize("n_masked", [1, 30])
def test_masked_entries_are_missing(make, n_masked, quick, table):
    X, y, _ = table
    mask = np.zeros(X.shape, dtype=bool)
    mask.flat[:n_masked] = True
    masked, detector = np.ma.masked_array(X, mask), make(attributor=quick)
    for X_val in (masked, [*masked]):
        with pytest.raises(ValueError, match=f"^X_val .* {n_masked} entries are mas"):
            detector.fit(X, y, X_val=X_val, y_val=y)
    with pytest.raises(ValueError, match=f"^X must .* {n_masked} entries are masked"):
        detector.fit(masked, y, X_val=X[:20], y_val=y[:20])


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


UNITS = "X_val is far from X"


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_wine])
@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_rows_that_no_scaler_transformed_are_warned_of(load, scaler):
    frame, y = load(return_X_y=True, as_frame=True)
    for seed in range(5):
        X, X_val, _, y_val = train_test_split(frame, y, random_state=seed)
        scaler.fit(X)
        with pytest.warns(UserWarning, match=f"{UNITS} .* a frame. .*transform_input"):
            check_held_out(scaler.transform(X), X_val, y_val)
        with pytest.warns(UserWarning, match=f"{UNITS} .* only X were scaled. Behind"):
            check_held_out(scaler.transform(X), X_val.to_numpy(), y_val)
        check_held_out(scaler.transform(X), scaler.transform(X_val), y_val)
        check_held_out(X, X_val, y_val)


def test_small_numbers_beside_scaled_ones_are_warned_of():
    rng = np.random.default_rng(0)
    rows = 0.02 * rng.normal(size=(120, 8))
    X, X_val, y_val = StandardScaler().fit_transform(rows[:90]), rows[90:], [0, 1] * 15
    with pytest.warns(UserWarning, match=f"{UNITS} in 8 of 8 columns"):
        check_held_out(X, X_val, y_val)
    check_held_out(X, X_val[:19], y_val[:19])  # few rows may be close by chance
    check_held_out(rows[:90], X_val, y_val)


@pytest.mark.parametrize(
    ("n", "m", "n_columns", "is_told"),
    [
        (20, 5, 8, True),
        (19, 5, 8, False),  # rows of X
        (20, 4, 8, False),  # rows of X_val
        (20, 5, 9, False),  # less than a quarter of the columns
        (20, 5, 1, False),  # a single one
    ],
)
def test_two_columns_far_away_are_told_of_enough_rows(n, m, n_columns, is_told):
    X = np.random.default_rng(0).random((n, n_columns))
    X_val = X[:m].copy()
    X_val[:, :2] += 9
    frames = pd.DataFrame(X), pd.DataFrame(X_val)
    for tables in ((X, X_val), frames):
        if is_told:
            with pytest.warns(UserWarning, match=f"{UNITS} in 2 of .* scaled. Behind"):
                check_held_out(*tables, [0] * m)
        else:
            check_held_out(*tables, [0] * m)  # no warning


@pytest.mark.parametrize(
    ("X_val", "is_told"),
    [
        *((np.full(20, -0.24), False), (np.full(20, -0.26), True)),
        *((np.full(20, 1.24), False), (np.full(20, 1.26), True)),
        # Quartiles of X are 0.5 apart, those of X_val half of what it spans.
        *((np.linspace(0, 0.11, 20), False), (np.linspace(0, 0.09, 20), True)),
    ],
)
def test_columns_are_far_by_a_quarter_of_a_range_or_narrow_by_a_tenth(X_val, is_told):
    X, X_val = (np.column_stack([x, x]) for x in (np.linspace(0, 1, 20), X_val))
    if is_told:
        with pytest.warns(UserWarning, match=f"{UNITS} .* by 25% of .* by 10% of"):
            check_held_out(X, X_val, [0] * 20)
    else:
        check_held_out(X, X_val, [0] * 20)  # no warning


def sparse_frame(X):
    return pd.DataFrame(X).astype(pd.SparseDtype(float, 0.0))


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, np.ndarray.tolist])
@pytest.mark.parametrize(
    "other",
    [
        *(np.asarray, np.ndarray.tolist, sparse.csr_matrix, sparse.coo_array),
        *(pd.DataFrame, sparse_frame, lambda X: pd.DataFrame(X).astype("Float64")),
        lambda X: [*X],
    ],
)
def test_units_are_told_of_all_kinds_of_tables(kind, other):
    """Whichever of the two is given as what."""
    X = np.random.default_rng(0).random((40, 3))
    for tables in ((kind(X), other(9 * X + 7)), (other(X), kind(9 * X + 7))):
        with pytest.warns(UserWarning, match=f"{UNITS} in 3 of 3 columns"):
            check_held_out(*tables, [0, 1] * 20)
        check_held_out(tables[0], tables[0], [0, 1] * 20)  # no warning


@pytest.mark.parametrize("container", ["pandas", "nullable", "polars"])
def test_columns_that_are_no_numbers_do_not_count(container):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.random((40, 2)), columns=["a", "b"])
    X["flag"], X["count"] = rng.random(40) < 0.5, rng.integers(9, size=40)
    for name in "cdefgh":
        X[name] = rng.choice(["x", "y"], 40)
    X_val = X.assign(a=9 + X["a"])
    far = X_val.assign(b=9 + X["b"])
    tables = X, X_val, far
    if container == "nullable":
        tables = [table.convert_dtypes() for table in tables]
        tables[0].loc[3, "count"] = pd.NA
    elif container == "polars":
        polars = pytest.importorskip("polars")
        tables = [polars.DataFrame(table.to_dict("list")) for table in tables]
    X, X_val, far = tables
    with pytest.warns(UserWarning, match=f"{UNITS} in 2 of 3 columns"):
        check_held_out(X, far, [0, 1] * 20)
    check_held_out(X, X_val, [0, 1] * 20)  # no warning


def test_sparse_columns_are_told_where_most_are_not_zero():
    X = np.random.default_rng(0).random((40, 8))
    X[:20, 2:] = 0
    X_val = 9 * X + 7
    tables = sparse.csr_array(X), sparse.csr_array(X_val)
    with pytest.warns(UserWarning, match=f"{UNITS} in 2 of 8 columns"):
        check_held_out(*tables, [0, 1] * 20)
    words = [[i % 7] for i in range(40)]
    words = CountVectorizer(analyzer=list).fit_transform(words)
    check_held_out(words, 9 * words, [0, 1] * 20)  # no warning
    check_held_out(pd.DataFrame(index=range(40)), np.zeros((40, 0)), [0, 1] * 20)


def test_flags_are_in_no_units():
    X = np.random.default_rng(0).random((40, 4)) < 0.5
    check_held_out(X, X[:20], [0, 1] * 10)
    check_held_out(X, 9.0 + X, [0, 1] * 20)  # no warning


def test_rows_that_differ_as_rows_do_are_not_warned_of():
    rng = np.random.default_rng(0)
    X, y = load_wine(return_X_y=True)
    for column in X.T:  # a later time, or what is larger
        order = column.argsort()
        check_held_out(X[order[:120]], X[order[120:]], y[order[120:]])
    for label in range(3):
        check_held_out(X, X[y == label], y[y == label])
    for _ in range(300):
        for X in (
            rng.standard_cauchy((30, 4)),
            np.exp(2 * rng.normal(size=(30, 4))),
            (rng.random((30, 4)) < 0.1).astype(int),  # one-hot, and constant in places
            np.where(rng.random((30, 4)) < 0.5, np.nan, np.inf),
        ):
            check_held_out(X[:20], X[20:], y[:10])
    check_held_out(np.zeros((20, 2)), np.ones((20, 2)), y[:20])
    check_held_out([[0.0, 1.0]] * 20, np.full((20, 2), 9), y[:20])


@pytest.mark.parametrize(
    "make",
    [
        *(LabelNoiseDetector, partial(DataSelector, cv=3)),
        partial(DataRemoval, LinearSVC(), cv=3),
        partial(DataRemoval, LinearSVC(), n_samples_to_remove="auto"),
    ],
)
def test_rows_behind_a_scaler_are_warned_of_once(make, quick, table):
    X, y, _ = table
    estimator = make(attributor=quick)
    with pytest.warns(UserWarning, match=UNITS) as caught:
        estimator.fit(X, y, X_val=100 + X[:10], y_val=y[:10])
    assert [w.filename for w in caught if UNITS in str(w.message)] == [__file__]


def test_sparse_flags_have_no_units():
    rng = np.random.default_rng(0)
    X, X_val = (sparse.csr_array(rng.random((n, 3)) < 0.7) for n in (40, 30))
    check_held_out(X, X_val, np.arange(30) % 2)


def test_missing_values_do_not_hide_other_units():
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(60, 3)), 50 + 9 * rng.normal(size=(30, 3))
    X[0], X_val[1:4] = np.nan, np.nan
    X[:, 2] = np.nan
    with pytest.warns(UserWarning, match="far from X in 2 of 2 columns"):
        check_held_out(X, X_val, np.arange(30) % 2)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_ranges_of_a_matrix_are_those_of_its_array():
    X = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(UserWarning, match="X_val is far from X in 3 of 3 columns"):
        check_held_out(np.matrix(X), np.matrix(X + 100), np.zeros(40))
