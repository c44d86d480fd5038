"""Explicit features of kernels that users write: what is taken, what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skshap import FreeShapAttributor, KernelRidgeClassifier, make_column_kernel

X = np.random.default_rng(0).normal(size=(8, 2))
Y = np.arange(8) % 2


class OwnKernel(TransformerMixin, BaseEstimator):
    """A linear kernel whose features a function spoils."""

    def __init__(self, spoil):
        self.spoil = spoil

    def fit(self, X, y=None):
        self.X_ = X
        return self

    def transform(self, X):
        return X @ self.X_.T

    def diag(self, X):
        return np.square(X).sum(1)

    def transform_features(self, X):
        return self.spoil(np.array(X))


def spoil_third(value):
    def spoil(X):
        X[2:3, 1] = value
        return X

    return spoil


SPOILT = {
    "NaN": (spoil_third(np.nan), "NaN or infinity for 1 of 8 rows.* row 2"),
    "infinity": (spoil_third(-np.inf), "NaN or infinity for 1 of 8 rows.* row 2"),
    "one axis": (lambda X: X[:, 0], r"shape \(1, n_components\).*got \(1,\)"),
    "scalar": (lambda X: X.sum(), r"got \(\)"),
    "more rows": (lambda X: np.vstack([X, X]), r"\(1, n_components\).*got \(2, 2\)"),
    "columns by rows": (lambda X: X[:, : len(X)], r"\(8, 1\).*got \(8, 2\)"),
    "sparse": (csr_array, "dense array.*csr_array"),
    "complex": (lambda X: X * 1j, "real numbers, got complex128"),
    "texts": (lambda X: X.astype(str), "real numbers, got <U"),
}


@pytest.mark.parametrize("case", SPOILT)
@pytest.mark.parametrize("estimator", [KernelRidgeClassifier, FreeShapAttributor])
def test_spoilt_features(case, estimator):
    spoil, message = SPOILT[case]
    message = f"transform_features of kernel OwnKernel .*{message}"
    with pytest.raises(ValueError, match=message):
        estimator(kernel=OwnKernel(spoil)).fit(X, Y)


def test_spoilt_features_of_new_rows():
    def grow(X):
        return np.hstack([X, X]) if len(X) == 3 else X

    model = KernelRidgeClassifier(kernel=OwnKernel(grow)).fit(X, Y)
    with pytest.raises(ValueError, match=r"\(3, 2\).*got \(3, 4\)"):
        model.predict(X[:3])


def test_named_inside_of_others():
    spoilt = OwnKernel(spoil_third(np.nan))
    pipeline = make_pipeline(FunctionTransformer(), spoilt)
    columns = make_column_kernel((spoilt, [0, 1]))
    for kernel in (pipeline, columns):
        with pytest.raises(ValueError, match="kernel OwnKernel returned NaN"):
            KernelRidgeClassifier(kernel=kernel).fit(X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, bool])
def test_any_real_dtype(dtype):
    own = KernelRidgeClassifier(kernel=OwnKernel(lambda X: (X > 0).astype(dtype)))
    linear = KernelRidgeClassifier(kernel="linear").fit(1.0 * (X > 0), Y)
    expected = linear.decision_function(1.0 * (X > 0))
    assert_allclose(own.fit(X, Y).decision_function(X), expected)
