"""Tests of the algebra of ridge regression."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skshap.exceptions import NotPositiveDefiniteError
from skshap.utils._ridge import (
    check_pivots,
    leave_one_out,
    solve_explicit_ridge,
    solve_ridge,
)


@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_pivots_count_relative_to_their_own_entry(shape):
    diagonal = torch.tensor([1e12, 1.0, 1e-12, 1.0]).double().expand(shape)
    check_pivots(1e-8 * diagonal, info=torch.tensor(0), diagonal=diagonal, alpha=0.5)
    for bad in (1e-10, 0.0, np.nan):
        pivots = diagonal.clone()
        pivots[..., 2] *= bad
        with pytest.raises(NotPositiveDefiniteError, match=r"alpha=0\.5"):
            check_pivots(pivots, info=torch.tensor(0), diagonal=diagonal, alpha=0.5)
    with pytest.raises(NotPositiveDefiniteError, match=r"alpha=0\.5"):
        check_pivots(diagonal, info=torch.tensor(2), diagonal=diagonal, alpha=0.5)


def test_what_the_others_leave_of_an_outlier_is_not_nothing():
    # Its share of 1e-18 is lost beside 1.
    F = np.diag([1e9, 1.0])
    weights, inverse_diagonal, _ = solve_explicit_ridge(F, np.ones((2, 1)), 1.0)
    assert_allclose(inverse_diagonal, [[1e-18], [0.5]], rtol=1e-12)
    assert_allclose(weights[1], 0.5)


def test_leave_one_out_with_a_prior_held_fixed():
    rng = np.random.default_rng(0)
    F = rng.normal(size=(9, 4))
    K, alpha = F @ F.T, 0.3
    Y = np.eye(3)[rng.integers(0, 3, 9)]
    prior = Y.mean(0)
    solved = solve_ridge(K, np.hstack([Y, np.ones((9, 1))]), alpha)
    found = leave_one_out(Y, *solved, prior)
    for i in range(9):
        rest = np.delete(np.arange(9), i)
        A = K[np.ix_(rest, rest)] + alpha * np.eye(8)
        expected = prior + K[i, rest] @ np.linalg.solve(A, Y[rest] - prior)
        assert_allclose(found[i], expected, atol=1e-12)


def test_rows_that_depend_on_others_are_found_in_any_order():
    """The pivots of the order given are fine, those of another would not be."""
    F = np.array([[1, 0.01], [1, 0], [0, 0.01]])
    K = F @ F.T
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        solve_ridge(K, np.eye(3), 3e-10)
    alpha = 1e-7
    solved, diagonal = solve_ridge(K, np.eye(3), alpha)
    inverse = np.linalg.inv(K + alpha * np.eye(3))
    assert_allclose(solved, inverse, rtol=1e-6)
    assert_allclose(diagonal[:, 0], inverse.diagonal(), rtol=1e-6)
