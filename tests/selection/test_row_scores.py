"""Tests of how well rows are predicted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap.selection._comparison import log_probabilities


def naive(values, labels):
    """The best of many factors, each label on its own."""
    best = None
    for factor in np.geomspace(1e-3, 1e3, 3001) / np.sqrt(np.mean(values**2)):
        scores = np.zeros(len(values))
        for k, share in enumerate(labels.T):
            odds = np.exp(np.minimum(factor * (values - values[:, [k]]), 700))
            scores -= share * np.log(odds.sum(1))
        if best is None or np.mean(scores) > np.mean(best):
            best = scores
    return best


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("doubt", [0.0, 0.2])
def test_log_probabilities_at_the_best_scale(n_classes, unit, doubt):
    rng = np.random.default_rng(0)
    y_index = rng.integers(0, n_classes, 30)
    values = unit * (rng.normal(size=(30, n_classes)) + np.eye(n_classes)[y_index])
    labels = np.eye(n_classes)[y_index]
    labels[::2] = (1 - doubt) * labels[::2] + doubt / n_classes
    expected = naive(values, labels)
    found = log_probabilities(values, labels)
    assert_allclose(found, expected, rtol=0.01)
    assert_allclose(found.mean(), expected.mean(), rtol=1e-5)


def test_values_that_say_nothing_or_the_contrary():
    labels = np.eye(2)[[0, 1] * 10]
    for values in (np.zeros((20, 2)), -labels):
        assert_allclose(log_probabilities(values, labels), -np.log(2), atol=1e-3)
    assert_allclose(log_probabilities(1e150 * labels, labels), 0, atol=1e-9)


@pytest.mark.parametrize("unit", [1.0, 1e250, 1e-250])
@pytest.mark.parametrize("is_right", [True, False])
def test_one_wild_value_does_not_decide(unit, is_right):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 2))
    y_index = (values[:, 1] > values[:, 0]).astype(int)
    values[0], y_index[0] = [-1e6, 1e6], int(is_right)
    scores = log_probabilities(unit * values, np.eye(2)[y_index])
    assert scores.mean() > (-1e-3 if is_right else -0.25)
