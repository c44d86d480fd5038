"""Tests of factors of ridge regressions."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernel_ridge import _ridge_factor
from skshap.kernel_ridge._ridge_factor import FeatureRidgeFactor, KernelRidgeFactor
from skshap.utils import _ridge


def test_what_the_others_leave_of_an_outlier_is_not_nothing():
    # Its share of 1e-18 is lost beside 1.
    F = np.diag([1e9, 1.0])
    factor = FeatureRidgeFactor(F, 1.0)
    assert_allclose(factor.inverse_diagonal, [[1e-18], [0.5]], rtol=1e-12)
    assert_allclose(factor.solve(np.ones((2, 1)))[0][1], 0.5)


@pytest.mark.parametrize("code", [1e5, 1e9, 1e12])
@pytest.mark.parametrize(
    "places", [[(3, 0)], [(3, 0), (5, 2)], [(3, 0), (3, 1), (5, 0)]]
)
def test_what_others_predict_of_rows_far_from_them(code, places):
    """The digits that one minus a row's share loses, against ridges without the row."""
    rng = np.random.default_rng(0)
    F, Y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    for row, column in places:
        F[row, column] = code
    factor = FeatureRidgeFactor(F, 0.5)
    loo = Y - factor.solve(Y)[0] / factor.inverse_diagonal
    for row in range(20):
        others = [other for other in range(20) if other != row]
        expected = predicted_exactly(F[others], Y[others], F[row], 0.5)
        assert_allclose(loo[row], expected, rtol=1e-6, atol=1e-9)


def predicted_exactly(F, Y, new, alpha):
    """What a ridge predicts, in fractions: no digit is lost, whatever the columns."""
    rows, targets = (np.vectorize(Fraction, otypes=[object])(M) for M in (F, Y))
    A = rows.T @ rows + Fraction(alpha) * np.eye(F.shape[1], dtype=int)
    b = rows.T @ targets
    for i in range(len(A)):  # Gauss and Jordan, without pivots: A is positive definite
        b[i], A[i] = b[i] / A[i, i], A[i] / A[i, i]
        for j in set(range(len(A))) - {i}:
            b[j], A[j] = b[j] - A[j, i] * b[i], A[j] - A[j, i] * A[i]
    return (np.vectorize(Fraction, otypes=[object])(new) @ b).astype(float)


def test_more_rows_alone_in_a_column_than_not():
    F = np.random.default_rng(0).normal(size=(9, 6))
    F[np.arange(6), np.arange(6)] = 1e9
    Y = np.random.default_rng(1).normal(size=(9, 1))
    factor = FeatureRidgeFactor(F, 0.5)
    loo = Y - factor.solve(Y)[0] / factor.inverse_diagonal
    for row in range(9):
        others = np.arange(9) != row
        expected = predicted_exactly(F[others], Y[others], F[row], 0.5)
        assert_allclose(loo[row], expected, rtol=1e-6)


def test_rows_that_depend_on_others_are_found_in_any_order():
    """The pivots of the order given are fine, those of another would not be."""
    F = np.array([[1, 0.01], [1, 0], [0, 0.01]])
    K = F @ F.T
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        KernelRidgeFactor(K, 3e-10)
    alpha = 1e-7
    factor = KernelRidgeFactor(K, alpha)
    inverse = np.linalg.inv(K + alpha * np.eye(3))
    assert_allclose(factor.solve(np.eye(3))[0], inverse, rtol=1e-6)
    assert_allclose(factor.inverse_diagonal[:, 0], inverse.diagonal(), rtol=1e-6)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_a_factor_by_blocks(block, monkeypatch):
    for module in (_ridge, _ridge_factor):
        monkeypatch.setattr(module, "BLOCK", block)
    F = np.random.default_rng(0).normal(size=(7, 4))
    inverse = np.linalg.inv(F @ F.T + 0.3 * np.eye(7))
    factor = KernelRidgeFactor(F @ F.T, 0.3)
    assert_allclose(factor.inverse_diagonal[:, 0], inverse.diagonal())
    assert_allclose(factor.solve(np.eye(7))[0], inverse)


@pytest.mark.parametrize("of_two_copies", [FeatureRidgeFactor, KernelRidgeFactor])
def test_half_of_a_pivot_is_held_against_a_billionth(of_two_copies):
    M = np.ones((2, 1 if of_two_copies is FeatureRidgeFactor else 2))
    of_two_copies(M, 1.2e-9)  # what each leaves of the other is twice alpha
    with pytest.raises(NotPositiveDefiniteError, match="largest diagonal entry 1"):
        of_two_copies(M, 0.8e-9)


def test_pivots_count_relative_to_the_diagonal_with_alpha():
    K = np.array([[0.0, 1.0], [1.0, 0.0]])
    KernelRidgeFactor(K, 1 + 2e-9)
    with pytest.raises(NotPositiveDefiniteError, match="largest diagonal entry 0"):
        KernelRidgeFactor(K, 1 + 0.75e-9)


@pytest.mark.parametrize("seed", range(100))
def test_columns_that_depend_on_others_are_refused(seed):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(30, 3))
    F[:, -1] = F[:, :-1] @ rng.normal(size=2)
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        FeatureRidgeFactor(F, 1e-18)


def test_weights_of_large_columns_are_exact():
    rng = np.random.default_rng(0)
    F, y = 1e3 * rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    weights = FeatureRidgeFactor(F, 1.0).solve(y)[1]
    expected = np.linalg.solve(F.T @ F + np.eye(3), F.T @ y)
    assert_allclose(weights, expected, rtol=1e-11)
