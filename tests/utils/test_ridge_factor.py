"""Tests of factors of ridge regressions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap.exceptions import NotPositiveDefiniteError
from skshap.utils._ridge_factor import FeatureRidgeFactor, KernelRidgeFactor


def test_what_the_others_leave_of_an_outlier_is_not_nothing():
    # Its share of 1e-18 is lost beside 1.
    F = np.diag([1e9, 1.0])
    factor = FeatureRidgeFactor(F, 1.0)
    assert_allclose(factor.inverse_diagonal, [[1e-18], [0.5]], rtol=1e-12)
    assert_allclose(factor.solve(np.ones((2, 1)))[0][1], 0.5)


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
