"""Tests of the algebra of ridge regression."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

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
        diagonal = np.array(sizes)
        inverse = 1 / (diagonal[:, None] + 2)
        assert_allclose(tie_of(diagonal, 2.0, inverse), expected)


def test_ties_by_the_rounding_of_weights_that_are_large_beside_alpha():
    for n, alpha in ((2, 1e-7), (1000, 1e-7), (1000, 1e-2)):
        inverse = np.full((n, 1), 0.5 / alpha)  # as of copies of rows
        expected = {2: 1e-13, 1000: 2000 * np.finfo(float).eps}[n] * 0.5 / alpha
        assert_allclose(
            tie_of(np.ones(n), alpha, inverse), max(expected, 0.99e-9), 0.01
        )
