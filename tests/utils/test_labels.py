"""Labels and targets are encoded, and bad ones named."""

import warnings
from enum import Enum

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.linear_model import RidgeClassifier
from sklearn.utils.multiclass import type_of_target

from skshap import (
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    flip_labels,
)
from skshap.utils._label_arrays import check_labels
from skshap.utils._labels import check_numbers, check_targets, encode_targets


class Topic(str, Enum):  # noqa: UP042  a StrEnum is its value as a text as well
    SPORT_INDOORS = "si"
    SPORT_OUTDOORS = "so"
    OTHER = "o"


@pytest.mark.parametrize("name", ["float64", "Float64", "Int64", "boolean"])
def test_missing_labels_are_named_by_row(name):
    y = pd.Series([1, 0, None, 1, None], dtype=name)
    for estimator in (KernelRidgeClassifier(), FreeShapRegressor()):
        with pytest.raises(
            ValueError, match=r"y must not hold .* 2 of 5 are .* in rows \[2, 4\];"
        ):
            estimator.fit(np.eye(5), y)


def test_targets_of_the_other_kind():
    with pytest.raises(
        ValueError, match=r"y must hold class labels.*FreeShapRegr.*Unk"
    ):
        KernelRidgeClassifier().fit(np.eye(3), [0.5, 1.5, 2.5])
    for y in (["a", "b", "a"], np.array(["a", "b", "a"], dtype=object)):
        with pytest.raises(ValueError, match=r"y must hold numbers.*"):
            FreeShapRegressor().fit(np.eye(3), y)


def test_numbers_that_may_be_no_classes():
    y = np.arange(30)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        type_of_target(y)
    if not found:
        pytest.skip("this scikit-learn says nothing of so many classes")
    with pytest.warns(UserWarning, match=r"unique classes.* FreeShapRegressor\.$"):
        FreeShapAttributor().fit(np.eye(30), y)
    with pytest.warns(UserWarning, match=r"unique classes.* classification problem\.$"):
        FreeShapAttributor().fit(np.eye(30), y.astype(str))


@pytest.mark.parametrize("method", ["explain", "attribute", "score", "estimate_cost"])
def test_the_label_of_a_single_row_goes_into_a_list(method):
    attributor = FreeShapAttributor(n_permutations=2)
    attributor.fit(np.eye(4), ["neg", "pos"] * 2)
    k = {"k": 1} if method == "explain" else {}
    getattr(attributor, method)(np.eye(4)[:1], ["neg"], **k)
    with pytest.raises(ValueError, match=r"y must be a list .*: \['neg'\]\.$"):
        getattr(attributor, method)(np.eye(4)[:1], "neg", **k)


def test_labels_may_be_read_only():
    y = np.array([0.0, 1.0, 2.0])
    y.flags.writeable = False
    regressor = FreeShapRegressor(n_permutations=2).fit(np.eye(3), y)
    values = regressor.attribute(np.eye(3)[::-1], y)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "UInt8"])
def test_labels_that_could_be_missing_keep_their_type(dtype):
    labels = pd.Series([1, 0, 1], dtype=dtype)
    given, _ = flip_labels(labels, rate=0.5, random_state=0)
    classes = KernelRidgeClassifier().fit(np.eye(3), labels).classes_
    assert given.dtype == classes.dtype == labels.dtype.numpy_dtype
    with pytest.raises(ValueError, match="missing"):
        flip_labels(pd.Series([1, None, 0], dtype=dtype), rate=0.5)


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


@pytest.mark.parametrize("labels", [["a", 1], ("a", True), [["a"], [1.5]]])
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_numbers_among_texts_stay_numbers(labels):
    with pytest.raises(ValueError, match=r"labels of one type, numbers or str, got"):
        check_targets(labels, [0, 1])


@pytest.mark.parametrize("missing", [float("nan"), None, np.nan])
def test_a_missing_label_among_texts_is_no_text(missing):
    with pytest.raises(ValueError, match=r"but 1 of 3 .*in rows \[2\];"):
        check_targets(["a", "b", missing], [0, 1, 2])
    with pytest.raises(ValueError, match=r"but 1 of 2 .*in rows \[0\];"):
        encode_targets([missing, "a"], np.array(["a", "b"]), [0, 1])


@pytest.mark.parametrize("container", [list, tuple, pd.Series])
def test_members_of_an_enum_are_not_cut(container):
    labels = [*Topic] * 4
    classes, y_index = check_targets(container(labels), labels)
    assert classes.tolist() == sorted(Topic)
    assert [classes[i] for i in y_index] == labels
    y_noisy, is_flipped = flip_labels(container(labels), rate=0.5, random_state=0)
    assert all(isinstance(label, Topic) for label in y_noisy)
    same = [a is b for a, b in zip(y_noisy, labels, strict=True)]
    assert_array_equal(same, ~is_flipped)


