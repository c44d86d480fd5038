"""Splits of rows: those made, those taken, and those refused with a reason."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
)

from skshap.selection._splits import make_splits, other_splits

CLASSES = np.array(["a", "b"])


def test_folds_deal_out_every_class():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [17, 5]))
    splits = make_splits(5, y, CLASSES, 3)
    tests = np.concatenate([test for _, test in splits])
    assert_array_equal(np.sort(tests), np.arange(22))
    for train, test in splits:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(22))
        assert np.bincount(y[test], minlength=2).tolist() in ([3, 1], [4, 1])
    again = make_splits(5, y, CLASSES, 3)
    assert all((a[1] == b[1]).all() for a, b in zip(splits, again, strict=True))
    assert not all(
        np.array_equal(a[1], b[1])
        for a, b in zip(splits, make_splits(5, y, CLASSES, 4), strict=True)
    )


def test_a_class_smaller_than_the_number_of_folds_is_fine():
    y = np.repeat([0, 1], [20, 2])
    for train, _ in make_splits(5, y, CLASSES, 0):
        assert 1 in y[train]


@pytest.mark.parametrize(
    ("cv", "sizes", "message"),
    [
        (5, [2, 2], "cv=5 folds need at least as many rows, got n_samples=4"),
        (3, [5, 1], "split . of cv=3 trains on no row of class 'b', of which there"),
        (KFold(2), [4, 4], "split 1 .* trains on no row of class 'a'"),
        ([(np.arange(6), [])], [3, 3], "has no rows to evaluate on"),
        (ShuffleSplit(1, random_state=0), [9, 9], "in no split"),
    ],
)
def test_splits_that_cannot_value_every_row(cv, sizes, message):
    with pytest.raises(ValueError, match=message):
        make_splits(cv, np.repeat([0, 1], sizes), CLASSES, 0)


def test_targets_of_a_regression_are_told_from_rare_classes():
    sizes = np.r_[1, np.repeat([1, 2, 5], [20, 10, 5])]
    y, values = np.repeat(np.arange(36), sizes), np.arange(36.0)
    words = r"with 36 classes of n_samples=66, .* the target of a regression"
    with pytest.raises(ValueError, match=words):
        make_splits(5, y, values, 0)
    names, few = values.astype(str), np.repeat(np.arange(5), [1, 1, 1, 9, 9])
    for classes, index in ((names, y), (values[:5], few)):
        with pytest.raises(ValueError, match="add rows of that class"):
            make_splits(5, index, classes, 0)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([], "cv has no splits; a generator"),
        (GroupKFold(2), "'groups' parameter .* cv=list"),
        ([(np.arange(7), np.arange(2))], "cv cannot split n_samples=6 rows"),
        ([(np.arange(6.0), np.arange(2))], "cv cannot split n_samples=6 rows"),
        ([(1, 2, 3)], "cv cannot split n_samples=6 rows"),
        (
            [(np.arange(6), np.arange(6))],
            "split 1 of cv trains .* a row that it evaluates",
        ),
        (
            [([0, 2, 2, 1, 3, 4], [5])],
            "split 1 of cv trains on a row twice, such as row 2;",
        ),
        (
            [([0, 1, 2, 3], [4]), ([0, 1, 2, 4], [5, 3, 5])],
            "split 2 of cv evaluates on a row twice, such as row 5;",
        ),
        ([([0, 1, 2, 3], [5, -1])], "split 1 of cv evaluates on a row twice"),
        ([([-1, 0, 1, 3, 4], [5])], "split 1 of cv trains .* a row that it evaluates"),
    ],
)
def test_splits_that_would_count_wrongly(cv, message):
    with pytest.raises(ValueError, match=message):
        make_splits(cv, np.array([0, 1] * 3), np.array([0, 1]), 0)


def test_splitters_that_need_groups_go_in_as_an_iterable():
    y, groups = np.array([0, 1] * 6), np.repeat(np.arange(4), 3)
    splits = make_splits(list(GroupKFold(4).split(y, y, groups)), y, CLASSES, 0)
    assert len(splits) == 4


def test_splits_may_be_masks_lists_and_negative():
    y_index = np.array([0, 1] * 3)
    halves = [([0, 1, 2], [3, 4, 5]), ([3, 4, 5], [0, 1, 2])]
    is_first = np.arange(6) < 3
    masks = [(is_first, ~is_first), (~is_first, is_first)]
    negative = [((0, 1, 2), (-3, -2, -1)), ([-3, -2, -1], [0, 1, 2])]
    for cv in (halves, masks, negative, iter(halves)):
        found = make_splits(cv, y_index, np.array([0, 1]), 0)
        assert [[part.tolist() for part in split] for split in found] == [
            [[0, 1, 2], [3, 4, 5]],
            [[3, 4, 5], [0, 1, 2]],
        ]


def test_all_rows_that_no_split_trains_on_are_told_apart():
    splits = [([0, 1, 4, 5], [2]), ([0, 1, 4, 5], [3])]
    with pytest.raises(ValueError, match=r"cv trains on rows \[2, 3\] in no split"):
        make_splits(splits, np.array([0, 1] * 3), CLASSES, 0)


def test_advice_is_a_validation_set():
    y_index = np.repeat([0, 1], [5, 1])
    for cv in (3, 7):  # too few rows of a class, too few rows
        with pytest.raises(ValueError, match=r", or pass X_val .* with cv=None\.$"):
            make_splits(cv, y_index, CLASSES, 0)


def test_other_splits_evaluate_on_other_rows():
    folds = make_splits(3, np.array([0, 1] * 6), CLASSES, 0)
    assert_array_equal(other_splits(12, folds), ~np.eye(3, dtype=bool))
    # Of a second repetition each fold shares rows with some of the first.
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    splits = make_splits(cv, np.array([0, 1] * 6), CLASSES, 0)
    expected = [[not set(a) & set(b) for _, b in splits] for _, a in splits]
    assert_array_equal(other_splits(12, splits), expected)


def test_rows_that_no_other_split_values_are_counted():
    halves = make_splits(2, np.array([0, 1] * 6), CLASSES, 0)
    with pytest.raises(ValueError, match=r"for 12 rows, \[0, 1, 2\] and so on"):
        other_splits(12, halves)
    # Rows 4 and 5 are trained on in splits that evaluate on the same row alone.
    splits = [
        ([0, 1, 2, 3, 4, 5], [6]),
        ([0, 1, 2, 3, 4, 5], [6, 7]),
        ([0, 1, 2, 3], [8]),
    ]
    with pytest.raises(ValueError, match=r"for 2 rows, \[4, 5\] and so on"):
        other_splits(9, splits)


def test_as_many_folds_as_rows_leave_one_row_out_each():
    splits = make_splits(4, np.array([0, 1, 0, 1]), CLASSES, 0)
    assert sorted(test.tolist() for _, test in splits) == [[0], [1], [2], [3]]


def test_of_large_folds_some_rows_are_evaluated_on():
    sizes = np.array([600, 250, 50])
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(3), sizes))
    whole = make_splits(3, y, np.arange(3), 0)
    some = make_splits(3, y, np.arange(3), 0, most_evaluated=120)
    for (train, test), (every, fold) in zip(some, whole, strict=True):
        assert_array_equal(train, every)
        assert 95 <= len(test) <= 120
        assert np.isin(test, fold).all()
        assert_allclose(np.bincount(y[test]) / len(test), sizes / 900, atol=0.02)


@pytest.mark.parametrize("rare", [0, 1])
def test_a_rare_class_is_evaluated_on_whatever_its_name(rare):
    y = np.where(np.arange(900) < 6, rare, 1 - rare)
    for _, test in make_splits(3, y, CLASSES, 0, most_evaluated=50):
        assert (y[test] == rare).sum() == 1
        assert 48 <= len(test) <= 51
