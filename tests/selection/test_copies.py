"""Tests of copies of rows, whose labels agree or not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    LabelNoiseDetector,
)
from skshap.selection import _label_noise
from skshap.selection._copies import diagonal_of_copies, find_copies
from skshap.utils._ridge import leave_one_out, solve_ridge

# Row by row: which distinct row it is, and its label.
PLACES = np.array([0, 1, 2, 0, 3, 4, 1, 0, 5, 4, 6, 7])
LABELS = np.array([0, 1, 1, 0, 2, 2, 0, 0, 1, 2, 0, 2])
X = np.random.default_rng(0).normal(size=(8, 3))[PLACES]


@pytest.mark.parametrize("kernel", [rbf_kernel, linear_kernel])
def test_copies_have_a_number_in_common_if_labels_agree(kernel, monkeypatch):
    expected = [tuple(np.flatnonzero(PLACES == place)) for place in PLACES]
    expected[1], expected[6] = (1,), (6,)  # whose labels differ
    for block in (256, 5):
        monkeypatch.setattr("skshap.selection._copies.BLOCK", block)
        number = find_copies(kernel(X), LABELS)
        found = [tuple(np.flatnonzero(number == i)) for i in number]
        assert found == expected
    assert set(number) == set(range(len(set(expected))))


def test_rows_that_are_near_are_no_copies():
    near = np.array([[0.0, 0.0], [0.0, 1e-4], [1.0, 1.0], [1.0, 1.0 + 1e-12]])
    number = find_copies(rbf_kernel(near), np.zeros(4, dtype=int))
    assert_array_equal(
        number == number[:, None], np.eye(4) + np.eye(4)[[0, 1, 3, 2]] > 0
    )


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_predictions_are_those_of_refits_without_copies(alpha):
    K, number = rbf_kernel(X), find_copies(rbf_kernel(X), LABELS)
    Y = np.random.default_rng(1).random((12, 3))
    for i in range(12):  # targets of copies are as alike as their labels
        Y[i] = Y[np.flatnonzero(number == number[i])[0]]
    prior = Y.mean(0)
    solved, diagonal = solve_ridge(K, np.column_stack([Y, np.ones(12)]), alpha)
    joint = diagonal_of_copies(diagonal, number, alpha)
    found = leave_one_out(Y, solved, joint, prior)
    for i in range(12):
        rest = np.flatnonzero(number != number[i])
        A = K[np.ix_(rest, rest)] + alpha * np.eye(len(rest))
        expected = prior + K[i, rest] @ np.linalg.solve(A, Y[rest] - prior)
        assert_allclose(found[i], expected, atol=1e-9)
    assert_array_equal(diagonal_of_copies(diagonal, np.arange(12), alpha), diagonal)


def blobs(n_copies):
    """Two clear classes and, of row 0, copies; with its label, a wrong one."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    rows = rng.normal(size=(60, 2)) + 6 * y[:, None]
    rows = np.concatenate([rows, np.repeat(rows[:1], n_copies, axis=0)])
    y = np.append(y, np.zeros(n_copies, dtype=int))
    given = y.copy()
    given[(rows == rows[0]).all(1)] = 1
    return rows, y, given


@pytest.mark.parametrize("n_copies", [0, 1, 4])
def test_a_wrong_label_on_all_copies_is_found(n_copies):
    rows, y, given = blobs(n_copies)
    detector = LabelNoiseDetector().fit(rows, given)
    assert_array_equal(detector.label_issues_, given != y)
    assert_array_equal(detector.suggested_labels_, y)


def test_a_wrong_label_on_one_of_several_copies_is_found():
    rows, y, given = blobs(4)
    given[:] = y
    given[0] = 1
    detector = LabelNoiseDetector().fit(rows, given)
    assert_array_equal(np.flatnonzero(detector.label_issues_), [0])


def test_a_clean_copy_vouches_for_a_label(monkeypatch):
    rows, _, given = blobs(2)
    held_out = {"X_val": rows[[0, 5]], "y_val": given[[0, 5]]}
    found = LabelNoiseDetector().fit(rows, given, **held_out).label_quality_
    monkeypatch.setattr(  # nothing is left out but the row itself
        _label_noise, "find_copies", lambda K, labels: np.arange(len(K))
    )
    expected = LabelNoiseDetector().fit(rows, given, **held_out).label_quality_
    assert_allclose(found, expected)
    assert not np.allclose(
        LabelNoiseDetector().fit(rows, given).label_quality_[0], expected[0]
    )


def test_copies_of_texts(tiny_encoder, tiny_tokenizer, tiny_texts):
    texts = tiny_texts[:4] * 3
    y = np.tile([1, 0, 1, 0], 3)
    kernel = EmpiricalNTK(
        tiny_encoder, tokenizer=tiny_tokenizer, max_length=32, random_state=0
    )
    gram = FreeShapAttributor(kernel).fit(texts, y).gram_
    number = find_copies(gram, y)
    assert_array_equal(number, np.tile(number[:4], 3))
    assert len(set(number)) == 4
