"""What is said of suspicious rows, and of how labels went wrong."""

from types import SimpleNamespace

import numpy as np
import pytest

from skshap.inspection._findings import nearest, transitions


@pytest.mark.parametrize("n_classes", [4, 30])
def test_of_many_transitions_the_most_frequent_alone(n_classes):
    T = np.random.default_rng(0).random((n_classes, n_classes))
    T += 9 * np.eye(n_classes)
    T /= T.sum(1, keepdims=True)
    detector = SimpleNamespace(
        transition_matrix_=T,
        classes_=np.arange(n_classes),
        probabilities_=np.full((9999, n_classes), 1 / n_classes),
    )
    found = transitions(detector)
    rates = [rate for _, _, rate in found]
    off = np.sort(T[~np.eye(n_classes, dtype=bool)])[::-1]
    assert rates == off[: len(found)].tolist()
    assert all(T[a, b] == rate for a, b, rate in found)
    # All of three classes have room on a page, not those of more.
    assert 6 <= len(found) < 12


def test_transitions_of_many_rows_come_before_those_of_a_rare_class():
    detector = SimpleNamespace(
        transition_matrix_=np.array([[0.98, 0.02, 0.0], [0.2, 0.5, 0.3], [0, 0, 1]]),
        classes_=np.array(["a", "b", "c"]),
        probabilities_=np.array([[0.9, 0.1, 0.0]] * 1000),
    )
    assert transitions(detector)[:3] == [
        ("b", "c", 0.3),
        ("b", "a", 0.2),
        ("a", "b", 0.02),
    ]
    detector.probabilities_ = np.array([[0.96, 0.01, 0.03]] * 1000)
    assert transitions(detector)[:3] == [
        ("a", "b", 0.02),
        ("b", "c", 0.3),
        ("b", "a", 0.2),
    ]


def test_transitions_of_less_than_half_a_row_are_not_told_of():
    detector = SimpleNamespace(
        transition_matrix_=np.array([[0.996, 0.004], [0.006, 0.994]]),
        classes_=np.array(["a", "b"]),
        probabilities_=np.full((200, 2), 0.5),
    )
    assert transitions(detector) == [("b", "a", 0.006)]
    detector.probabilities_ = np.full((20, 2), 0.5)
    assert transitions(detector) == []


def test_nearest_rows_are_those_of_other_labels_whatever_their_size():
    X = np.array([[1.0, 0.0], [9.0, 9.0], [2.0, 1.0], [3.0, 0.1], [0.0, 0.0]])
    given = np.array([0, 1, 1, 0, 1])
    values, sizes = X @ X[0], np.square(X).sum(1)
    found = nearest(values, sizes, 0, given, 2)
    assert found.tolist() == [2, 1]  # by the angle, not by size
    assert nearest(values, sizes, 0, given, 9).tolist() == [2, 1, 4]
    assert nearest(values, sizes, 0, np.zeros(5), 2).tolist() == []