def test_integers_beyond_64_bits_and_complex_numbers_are_named():
    with pytest.raises(ValueError, match=r"\['int'\] of more than 64 bits; convert"):
        check_targets([2**70, 2**70 + 1], [0, 1])
    for check in (check_targets, check_numbers):
        with pytest.raises(ValueError, match="y must not hold complex numbers"):
            check(np.array([1j, 2]), [0, 1])
        with pytest.raises(ValueError, match="y must not hold complex numbers"):
            check([1j, 2], [0, 1])


@pytest.mark.parametrize(
    "labels",
    [
        [-1, 2**63, 2**63 + 1],
        [0.5, 2**60, 2**60 + 1],
        np.array([2.0, 2**60, 2**60 + 1], dtype=object),
        [0.5, np.int64(2**60), np.int64(2**60 + 1)],
        np.array([np.int64(-1), np.uint64(2**63), np.uint64(2**63 + 1)], dtype=object),
    ],
)
def test_integers_that_floats_would_round_are_named(labels):
    with pytest.raises(
        ValueError, match=f"y holds integers such as {labels[2]}, which"
    ):
        check_labels(labels, range(3))
    exact = [*labels[:2], 2**60 + 2**10]  # which floats hold
    assert len(check_labels(exact, range(3))) == 3
    assert check_numbers([0.5, 2**60 + 1], [0, 1]).tolist() == [0.5, 2**60]


def test_targets_of_a_regression_are_no_labels():
    y = np.repeat(np.arange(20), 2)
    rows = list(range(len(y)))
    with pytest.warns(UserWarning, match="20 classes of .* FreeShapRegressor"):
        check_targets(y, rows)
    for labels in (y.astype(str), np.repeat(np.arange(10), 2), np.repeat(y, 2)):
        check_targets(labels, range(len(labels)))  # no warning


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
    with pytest.raises(ValueError, match=r"y must .* 1 of 3 are NaT, in rows \[1\];"):
        check_targets(y, range(3))


def test_missing_labels_are_named_as_the_caller_does():
    for y in ([np.nan, 1.0], [None, 1], np.ma.masked_array([0, 1], [1, 0])):
        with pytest.raises(ValueError, match=r"^y_val must not hold .* in rows \[0\];"):
            encode_targets(y, np.array([0, 1]), [0, 1], "y_val")


@pytest.mark.parametrize("estimator", [DataSelector(), DataRemoval(RidgeClassifier())])
def test_masked_labels_are_no_labels(estimator):
    y = np.ma.masked_array([0, 1] * 10, [0, 1] + [0] * 18)
    with pytest.raises(ValueError, match=r"1 of 20 are masked, in rows \[1\]"):
        estimator.fit(np.eye(20), y)


@pytest.mark.parametrize("n_missing", [4, 5, 6])
def test_dots_say_that_more_are_missing(n_missing):
    y = np.where(np.arange(9) < n_missing, np.nan, 1.0)
    with pytest.raises(ValueError, match=f"{n_missing} of 9 are NaN") as raised:
        check_targets(y, range(9))
    assert ("..." in str(raised.value)) == (n_missing > 5)


def test_of_many_missing_labels_all_are_counted():
    y = np.where(np.arange(30) % 3, 1.0, np.nan)
    wanted = r"10 of 30 are NaN, in rows \[0, 3, 6, 9, 12\] \.\.\.; drop"
    with pytest.raises(ValueError, match=wanted):
        check_targets(y, range(30))


@pytest.mark.parametrize("y", [["1", "2"], np.array([1, 2], dtype="m8[s]")])
def test_texts_and_times_are_no_numbers(y):
    with pytest.raises(ValueError, match="y must hold numbers"):
        check_numbers(y, range(2))


@pytest.mark.parametrize("make", [np.asarray, list, pd.DataFrame])
def test_one_hot_labels_are_told_how_to_be_one_a_row(make):
    X, y = np.arange(18.0).reshape(9, 2), make(np.eye(3)[np.arange(9) % 3])
    hint = r"y\.idxmax\(" if make is pd.DataFrame else r"numpy\.argmax\(y, "
    message = rf"y must hold one entry a row: .*\(9, 3\).*pass {hint}axis=1\);"
    removal = DataRemoval(RidgeClassifier())
    for estimator in (FreeShapAttributor(), removal, DataSelector()):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, y)


def test_texts_keep_characters_at_their_end():
    labels = ["a", "b", "b\0"] * 4
    assert check_labels(labels, labels).tolist() == labels
    assert FreeShapAttributor().fit(np.eye(12), labels).classes_.tolist() == labels[:3]
