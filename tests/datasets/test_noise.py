"""Flipped labels: how many, where, and to what."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skshap.datasets import flip_labels

LABELS = {
    "int": [3, 7, 11],
    "negative": [-1, 1],
    "bool": [False, True],
    "str": ["no", "yes", "perhaps not"],
    "float": [0.0, 1.0, 2.0],
}


@given(
    kind=st.sampled_from(sorted(LABELS)),
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    rate=st.floats(0, 1, exclude_min=True, exclude_max=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_mask_count_and_classes(kind, codes, rate, seed):
    classes = LABELS[kind]
    # The first two rows hold two classes, whatever was drawn.
    y = np.array([classes[0], classes[1], *(classes[c % len(classes)] for c in codes)])
    before = y.copy()
    y_noisy, flipped = flip_labels(y, rate=rate, random_state=seed)
    assert_array_equal(y, before)
    assert y_noisy.dtype == y.dtype and flipped.dtype == bool
    assert_array_equal(flipped, y_noisy != y)
    assert flipped.sum() == round(rate * len(y))
    assert set(y_noisy) <= set(y)


def test_rows_and_new_classes_are_uniform():
    rng = np.random.RandomState(0)
    n, n_draws = 12, 2000
    y = np.arange(n) % 4
    rows, moves = np.zeros(n), np.zeros((4, 4))
    for _ in range(n_draws):
        y_noisy, flipped = flip_labels(y, rate=0.25, random_state=rng)
        rows += flipped
        np.add.at(moves, (y[flipped], y_noisy[flipped]), 1)
    # Each row is flipped in a quarter of the draws; five standard deviations of room.
    assert np.abs(rows - n_draws / 4).max() < 5 * np.sqrt(n_draws * 3 / 16)
    assert_array_equal(moves.diagonal(), 0)
    off_diagonal = moves[~np.eye(4, dtype=bool)]
    expected = n_draws * 3 / 12  # three flips a draw, twelve moves
    assert np.abs(off_diagonal - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize(
    "y",
    [
        ["no", "yes"] * 20,
        (0, 1) * 20,
        np.array(["no", "yes"] * 20, dtype=object),
        np.array([0, 1] * 20, dtype=np.int8),
        pd.Series(["no", "yes"] * 20),
        pd.Series(["no", "yes"] * 20, dtype="category"),
    ],
    ids=["list", "tuple", "object", "int8", "series", "categorical"],
)
def test_array_likes_keep_their_dtype(y):
    y_noisy, flipped = flip_labels(y, rate=0.2, random_state=0)
    assert isinstance(y_noisy, np.ndarray)
    assert y_noisy.dtype == np.asarray(y).dtype
    assert_array_equal(flipped, y_noisy != np.asarray(y))
    assert flipped.sum() == 8


def test_seed_decides_and_none_does_not():
    y = np.arange(1000) % 3
    first, again = (flip_labels(y, random_state=3)[0] for _ in range(2))
    assert_array_equal(first, again)
    assert (flip_labels(y, random_state=4)[0] != first).any()
    assert (flip_labels(y)[0] != flip_labels(y)[0]).any()


def test_default_rate_is_a_tenth():
    assert flip_labels(np.arange(50) % 2, random_state=0)[1].sum() == 5


def test_read_only_labels():
    y = np.arange(50) % 2
    y.flags.writeable = False
    assert flip_labels(y, random_state=0)[1].sum() == 5


@pytest.mark.parametrize(
    "rate", [0, 1, 0.0, 1.0, -0.1, 1.5, np.nan, np.inf, True, "0.1", None]
)
def test_bad_rate(rate):
    with pytest.raises(ValueError, match="rate must be a number above 0 and below 1"):
        flip_labels([0, 1], rate=rate)


def test_one_class():
    with pytest.raises(ValueError, match=r"at least two classes .* got 1: \['yes'\]"):
        flip_labels(["yes", "yes"])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0, 1], [1, 0]], "1d array"),
        ([0.5, 1.5, 2.0], "Unknown label type"),
        ([0.0, 1.0, np.nan], "NaN"),
        ([], "at least two classes|minimum of 1 is required"),
        ("yes", "must be a list or array"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        flip_labels(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b", float("nan")], r"missing values, but 1 of 3 are .*rows \[2\]"),
        (["a", 1], "labels of one type"),
        ([b"a", b"b"], "labels of one type"),
    ],
)
def test_what_is_no_label_is_not_made_one(y, message):
    with pytest.raises(ValueError, match=message):
        flip_labels(y, rate=0.5)
