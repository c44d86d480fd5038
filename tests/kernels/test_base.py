"""What users pass as ``kernel=`` becomes an object that gives kernel matrices."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KernelCenterer,
    MaxAbsScaler,
    StandardScaler,
)
from sklearn.utils import get_tags

from skshap import FreeShapAttributor, FreeShapRegressor, LabelNoiseDetector
from skshap.kernel_ridge import KernelRidgeClassifier
from skshap.kernels import EmpiricalNTK, PairwiseKernel
from skshap.kernels._base import TAGS_TELL_SPARSE, make_kernel, takes_sparse

X = np.random.default_rng(0).normal(size=(9, 3))


def dots(x, y, power=1):
    return (x @ y) ** power


KERNELS = {
    "linear": ("linear", None, lambda x, y: x @ y),
    "rbf": ("rbf", {"gamma": 0.3}, lambda x, y: np.exp(-0.3 * ((x - y) ** 2).sum())),
    "poly": (
        "poly",
        {"gamma": 0.5, "degree": 2, "coef0": 3},
        lambda x, y: (0.5 * x @ y + 3) ** 2,
    ),
    "callable": (dots, None, lambda x, y: x @ y),
    "callable with parameters": (dots, {"power": 3}, lambda x, y: (x @ y) ** 3),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_vectors(name):
    kernel, params, naive = KERNELS[name]
    fitted = make_kernel(kernel, params)
    K = fitted.fit_transform(X)
    expected = np.array([[naive(x, y) for y in X] for x in X])
    assert_allclose(K, expected, rtol=1e-12, atol=1e-14)
    assert_array_equal(K, K.T)
    assert_allclose(fitted.transform(X[:4]), expected[:4], rtol=1e-12, atol=1e-14)
    fitted = make_kernel(kernel, params).fit(X[:5])
    assert_allclose(fitted.transform(X), expected[:, :5], rtol=1e-12, atol=1e-14)


def test_sparse_tables():
    for kernel in ("linear", "rbf"):
        assert takes_sparse(kernel)
        expected = make_kernel(kernel).fit_transform(X)
        assert_allclose(make_kernel(kernel).fit_transform(csr_array(X)), expected)
    for kernel in (PairwiseKernel(), make_pipeline(MaxAbsScaler(), PairwiseKernel())):
        assert takes_sparse(kernel)
        expected = kernel.fit_transform(X)
        y = X[:, 0] > np.median(X[:, 0])
        clf = KernelRidgeClassifier(kernel=kernel).fit(csr_array(X), y)
        assert_allclose(clf.kernel_.fit_transform(csr_array(X)), expected)
        assert_allclose(clf.predict(csr_array(X)), clf.predict(X))
    centring = make_pipeline(StandardScaler(), PairwiseKernel())
    told = "dense data is required" if TAGS_TELL_SPARSE else "Cannot center sparse"
    assert takes_sparse(centring) is not TAGS_TELL_SPARSE
    with pytest.raises((TypeError, ValueError), match=told):
        KernelRidgeClassifier(kernel=centring).fit(csr_array(X), y)
    assert not takes_sparse("precomputed")
    assert not takes_sparse(dots)
    assert not takes_sparse(EmpiricalNTK())


def test_precomputed():
    K = X @ X.T
    kernel = make_kernel("precomputed")
    assert_array_equal(kernel.fit_transform(K), K)
    assert_array_equal(kernel.transform(K[:2]), K[:2])


def test_object_is_cloned():
    given = EmpiricalNTK(random_state=0)
    kernel = make_kernel(given)
    assert kernel is not given
    assert kernel.get_params() == given.get_params()
    kernel.fit(X)
    assert not hasattr(given, "X_fit_")


def test_object_of_another_library():
    class Own:
        """Not a scikit-learn estimator, apart from what clone needs."""

        def get_params(self, deep=True):
            return {}

        def fit_transform(self, X, y=None):
            return 2 * X @ X.T

        def transform(self, X):
            return X

    kernel = make_kernel(Own())
    assert isinstance(kernel, Own)
    assert_array_equal(kernel.fit_transform(X), 2 * X @ X.T)


@pytest.mark.parametrize(
    "estimator", [KernelRidgeClassifier(), FreeShapAttributor(), FreeShapRegressor()]
)
def test_features_are_no_kernel(estimator):
    texts, y = ["a film", "a plot", "no film"], [0, 1, 0]
    estimator.set_params(kernel=TfidfVectorizer())
    hint = 'kernel=make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))'
    with pytest.raises(ValueError, match=re.escape(hint)) as caught:
        estimator.fit(texts, y)
    assert "array of shape (3, 3), but" in str(caught.value)
    estimator.set_params(
        kernel=make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    ).fit(texts, y)
    estimator.set_params(kernel=StandardScaler())
    with pytest.raises(ValueError, match=r'\(StandardScaler\(\), PairwiseKernel\("rbf'):
        estimator.fit(X, X[:, 0] > 0)
    estimator.set_params(kernel=make_pipeline(StandardScaler(), MaxAbsScaler()))
    with pytest.raises(ValueError, match=r"\(\.\.\., MaxAbsScaler\(\), Pair"):
        estimator.fit(X, X[:, 0] > 0)


@pytest.mark.parametrize(
    "kernel, shown",
    [
        (PCA(2), 'PCA(n_components=2), PairwiseKernel("rbf")'),
        (
            Nystroem(n_components=2),
            'Nystroem(n_components=2), PairwiseKernel("linear")',
        ),
        (
            TfidfVectorizer(vocabulary=list("abcdefghijklmnop")),
            "TfidfVectorizer(...), ",
        ),
    ],
)
def test_the_hint_of_features_keeps_their_parameters(kernel, shown):
    rows = ["a film"] * 9 if isinstance(kernel, TfidfVectorizer) else X
    with pytest.raises(ValueError, match=re.escape(f"make_pipeline({shown}")):
        KernelRidgeClassifier(kernel=kernel).fit(rows, X[:, 0] > 0)


def test_a_sparse_kernel_is_told_to_be_dense():
    class Sparse(PCA):
        def fit_transform(self, X, y=None):
            return csr_array(X @ X.T)

    with pytest.raises(ValueError, match=r"If it is a kernel, let it .*toarray\(\)"):
        KernelRidgeClassifier(kernel=Sparse()).fit(X, X[:, 0] > 0)


class Unlabelled(TfidfVectorizer):
    """Does not say that it takes texts alone."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def test_steps_that_do_not_keep_rows_apart_are_told():
    texts = pd.DataFrame({"text": ["a film", "a plot", "no film"]})
    step = Unlabelled()
    words = make_pipeline(step, PairwiseKernel("linear"))
    with pytest.raises(ValueError, match=r'of 3 rows .* values of 1: .*df\["text"\]'):
        KernelRidgeClassifier(kernel=words).fit(texts, [0, 1, 0])
    KernelRidgeClassifier(kernel=words).fit(texts["text"], [0, 1, 0])


