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


@pytest.mark.parametrize("slope_ridge", [10.0, 1e4])
def test_the_gradient_is_that_of_the_loss(slope_ridge, monkeypatch):
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
    link = Link(4, slope_ridge)
    for blind in (0.0, 0.1):
        link.fit(z, evidence[:, y].T, blind)
    assert len(checked) == 6
