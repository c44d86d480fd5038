"""Checks of kernel matrices."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel

from skshap import (
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    PairwiseKernel,
)
from skshap.utils._kernel_values import check_gram, check_kernel_values, warn_of_gram


def test_kernel_values_are_finite_float64():
    assert check_kernel_values(np.ones((2, 3), dtype=np.float32)).dtype == np.float64
    for value in (np.nan, np.inf, -np.inf):
        K = np.ones((3, 4))
        K[1, 2] = value
        with pytest.raises(ValueError, match=rf"K\[1, 2\] is {value}"):
            check_kernel_values(K)


def test_kernels_come_as_lists_but_not_sparse():
    assert_array_equal(check_gram([[2, 1], [1, 2]]), [[2.0, 1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match=r"sparse one of shape \(2, 2\).*toarray"):
        check_gram(csr_array(np.eye(2)))
    with pytest.raises(ValueError, match=r"K\[1\] is nan"):
        check_gram([1.0, np.nan])


def test_gram_must_be_square_and_symmetric():
    K = np.array([[1e6, 2.0], [2.0, 1.0]])
    assert_array_equal(check_gram(K), K)
    skew = np.array([[0, 1.0], [0, 0]])
    check_gram(K + 1e-3 * skew)  # rounding, next to the largest entry
    with pytest.raises(ValueError, match=r"symmetric.*\(K \+ K\.T\) / 2"):
        check_gram(K + skew)
    for bad in (np.ones((2, 3)), np.ones(4), np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match="square matrix, got an array of shape"):
            check_gram(bad)
    with pytest.raises(ValueError, match=r"K\[0, 1\] is nan"):
        check_gram(np.array([[1, np.nan], [np.nan, 1]]))


def test_kernels_are_symmetric_as_a_whole_by_their_largest_value():
    check_gram(np.zeros((3, 3)))
    check_gram([[0.0, 1e6], [1e6 + 1e-3, 0.0]])  # the largest is off the diagonal
    K = np.array([[1e6, 2.0], [2.0, 1.0]])
    skew = np.array([[0, 1.0], [0, 0]])
    with pytest.raises(ValueError, match="symmetric"):
        check_gram(K + 5e-2 * skew)
    K = np.eye(300)
    K[299, 298] = 1
    with pytest.raises(ValueError, match="symmetric"):
        check_gram(K)


def test_a_hint_is_said():
    with pytest.raises(ValueError, match=r"rounding\. Pass more\.$"):
        check_gram(np.array([[1.0, 2.0], [0.0, 1.0]]), hint="Pass more.")


def test_kernel_values_are_contiguous():
    K = np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4)))
    assert check_kernel_values(K).flags.c_contiguous


ROWS = np.random.default_rng(0).normal(size=(12, 3))
Y = np.arange(12) % 2


@pytest.mark.parametrize(
    "estimator",
    [
        KernelRidgeClassifier(kernel="rbf"),
        KernelRidgeClassifierCV(kernel="linear"),
        FreeShapAttributor(),
        FreeShapRegressor(),
    ],
)
@pytest.mark.parametrize("metric", [linear_kernel, rbf_kernel, polynomial_kernel])
def test_kernel_values_that_are_taken_for_columns(metric, estimator):
    """As behind a kernel in a pipeline, where kernel="precomputed" was forgotten."""
    K = metric(ROWS)
    with pytest.warns(
        UserWarning, match=r"looks like the kernel matrix of its 12 rows"
    ):
        clone(estimator).fit(K, Y)
    clone(estimator).set_params(kernel="precomputed").fit(K, Y)  # warnings are errors


@pytest.mark.parametrize(
    "X",
    [
        np.eye(12),  # a column for each row
        np.zeros((12, 12)),
        np.ones((12, 12)) - np.eye(12),  # distances
        np.ones((12, 12)),
        np.kron(np.eye(3), np.ones((4, 4))),  # a column for each row of one's group
        np.eye(12) + np.eye(12, k=1) + np.eye(12, k=-1),  # neighbours
        ROWS @ ROWS.T + np.tri(12) / 1e6,
        (ROWS @ ROWS.T)[:, :11],
        (ROWS @ ROWS.T) - 3 * np.eye(12),
    ],
)
def test_tables_that_are_no_kernel_values(X):
    warn_of_gram(X, "linear")  # warnings are errors


def test_large_and_rounded_kernel_values():
    X = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    X[7] = 2 * X[3]
    y = np.arange(600) % 2
    with pytest.warns(UserWarning, match="looks like"):
        KernelRidgeClassifier(kernel="linear").fit(X @ X.T, y)
    K = X @ X.T
    K[590, 580] += 1
    KernelRidgeClassifier(kernel="linear").fit(K, y)
    K[580, 590] += 1
    K[580, 580] = 1e-3
    KernelRidgeClassifier(kernel="linear").fit(K, y)


@pytest.mark.parametrize("kernel", [np.dot, PairwiseKernel("linear")])
def test_a_kernel_of_ones_own_may_take_kernel_values(kernel):
    KernelRidgeClassifier(kernel=kernel).fit(ROWS @ ROWS.T, Y)