def test_as_many_features_as_rows_are_no_kernel():
    square, y = X[:3], [0, 1, 0]
    with pytest.raises(ValueError, match=r"symmetric.* If StandardScaler gives feat"):
        KernelRidgeClassifier(kernel=StandardScaler()).fit(square, y)
    # A transformer of kernel values is a kernel.
    K = X @ X.T
    centered = KernelRidgeClassifier(kernel=KernelCenterer()).fit(K, X[:, 0] > 0)
    assert_allclose(
        centered.kernel_.transform(K), KernelCenterer().fit_transform(K), atol=1e-12
    )
    with pytest.raises(ValueError, match=r"symmetric.* rounding\.$"):
        KernelRidgeClassifier(kernel="precomputed").fit(square, y)


@pytest.mark.parametrize("kernel", ["precomputed", EmpiricalNTK()])
def test_parameters_for_a_kernel_that_takes_none(kernel):
    with pytest.raises(ValueError, match=r"kernel_params=.*gamma"):
        make_kernel(kernel, {"gamma": 1.0})
    make_kernel(kernel, {})


def test_unknown_name():
    with pytest.raises(ValueError, match=r"kernel='rfb'.*'rbf'"):
        make_kernel("rfb").fit(X).transform(X)


@pytest.mark.parametrize("model", ["org/model", "bert-tiny", Path("a", "folder")])
def test_models_are_no_kernels(model):
    hint = f"kernel=EmpiricalNTK({str(model)!r})"
    with pytest.raises(ValueError, match=re.escape(hint)):
        FreeShapAttributor(model).fit(["a film", "a plot"], [0, 1])
    with pytest.raises(ValueError) as caught:
        FreeShapAttributor(kernel=3).fit(X, X[:, 0] > 0)
    assert "Path" not in str(caught.value)
    with pytest.raises(ValueError) as caught:
        make_kernel("rfb")
    assert "EmpiricalNTK" not in str(caught.value)


