"""Labels that look misspelt, and those of single rows, are told before all else."""

import warnings

import numpy as np
import pytest

from skshap import LabelNoiseDetector
from skshap.selection._rare_labels import is_near, misspelt, warn_of_labels


@pytest.mark.parametrize(
    "name", ["psoitive", "positve", "positivee", "pozitive", "ositive", "positiv"]
)
def test_one_letter_is_near(name):
    assert is_near(name, "positive")
    assert is_near("positive", name)
    assert is_near(f"very {name}", "very positive")
    assert is_near(name.title(), "positive")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("negative", "positive"),
        ("unacceptable", "acceptable"),
        ("male", "female"),
        ("class 1", "class 2"),
        ("class1", "class"),
        ("cat", "car"),
        ("dog", "dogs"),
        ("abcd", "dcba"),
        ("abcde", "cbade"),
        ("positive", "positive"),
        ("long name", "longname"),
        ("team a", "team b"),
        ("class II", "class I"),
        ("size XXL", "size XL"),
        ("A19.0 of lung", "C19.0 of lung"),
        ("LFPG", "LFPO"),
        ("good film", "goood filme"),
    ],
)
def test_others_are_not(name, other):
    assert not is_near(name, other)
    assert not is_near(other, name)


def test_rare_labels_may_be_frequent_ones_misspelt():
    classes = np.array(["Spam", "ham", "spam", "spamm", "span"], dtype=object)
    assert misspelt(classes, np.array([60, 80, 70, 5, 6])) == {0: 2, 3: 2}
    # Not if the frequent one has less than ten times as many rows.
    assert misspelt(classes, np.array([1, 80, 49, 5, 6])) == {0: 2}
    assert misspelt(np.array(["a  b", "A b "]), np.array([1, 2])) == {0: 1}
    assert misspelt(np.array([10000, 10001]), np.array([1, 50])) == {}
    assert misspelt(np.array([b"spam", b"spma"]), np.array([50, 1])) == {}


def caught_of(classes, given):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_labels(np.array(classes, dtype=object), np.array(given))
    return [str(warning.message) for warning in caught]


def test_they_are_named_with_their_rows():
    first, second = caught_of(
        ["good", "goood", "odd"], [0] * 30 + [1] * 2 + [2] + [1] + [0] * 10
    )
    assert "'goood' (rows: 3, the first: 30) for 'good'." in first
    assert "'odd' (row 32): " in second and "goood" not in second


def test_the_first_three_are_named():
    classes = ["good", "goo", "ggod", "godo", "goood", "gooda", "gool"]
    given = [0] * 90 + [1, 2, 3, 4, 5, 6]
    (message,) = caught_of(classes, [*given, 1])
    assert message.count(" for 'good'") == 3 and "and others. They" in message
    assert caught_of(["good", "bad"], [0] * 30 + [1] * 2) == []


def test_the_detector_warns(noisy_iris):
    X, y = noisy_iris[0], noisy_iris[1].astype(str).astype(object)
    y[y == "0"] = "setosa"
    y[[3, 5]] = "Setosa "
    with pytest.warns(UserWarning, match=r"'Setosa ' \(rows: 2, the first: 3\)"):
        LabelNoiseDetector().fit(X, y)
