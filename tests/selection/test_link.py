"""Tests of the softmax that turns decision values into probabilities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import softmax

from skshap.selection import _link
from skshap.selection._link import Link


def draw(n, slopes, biases, seed):
    """Decision values, and true labels by a link that holds exactly."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, len(slopes)))
    soft = softmax(slopes[z.argmax(1), None] * z + biases, axis=1)
    return z, (soft.cumsum(1) > rng.random((n, 1))).argmax(1)


def test_slopes_are_those_of_the_class_of_the_largest_value():
    link = Link(3, 1.0)
    link.weights = np.array([0.0, 1.0, -1.0, 0.1, 0.2, -0.3])
    z = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 1.0], [-3.0, -2.0, -1.0]])
    expected = []
    for row in z:
        slope = np.exp([0.0, 1.0, -1.0])[np.argmax(row)]
        weights = np.exp(slope * row + [0.1, 0.2, -0.3])
        expected.append(weights / weights.sum())
    assert_allclose(link.probabilities(z), expected)


def test_slopes_and_biases_are_found():
    slopes, biases = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.0, -0.5])
    z, y = draw(20000, slopes, biases, seed=0)
    link = Link(3, 1e-3)
    link.fit(z, np.eye(3)[y], 0.0)
    found = np.split(link.weights, 2)
    assert_allclose(np.exp(found[0]), slopes, rtol=0.1)
    assert_allclose(found[1] - found[1].mean(), biases, atol=0.1)


def test_slopes_are_alike_with_much_of_the_ridge():
    z, y = draw(1000, np.array([1.0, 3.0]), np.zeros(2), seed=1)
    link = Link(2, 1e6)
    link.fit(z, np.eye(2)[y], 0.0)
    assert np.ptp(link.weights[:2]) < 0.01


@pytest.mark.parametrize("scaling", ["vector", "matrix"])
@pytest.mark.parametrize("slope_ridge", [10.0, 1e4])
def test_the_gradient_is_that_of_the_loss(slope_ridge, scaling, monkeypatch):
    """Of the function that the optimizer gets, by differences."""
    checked = []

    def check(loss, start, **options):
        for x in start + np.random.default_rng(0).normal(size=(3, len(start))) / 3:
            steps = 1e-6 * np.eye(len(x))
            slopes = [(loss(x + e)[0] - loss(x - e)[0]) / 2e-6 for e in steps]
            assert_allclose(loss(x)[1], slopes, atol=1e-8)
            checked.append(x)
        return minimize(loss, start, **options)

    monkeypatch.setattr(_link, "minimize", check)
    z, y = draw(200, np.full(4, 6.0), np.zeros(4), seed=5)
    evidence = np.full((4, 4), 0.2 / 3) + (0.8 - 0.2 / 3) * np.eye(4)
    link = Link(4, slope_ridge, scaling)
    for blind in (0.0, 0.1):
        link.fit(z, evidence[:, y].T, blind)
    assert len(checked) == 6


def test_a_matrix_lets_decision_values_speak_for_other_classes():
    link = Link(3, 1.0, "matrix")
    matrix = np.array([[0.3, -0.2, 0.1], [0.5, 0.0, -0.4], [0.2, 0.6, -0.1]])
    link.weights = np.r_[0.0, 1.0, -1.0, 0.1, 0.2, -0.3, matrix.ravel()]
    z = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 1.0], [-3.0, -2.0, -1.0]])
    expected = []
    for row in z:
        slope, gaps = np.exp([0.0, 1.0, -1.0])[np.argmax(row)], row - row.max()
        said = [
            gaps[c] + sum(gaps[j] * matrix[j, c] for j in range(3)) for c in range(3)
        ]
        weights = np.exp(slope * np.array(said) + [0.1, 0.2, -0.3])
        expected.append(weights / weights.sum())
    assert_allclose(link.probabilities(z), expected)
    link.weights[6:] = 0  # as without one
    plain = Link(3, 1.0)
    plain.weights = link.weights[:6]
    assert_allclose(link.probabilities(z), plain.probabilities(z))


def test_a_matrix_is_found():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20000, 3))
    gaps = z - z.max(1, keepdims=True)
    true = softmax(2 * (gaps + gaps @ rng.normal(size=(3, 3))), axis=1)
    y = (true.cumsum(1) > rng.random((len(z), 1))).argmax(1)
    error = {}
    for scaling in ("vector", "matrix"):
        link = Link(3, 1e-3, scaling)
        link.fit(z, np.eye(3)[y], 0.0)
        error[scaling] = np.abs(link.probabilities(z) - true).mean()
    assert error["matrix"] < 0.01
    assert error["vector"] > 0.1
