"""Tests of the algebra of ridge regression."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernel_ridge._ridge_factor import KernelRidgeFactor
from skshap.utils._ridge import check_pivots, leave_one_out, tie_of


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


def test_leave_one_out_with_a_prior_held_fixed():
    rng = np.random.default_rng(0)
    F = rng.normal(size=(9, 4))
    K, alpha = F @ F.T, 0.3
    Y = np.eye(3)[rng.integers(0, 3, 9)]
    prior = Y.mean(0)
    factor = KernelRidgeFactor(K, alpha)
    solved, _ = factor.solve(np.hstack([Y, np.ones((9, 1))]))
    found = leave_one_out(Y, solved, factor.inverse_diagonal, prior)
    for i in range(9):
        rest = np.delete(np.arange(9), i)
        A = K[np.ix_(rest, rest)] + alpha * np.eye(8)
        expected = prior + K[i, rest] @ np.linalg.solve(A, Y[rest] - prior)
        assert_allclose(found[i], expected, atol=1e-12)


def test_ties_by_a_usual_row_and_by_the_rounding_of_the_largest():
    for sizes, expected in (
        ([1.0, 1.0, 1.0, 1.0], 1e-9 / 3),
        ([1e-6, 1e-6, 1e-6, 0.0], 1e-9 / (1 + 2e6)),
        ([1e-2, 1e-2, 1e-2, 8.0], 1e-9 / 201),  # whatever one outlier is
        ([1e-12, 1e-12, 1e-12, 2.0], 1e-13 / 2),
        ([0.0, 0.0], 1e-9),
    ):
        assert_allclose(tie_of(np.array(sizes), 2.0, 1e-6), expected)


@pytest.mark.parametrize("n_columns", [1, 3, 30])
@pytest.mark.parametrize("n", [10, 300])
def test_ties_are_wider_than_rounding_and_not_by_far(n, n_columns):
    """Of copies that have both labels every prediction is zero."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(n, n_columns)), 2, axis=0)
    K, new = rbf_kernel(rows), rbf_kernel(rng.normal(size=(200, n_columns)), rows)
    signs = np.tile([1.0, -1.0], n)[:, None]
    for alpha in (1e-2, 1e-5, 1e-8):
        weights = np.linalg.solve(K + alpha * np.eye(2 * n), signs)
        tie = tie_of(np.ones(2 * n), alpha, np.linalg.norm(weights))
        assert np.abs(new @ weights).max() < tie
        assert tie <= max(1e-9, 3e-13 * np.sqrt(2 * n) / alpha)
