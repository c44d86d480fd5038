"""Labels in another order than their rows are refused, whoever is given both."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skshap import (
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    LabelNoiseReport,
)
from skshap.utils._order import check_order

QUICK = FreeShapAttributor(n_permutations=2, random_state=0)
NAMES = [f"row {i}" for i in range(12)]
X = pd.DataFrame({"a": np.arange(12.0), "b": [0.0, 2.0] * 6}, index=NAMES)
Y = pd.Series([0, 1] * 6, index=NAMES)
MESSAGE = r"y must be in the order of X, .* row 0 is 'row 0' in X and 'row 11' in y\."

ESTIMATORS = [
    QUICK,
    FreeShapRegressor(n_permutations=2, random_state=0),
    KernelRidgeClassifier(kernel="rbf"),
    KernelRidgeClassifierCV(kernel="rbf"),
    DataRemoval(LogisticRegression(), QUICK, cv=2, random_state=0),
    DataSelector(cv=2, random_state=0),
    LabelNoiseDetector(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_fit_refuses_labels_in_another_order(estimator):
    with pytest.raises(ValueError, match=MESSAGE) as caught:
        estimator.fit(X, Y[::-1])
    assert "y.loc[X.index]" in str(caught.value)
    assert "y.to_numpy()" in str(caught.value)
    estimator.fit(X, Y[::-1].loc[X.index])
    estimator.fit(X, Y[::-1].to_numpy())


@pytest.mark.parametrize(
    "estimator", [*ESTIMATORS[4:], DataRemoval(LogisticRegression(), random_state=0)]
)
@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_held_out_rows_and_labels_go_together(estimator):
    message = MESSAGE.replace("y", "y_val").replace("X", "X_val")
    with pytest.raises(ValueError, match=message) as caught:
        estimator.fit(X, Y, X_val=X, y_val=Y[::-1])
    assert "y_val.loc[X_val.index]" in str(caught.value)
    with pytest.raises(ValueError, match=MESSAGE):
        estimator.fit(X, Y[::-1], X_val=X, y_val=Y)
    estimator.fit(X, Y, X_val=X[::-1], y_val=Y[::-1])


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.parametrize("method", ["attribute", "score", "explain"])
@pytest.mark.parametrize("attributor", ESTIMATORS[:2])
def test_attributors_refuse_labels_in_another_order(attributor, method):
    attributor.fit(X, Y)
    call = getattr(attributor, method)
    with pytest.raises(ValueError, match=MESSAGE):
        call(X, Y[::-1])
    call(X, Y)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_values_of_reversed_rows_with_their_labels_agree():
    attributor = QUICK.fit(X, Y)
    assert_allclose(attributor.attribute(X[::-1], Y[::-1]), attributor.attribute(X, Y))


def test_report_refuses_another_order():
    detector = LabelNoiseDetector().fit(X, Y)
    is_noisy = pd.Series(np.arange(12) == 3, index=NAMES)
    with pytest.raises(ValueError, match=MESSAGE.replace("'row 11'", "'row 1'")):
        LabelNoiseReport.from_detector(detector, X, Y.iloc[[1, 0, *range(2, 12)]])
    with pytest.raises(ValueError, match="is_noisy must be in the order of X"):
        LabelNoiseReport.from_detector(detector, X, Y, is_noisy=is_noisy[::-1])
    LabelNoiseReport.from_detector(detector, X, Y, is_noisy=is_noisy)


@pytest.mark.parametrize(
    ("index", "other"),
    [
        (["a", "b", "c"], ["a", "c", "b"]),
        ([0, 1, 2], [0, 2, 1]),
        (range(1, 4), [1, 3, 2]),
        ([5, "x", np.nan], [5, np.nan, "x"]),
        (
            pd.MultiIndex.from_tuples([(0, 1), (1, 0), (1, 1)]),
            pd.MultiIndex.from_tuples([(0, 1), (1, 1), (1, 0)]),
        ),
    ],
)
def test_names_in_another_order(index, other):
    rows, labels = pd.DataFrame({"a": [1, 2, 3]}, index), pd.Series([0, 1, 1], other)
    for y in (labels, labels.to_frame()):
        with pytest.raises(ValueError, match=r"another order: row 1 is"):
            check_order(rows, y)
    with pytest.raises(ValueError, match="another order"):
        check_order(rows["a"], labels)  # texts are in a series
    check_order(rows, labels.loc[rows.index])


@pytest.mark.parametrize(
    "other",
    [
        ["a", "b", "c"],
        pd.CategoricalIndex(["a", "b", "c"]),
        ["d", "e", "f"],
        ["b", "a"],  # said by the check of lengths
        ["b", "a", "a"],
        range(3),
    ],
)
def test_other_indices_are_fine(other):
    rows = pd.DataFrame({"a": [1, 2, 3]}, index=["a", "b", "c"])
    check_order(rows, pd.Series(0, other))
    twice = pd.DataFrame({"a": [1, 2, 3]}, index=["c", "c", "b"])
    check_order(twice, pd.Series(0, other))


DAYS = pd.date_range("2020-01-01", periods=3)


@pytest.mark.parametrize(
    "index",
    [
        pd.interval_range(0, 3),
        pd.IntervalIndex.from_tuples([(0, 2.5), (1, 3.5), (2, 4.5)]),
        pd.interval_range(DAYS[0], periods=3),
        pd.MultiIndex.from_arrays([pd.interval_range(0, 3), ["a", "a", "b"]]),
        pd.MultiIndex.from_arrays([[1, 1, None], DAYS]),
        pd.MultiIndex.from_arrays([[1.0, 2.0, np.nan]]),
        DAYS,
        DAYS.tz_localize("Europe/Berlin"),
        pd.DatetimeIndex([DAYS[1], "NaT", DAYS[0]]),
        pd.timedelta_range("1s", periods=3),
        pd.period_range("2020", periods=3, freq="M"),
        pd.Index([1, None, 3], dtype="Int64"),
        pd.Index([1, pd.NA, "x"], dtype=object),
        pd.Index([[1], [2], 3], dtype=object),
        pd.CategoricalIndex(["a", None, "c"]),
        [True, False, None],
    ],
    ids=lambda index: type(index).__name__,
)
def test_names_of_all_kinds_in_another_order(index):
    rows = pd.DataFrame({"a": [1, 2, 3]}, index)
    check_order(rows, pd.Series(0, rows.index.copy(deep=True)))
    check_order(rows, pd.Series(0, rows.index.astype(object)))
    moved = rows.index[[0, 2, 1]]
    for other in (moved, moved.astype(object)):
        with pytest.raises(ValueError, match="another order"):
            check_order(rows, pd.Series(0, other))
    with pytest.warns(UserWarning, match="1 of 2 names"):
        check_order(rows[:2], pd.Series(0, rows.index[[1, 2]]))


def test_categories_are_compared_with_what_they_are_of():
    rows = pd.DataFrame({"a": [1, 2, 3]}, DAYS)
    with pytest.raises(ValueError, match="another order"):
        check_order(rows, pd.Series(0, pd.CategoricalIndex(DAYS[[0, 2, 1]])))


def test_names_of_other_kinds_are_others():
    day = DAYS.tz_localize("UTC")
    indices = [
        range(1, 4),
        ["a", "b", "c"],
        np.arange(3) + 0.5,
        pd.interval_range(0, 3),
        pd.IntervalIndex.from_tuples([(0, 2.5), (1, 3.5), (2, 4.5)], closed="left"),
        pd.MultiIndex.from_arrays([["a", "a", "b"], [1, 2, 1]]),
        pd.MultiIndex.from_arrays([["a", "a", "b"], [1, 2, 1], [1, 2, 3]]),
        DAYS,
        DAYS.asi8,
        DAYS.astype(str),
        day,
        DAYS.to_period("D"),
        DAYS - DAYS[0],
        pd.Index([[1], [2], 3], dtype=object),
    ]
    for index in indices:
        for other in indices:
            check_order(pd.DataFrame({"a": [1, 2, 3]}, index), pd.Series(0, other))


@pytest.mark.parametrize("points", [[1.5, 0.5, 2.5], [1, 2, 9], range(1, 4)])
def test_intervals_are_not_named_by_points_inside(points):
    windows = pd.DataFrame({"a": [1, 2, 3]}, pd.interval_range(0, 3))
    check_order(windows, pd.Series(0, points))


def test_levels_that_only_labels_have_or_lack_say_nothing():
    names = [np.arange(12) // 2, np.arange(12) % 2, np.arange(12)]
    index = pd.MultiIndex.from_arrays(names, names=["patient", "visit", "day"])
    for rows, labels in (
        (X.set_axis(index), Y.set_axis(index.droplevel("day"))),
        (X.set_axis(index.droplevel("day")), Y.set_axis(index)),
    ):
        KernelRidgeClassifier().fit(rows, labels)


def test_a_date_is_the_same_in_whatever_units():
    rows = pd.DataFrame({"a": [1, 2, 3]}, DAYS.as_unit("ns"))
    labels = pd.Series(0, DAYS.as_unit("s"))
    check_order(rows, labels)
    with pytest.raises(ValueError, match="another order"):
        check_order(rows, labels[::-1])


def test_names_that_are_there_twice_in_another_order():
    index = ["a", "a", "b", "c"]
    X = pd.DataFrame({"x": range(4)}, index=index)
    check_order(X, pd.Series(0, index))
    check_order(X, pd.Series(0, ["c", "b", "b", "a"]))  # others, or as often
    numbers = pd.DataFrame({"x": range(4)}, index=pd.Index([1, 1, 2, 3], dtype="Int64"))
    check_order(numbers, pd.Series(0, [1, 1, 2, 3]))  # of another type
    with pytest.raises(ValueError, match=r"y must be .* more than once.*to_numpy"):
        check_order(X, pd.Series(0, index[::-1]))


def test_an_index_that_may_have_been_reset_only_warns():
    fresh, shuffled = pd.DataFrame({"a": [1, 2, 3]}), pd.Series(0, index=[2, 0, 1])
    for rows, labels in (
        (fresh, shuffled),
        (fresh.loc[shuffled.index], shuffled.reset_index(drop=True)),
    ):
        with pytest.warns(UserWarning, match=r"row 0 is .* The order is taken"):
            check_order(rows, labels)
        check_order(rows, labels.to_numpy())


def test_only_pandas_has_an_index():
    labels = pd.Series([1, 0], index=[1, 0])
    for rows in ([1, 2], np.eye(2), pl.DataFrame({"a": [1, 2]}), None):
        check_order(rows, labels)
    for y in ([1, 0], np.array([1, 0]), pl.Series([1, 0]), None):
        check_order(pd.DataFrame({"a": [1, 2]}), y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_labels_some_of_which_are_of_other_rows_are_warned_of(estimator):
    words = (
        r"2 of 10 names in the index of y are not in that of X; .*y\.loc\[X\.index\]"
    )
    with pytest.warns(UserWarning, match=words) as caught:
        estimator.fit(X[:10], Y[2:])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    estimator.fit(X[:10], Y.loc[X[:10].index])
    estimator.fit(X[:10], Y[2:].to_numpy())


def test_numbered_slices_of_other_rows_are_warned_of():
    numbered = X.reset_index(drop=True), Y.reset_index(drop=True)
    for cut in (slice(2, 8), [2, 3, 5, 7, 9, 10]):
        with pytest.warns(UserWarning, match="of 6 names in the index of y are not in"):
            QUICK.fit(numbered[0].iloc[cut], numbered[1].iloc[4:10])
    # Labels that begin at zero may have been numbered anew.
    with pytest.warns(UserWarning, match="are not in .* may be a new one"):
        QUICK.fit(numbered[0].iloc[2:8], numbered[1].iloc[:6])
    # So are many tables that are made of others; others have no name in common.
    QUICK.fit(numbered[0].iloc[:6], numbered[1].iloc[4:10])
    QUICK.fit(numbered[0].iloc[1:6], numbered[1].iloc[7:12])
    QUICK.fit(X[:6], numbered[1].iloc[4:10])


def test_groups_some_of_which_are_of_other_rows_are_warned_of():
    fitted, groups = QUICK.fit(X[:6], Y[:6]), pd.Series([0, 1] * 6, index=NAMES)
    words = r"2 of 6 names in the index of groups are not in that of X_train; "
    with pytest.warns(UserWarning, match=words):
        fitted.attribute(X[6:], Y[6:], groups=groups[2:8])
    fitted.attribute(X[6:], Y[6:], groups=groups[:6])


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.parametrize(
    "rows",
    [X, X.to_numpy(), pd.DataFrame(X.to_numpy())],
    ids=["names", "no names", "numbers"],
)
def test_entries_are_in_the_order_of_labels_where_rows_have_no_names(rows):
    entries = pd.Series(np.arange(12) == 3, index=NAMES)
    detector, fitted = LabelNoiseDetector().fit(rows, Y), clone(QUICK).fit(rows, Y)
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        removal = DataRemoval(model, QUICK, cv=2, random_state=0)

        def fit(weights):
            removal.fit(rows, Y, sample_weight=weights + 1)

        def show(mask):
            LabelNoiseReport.from_detector(detector, rows, Y, is_noisy=mask)

        def score(weights):
            fitted.score(rows, Y, sample_weight=weights + 1)

        def attribute(groups):
            fitted.attribute(rows, Y, groups=groups)

        for use in (fit, show, score, attribute):
            use(entries)
            use(entries[::-1].to_numpy())
            with pytest.raises(ValueError, match=r"must be in the order of [Xy]"):
                use(entries[::-1])


def test_parts_of_a_split_go_together():
    parts = train_test_split(X, Y, random_state=0)
    X_train, X_val, y_train, y_val = parts
    removal = DataRemoval(LogisticRegression(), QUICK, n_samples_to_remove=1)
    removal.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    check_order(X_train, y_val)  # of other lengths
