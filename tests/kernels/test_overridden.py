"""Subclasses of kernels train on the kernel that they predict with."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skshap import (
    ColumnKernel,
    EmpiricalNTK,
    KernelRidgeClassifier,
    PairwiseKernel,
)

X = np.random.default_rng(0).normal(size=(30, 3))
y = np.arange(30) % 2


class Squaring:
    """Overrides `transform` of what comes after it."""

    def transform(self, X):
        return super().transform(X) ** 2


class SquarePairwise(PairwiseKernel):
    def transform(self, X):
        return super().transform(X) ** 2


class SquareTangent(Squaring, EmpiricalNTK):
    pass


class SquareColumns(Squaring, ColumnKernel):
    pass


class ScaledTangent(EmpiricalNTK):
    def fit(self, X, y=None):
        self.size_ = X.std()
        return super().fit(X / self.size_)

    def transform(self, X):
        return super().transform(X / self.size_)


class Narrow(PairwiseKernel):
    """Overrides `fit` only, and keeps what goes with it."""

    def fit(self, X, y=None):
        self.kernel_params = {"gamma": 1 / X.var()}
        return super().fit(X)


class Careful(SquarePairwise):
    """Overrides all that there is."""

    def fit_transform(self, X, y=None):
        return super().fit_transform(X)

    def diag(self, X):
        return PairwiseKernel.diag(self, X) ** 2

    def transform_features(self, X):
        pairs = X[:, :, None] * X[:, None, :]
        return pairs.reshape(len(X), -1)


KERNELS = [
    SquarePairwise("linear"),
    SquarePairwise("rbf"),
    SquareTangent(random_state=0),
    SquareTangent(method="sketch", n_components=8, random_state=0),
    SquareColumns([("one", "linear", [0, 1]), ("other", "linear", [2])]),
    ScaledTangent(random_state=0),
    Narrow(),
    Careful("linear"),
]


@pytest.mark.parametrize("kernel", KERNELS)
def test_matrix_of_training_rows_is_that_of_transform(kernel):
    expected = clone(kernel).fit(X).transform(X)
    found = clone(kernel).fit_transform(X)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert_array_equal(found, found.T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_estimators_train_on_what_they_predict_with(kernel):
    K = clone(kernel).fit(X).transform(X)
    expected = KernelRidgeClassifier(alpha=0.1, kernel="precomputed").fit(K, y)
    for used in (kernel, make_pipeline("passthrough", kernel)):
        clf = KernelRidgeClassifier(alpha=0.1, kernel=used).fit(X, y)
        found = clf.decision_function(X)
        assert_allclose(found, expected.decision_function(K), rtol=1e-3, atol=1e-3)


def test_methods_of_another_kernel_are_not_there():
    for kernel in KERNELS[:5]:
        for name in ("diag", "transform_features"):
            assert not hasattr(kernel, name)
    with pytest.raises(AttributeError, match=r"SquarePairwise .*transform.* diag"):
        SquarePairwise().diag(X)
    with pytest.raises(ValueError, match=r"'square' is SquarePairwise.*and diag"):
        ColumnKernel([("square", SquarePairwise(), [0])]).fit(X)


def test_methods_that_are_overridden_as_well_are_used():
    kernel = Careful("linear").fit(X)
    assert hasattr(Narrow(), "diag")
    assert_allclose(kernel.diag(X), kernel.transform(X).diagonal())
    features = kernel.transform_features(X)
    assert_allclose(features @ features.T, kernel.transform(X))


def test_output_in_frames():
    pytest.importorskip("pandas")
    kernel = SquarePairwise("linear").set_output(transform="pandas")
    frame = kernel.fit_transform(X)
    assert_allclose(frame.to_numpy(), (X @ X.T) ** 2)
    assert list(frame.columns) == list(kernel.get_feature_names_out())


def test_a_scaler_in_front():
    kernel = make_pipeline(StandardScaler(), SquarePairwise("linear"))
    assert_allclose(clone(kernel).fit_transform(X), clone(kernel).fit(X).transform(X))
