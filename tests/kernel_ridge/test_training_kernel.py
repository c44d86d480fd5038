"""The kernel of training rows: features say what their matrix says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap import FreeShapAttributor
from skshap.kernel_ridge._training_kernel import TrainingKernel

F = np.random.default_rng(0).normal(size=(9, 3))
LOST = 0.7
EXPLICIT = TrainingKernel(F, is_explicit=True, lost=LOST)
MATRIX = TrainingKernel(F @ F.T + LOST * np.eye(9), is_explicit=False)


def test_the_matrix_has_what_features_lack():
    for kernel in (EXPLICIT, MATRIX):
        assert len(kernel) == 9
        assert_allclose(kernel.matrix(), F @ F.T + LOST * np.eye(9))
        assert_allclose(kernel.diagonal(), np.square(F).sum(1) + LOST)


@pytest.mark.parametrize("others", [slice(None), slice(4), np.array([5, 0, 8])])
def test_values_between_rows(others):
    some = np.array([7, 1, 2])
    expected = (F @ F.T)[some][:, others]
    assert_allclose(EXPLICIT.between(some, others), expected)
    plain = TrainingKernel(F @ F.T, is_explicit=False)
    assert_allclose(plain.between(some, others), expected)


def test_a_part_solves_as_a_kernel_of_its_own():
    some, targets = np.array([8, 0, 3, 4, 6]), np.arange(10.0).reshape(5, 2)
    A = np.linalg.inv(MATRIX.matrix()[np.ix_(some, some)] + 0.2 * np.eye(5))
    for kernel in (EXPLICIT, MATRIX):
        factor = kernel.part(some).factorize(0.2)
        for right in (targets, targets[:, :1]):  # any, one after the other
            assert_allclose(factor.solve(right)[0], A @ right)
        assert_allclose(factor.inverse_diagonal, A.diagonal()[:, None])


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_that_of_an_attributor(kernel):
    fitted = FreeShapAttributor(kernel).fit(F, np.arange(9) % 2)
    found = fitted._training_kernel
    assert found.is_explicit == (kernel == "linear")
    assert_allclose(found.matrix(), fitted.gram_)
    assert_allclose(fitted.gram_, fitted.kernel_.transform(F))


@pytest.mark.parametrize("kernel", ["linear", "rbf", "precomputed"])
def test_the_matrix_that_values_come_from_cannot_be_changed(kernel):
    X = F @ F.T if kernel == "precomputed" else F
    fitted = FreeShapAttributor(kernel).fit(X, np.arange(9) % 2)
    with pytest.raises(ValueError, match="read-only"):
        fitted.gram_[0] = 0
