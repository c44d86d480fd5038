"""Ridges of many alphas against solves of each."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap.kernel_ridge._ridge_path import RidgePath

F = np.random.default_rng(0).normal(size=(12, 4))
TARGETS = np.random.default_rng(1).normal(size=(12, 3))


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("is_explicit", [False, True])
def test_each_alpha_is_solved(alpha, is_explicit):
    path = RidgePath(F if is_explicit else F @ F.T, TARGETS, is_explicit=is_explicit)
    solved, diagonal = path.solve(alpha)
    A = np.linalg.inv(F @ F.T + alpha * np.eye(12))
    assert_allclose(solved, A @ TARGETS, rtol=1e-9, atol=1e-9 / alpha)
    assert_allclose(diagonal, A.diagonal()[:, None], rtol=1e-9)
    assert path.is_exact(alpha)


def test_a_row_that_the_others_do_not_reach():
    """The inverse of features has a diagonal that rounding cannot make negative."""
    rows = np.vstack([F, 1e8 * np.eye(4)[:1]])
    path = RidgePath(rows, np.ones((13, 1)), is_explicit=True)
    assert not path.is_exact(1e-3)
    assert path.is_exact(1e11)
    path = RidgePath(np.diag([1e9, 1.0]), np.ones((2, 1)), is_explicit=True)
    assert_allclose(path.solve(1.0)[1], [[1e-18], [0.5]], rtol=1e-12)


def test_a_column_of_a_row_alone_is_known_to_lose_digits():
    rows = np.vstack([F, 1e4 * np.eye(4)[:1]])
    for alpha, is_exact in ((10.0, False), (1e4, True)):
        path = RidgePath(rows, np.ones((13, 1)), is_explicit=True)
        left = np.linalg.inv(rows @ rows.T / alpha + np.eye(13)).diagonal().min()
        assert path.is_exact(alpha) == is_exact == (left > 1e-6)


def test_which_alphas_are_too_small_is_known_of_features_as_of_their_kernel():
    alphas = np.logspace(-12, 0, 25)
    found = [
        [path.is_exact(alpha) for alpha in alphas]
        for path in (
            RidgePath(F, TARGETS, is_explicit=True),
            RidgePath(F @ F.T, TARGETS),
        )
    ]
    assert found[0] == found[1]
    assert 0 < sum(found[0]) < 25


def test_the_least_alpha_of_a_path_is_a_share_of_the_diagonal():
    path = RidgePath(np.ones((2, 2)), np.ones((2, 1)))
    assert path.is_exact(1.1e-8) and not path.is_exact(0.9e-8)
    path = RidgePath(np.array([[0.0, 1.0], [1.0, 0.0]]), np.ones((2, 1)))
    assert path.is_exact(1 + 3e-8) and not path.is_exact(1 + 1.5e-8)
