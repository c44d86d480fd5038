"""Kernels by which rows resemble only themselves are warned of, once a call."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale

from skshap import (
    ColumnKernel,
    DataRemoval,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    PairwiseKernel,
    flip_labels,
)

ONLY = "rows resemble only themselves by "


def in_dimensions(d, n=200, gamma=1.0):
    """Rows of two classes that overlap in d dimensions, and a gamma for their kernel.

    A gamma of 1 is the inverse of what scikit-learn takes for a scale.
    """
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.normal(size=(n, d)) + (3 * y[:, None] - 1.5) / np.sqrt(d), y, gamma / d


@pytest.mark.parametrize("is_frame", [False, True])
def test_one_of_several_kernels_is_named(is_frame):
    """Beside others it would count for nothing, without a word."""
    X, y = load_wine(return_X_y=True)
    kernel = ColumnKernel([("few", "rbf", [0]), ("all", "rbf", list(range(13)))])
    if is_frame:
        X = pd.DataFrame(X)
        kernel.set_output(transform="pandas")
    for fit in (
        kernel.fit_transform,
        lambda X: KernelRidgeClassifier(kernel=kernel).fit(X, y),
    ):
        with pytest.warns(UserWarning, match=ONLY) as caught:
            fit(X)
        (message,) = [str(found.message) for found in caught]
        assert "kernel 'all', one of those" in message and "'auto'" not in message
        assert "StandardScaler" in message
    scaled = make_pipeline(StandardScaler(), PairwiseKernel())
    kernel.set_params(all=scaled).fit_transform(X)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    "ridge",
    [
        FreeShapAttributor(),
        FreeShapRegressor(),
        KernelRidgeClassifier(kernel="rbf"),
        KernelRidgeClassifierCV(kernel="rbf"),
    ],
)
def test_columns_of_other_scales_are_warned_of_and_scaled_ones_not(load, ridge):
    X, y = load(return_X_y=True)
    if isinstance(ridge, FreeShapRegressor):
        y = y - y.mean()
    ridge.fit(scale(X), y)
    with pytest.warns(UserWarning, match=f"{ONLY}kernel='rbf': .* StandardScaler"):
        ridge.fit(X, y)


def test_the_advice_mends_it():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match=ONLY) as told:
        raw = FreeShapAttributor().fit(X[::2], y[::2])
    advice = re.search(r"as kernel=(.*) with skshap", str(told[0].message))[1]
    names = {"make_pipeline": make_pipeline, "StandardScaler": StandardScaler}
    kernel = eval(advice, {**names, "PairwiseKernel": PairwiseKernel})
    mended = FreeShapAttributor(kernel).fit(X[::2], y[::2])
    assert mended.score(X[1::2], y[1::2]) > raw.score(X[1::2], y[1::2]) + 0.2


@pytest.mark.parametrize("d", [2, 5, 20, 100, 500])
@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_normal_rows_are_not_warned_of_in_any_dimension(d, gamma):
    X, y, gamma = in_dimensions(d, gamma=gamma)
    FreeShapAttributor(kernel_params={"gamma": gamma}).fit(X, y)


def test_many_rows_that_are_next_to_nothing_to_each_other_are_not_warned_of():
    """They are predicted as well as by a wider kernel."""
    X, y, gamma = in_dimensions(100, 400, gamma=3.0)
    narrow, wide = (
        FreeShapAttributor(kernel_params={"gamma": g}).fit(X[:300], y[:300])
        for g in (gamma, gamma / 3)
    )
    np.fill_diagonal(K := narrow.gram_.copy(), 0)
    assert np.median(K.max(1)) < 0.05
    scores = [ridge.score(X[300:], y[300:]) for ridge in (narrow, wide)]
    assert scores[0] > scores[1] - 0.02


def test_texts_categories_and_small_tables_are_not_warned_of():
    texts = [
        f"the {a} is {b}"
        for a in ("film", "plot", "cast")
        for b in "good bad ok".split()
    ]
    texts, y = 2 * texts, np.arange(18) % 3 // 2
    words = make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    FreeShapAttributor(words, alpha=0.1).fit(texts, y)
    X, y = load_iris(return_X_y=True)
    codes = OneHotEncoder(sparse_output=False).fit_transform(X.round())
    FreeShapAttributor().fit(codes, y)
    FreeShapAttributor("precomputed").fit(np.eye(9), np.arange(9) % 2)
    X, y = load_diabetes(return_X_y=True)
    FreeShapRegressor().fit(X, y - y.mean())


def test_explicit_features_are_not_warned_of():
    """They are fewer than the rows, which share them."""
    FreeShapAttributor("linear").fit(np.eye(20)[:, :15], np.arange(20) % 2)


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("precomputed", "kernel='precomputed': .* Compute the values by a wider"),
        ("laplacian", "kernel='laplacian': .* Columns have very different"),
        ("cosine", "kernel='cosine': .* Check what it makes"),
        (
            make_pipeline(
                StandardScaler(), PairwiseKernel(kernel_params={"gamma": 99})
            ),
            "PairwiseKernel: .* gamma is too large",
        ),
        (lambda x, y: float((x == y).all()), "<lambda>: .* Check what it makes"),
    ],
)
def test_the_advice_fits_the_kernel(kernel, words):
    X, y = 1000 * np.eye(30), np.arange(30) % 2
    with pytest.warns(UserWarning, match=ONLY + words):
        FreeShapAttributor(kernel).fit(X, y)


def test_rows_of_nothing_do_not_count():
    K = np.zeros((30, 30))
    FreeShapAttributor("precomputed").fit(K, np.arange(30) % 2)
    K[:12, :12] = np.eye(12)
    with pytest.warns(UserWarning, match=ONLY):
        FreeShapAttributor("precomputed").fit(K, np.arange(30) % 2)


def test_some_of_many_rows_are_looked_at():
    K = np.eye(1500)
    with pytest.warns(UserWarning, match=ONLY):
        KernelRidgeClassifier(kernel="precomputed").fit(K, np.arange(1500) % 2)
    KernelRidgeClassifier(kernel="precomputed").fit(K + 1e-4, np.arange(1500) % 2)


@pytest.mark.parametrize("number", [0.1, "auto", "harmful"])
def test_removal_warns_once(number):
    X, y = load_wine(return_X_y=True)
    removal = DataRemoval(
        make_pipeline(StandardScaler(), LogisticRegression()),
        FreeShapAttributor(n_permutations=2),
        n_samples_to_remove=number,
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        removal.fit(X, y)
    (one,) = told
    assert ONLY in str(one.message)
    assert one.filename == __file__


def test_detector_says_that_the_kernel_is_to_mend():
    X, y = load_wine(return_X_y=True)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LabelNoiseDetector(FreeShapAttributor()).fit(X, y_noisy)
    assert ONLY in str(told[0].message)
    assert str(told[1].message).endswith("themselves: mend the kernel first.")
    assert len(told) == 2
    kernel = make_pipeline(StandardScaler(), PairwiseKernel())
    found = LabelNoiseDetector(FreeShapAttributor(kernel)).fit(X, y_noisy)
    assert found.label_issues_[is_flipped].mean() > 0.9


def test_rows_that_are_predicted_well_are_not_warned_of():
    """Of digits, though each other one is next to nothing to a row."""
    X, y = load_digits(return_X_y=True)
    ridge = KernelRidgeClassifier(kernel="rbf").fit(X[:600], y[:600])
    assert ridge.score(X[600:], y[600:]) > 0.9