@pytest.mark.parametrize("kernel", ["linear", "precomputed", dots])
def test_texts_for_a_kernel_of_vectors(kernel):
    with pytest.raises(ValueError, match="EmpiricalNTK"):
        make_kernel(kernel).fit(["a film", "a plot"])


def test_clones():
    kernel = make_kernel("rbf", {"gamma": 2.0})
    assert_array_equal(clone(kernel).fit_transform(X), kernel.fit_transform(X))


@pytest.mark.parametrize(
    ("kernel", "pairwise", "sparse", "string"),
    [
        ("linear", False, True, False),
        ("precomputed", True, False, False),
        (dots, False, False, False),
        (EmpiricalNTK(), False, False, True),
    ],
)
def test_tags(kernel, pairwise, sparse, string):
    tags = get_tags(KernelRidgeClassifier(kernel=kernel)).input_tags
    assert (tags.pairwise, tags.sparse, tags.string) == (pairwise, sparse, string)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((4, 2)),
        csr_array(np.eye(4)),
        pd.DataFrame({"text": ["aa bb", "bb cc", "cc dd", "aa dd"]}),
        np.array([["aa bb"], ["bb cc"], ["cc dd"], ["aa dd"]]),
        [[1.0], [2.0], [3.0], [4.0]],
    ],
)
@pytest.mark.parametrize("nest", [1, 2])
def test_tables_for_a_step_that_reads_texts_are_refused_by_its_name(rows, nest):
    kernel = make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    if nest == 2:
        kernel = make_pipeline(
            make_pipeline(TfidfVectorizer()), PairwiseKernel("linear")
        )
    attributor = FreeShapAttributor(kernel)
    words = r"kernel's TfidfVectorizer reads texts, .* df\[\"text\"\]"
    with pytest.raises(ValueError, match=words):
        attributor.fit(rows, [0, 1, 0, 1])
    texts = ["aa bb", "bb cc", "cc dd", "aa dd"]
    for column in (texts, np.array(texts), pd.Series(texts)):
        attributor.fit(column, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=words):
        attributor.attribute(rows, [0, 1, 0, 1])


@pytest.mark.parametrize("index", [None, [2.5, 0.5, 1.5, 7.5], list("dbca")])
def test_steps_of_a_pipeline_see_a_column_of_texts_as_one(index):
    upper = FunctionTransformer(lambda column: column.str.upper())
    vectorizer = TfidfVectorizer(lowercase=False)
    kernel = make_pipeline(upper, vectorizer, PairwiseKernel("linear"))
    texts = pd.Series(["aa bb", "BB CC", "cc dd", "AA dd"], index=index)
    y = [0, 1, 0, 1]
    expected = make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    classifiers = [
        KernelRidgeClassifier(kernel=k).fit(rows, y)
        for k, rows in ((kernel, texts), (expected, texts.tolist()))
    ]
    new = pd.Series(["BB", "dd"])
    assert_allclose(*(c.decision_function(new) for c in classifiers))
    with pytest.raises(ValueError, match="row 1 holds None"):
        classifiers[0].predict(pd.Series(["BB", None], dtype=object))


def test_steps_of_a_pipeline_see_series_of_polars_and_others_as_lists():
    seen = []
    spy = FunctionTransformer(lambda rows: seen.append(type(rows)) or list(rows))
    kernel = make_pipeline(spy, TfidfVectorizer(), PairwiseKernel("linear"))
    texts, y = ["aa bb", "BB CC", "cc dd", "AA dd"] * 3, [0, 1, 0, 1] * 3
    detector = LabelNoiseDetector(FreeShapAttributor(kernel), contamination=0.1)
    for make, kind in ((pl.Series, pl.Series), (pd.Index, list), (np.array, list)):
        seen.clear()
        detector.fit(make(texts), y, X_val=make(["cc aa"]), y_val=[1])
        assert set(seen) == {kind}
