"""A kernel of vectors as a transformer of its own."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import kernel_metrics

from skshap import (
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    PairwiseKernel,
)
from skshap.kernels import _pairwise
from tests.rows import with_twins

X = np.random.default_rng(0).random((9, 3))
NAMES = sorted(kernel_metrics())


@pytest.mark.parametrize("name", NAMES)
def test_diagonal(name, monkeypatch):
    monkeypatch.setattr(_pairwise, "BLOCK", 4)
    kernel = PairwiseKernel(name)
    K = kernel.fit_transform(X)
    assert_array_equal(K, K.T)
    assert_allclose(kernel.transform(X), K, rtol=1e-12)
    assert_allclose(kernel.diag(X), np.diag(K), rtol=1e-12)
    new = X[:5] + 0.5
    expected = PairwiseKernel(name).fit_transform(new).diagonal()
    assert_allclose(kernel.diag(new), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"additive_chi2", "chi2"}))
def test_entries_stored_twice_are_their_sum(name):
    twins, new = with_twins(X), with_twins(X[:5] + 0.5)
    before = twins.copy()
    kernel, summed = (PairwiseKernel(name).fit(rows) for rows in (twins, csr_array(X)))
    assert_array_equal(kernel.transform(new), summed.transform(csr_array(X[:5] + 0.5)))
    assert_array_equal(kernel.diag(twins), summed.diag(csr_array(X)))
    for part in ("data", "indices", "indptr"):  # the caller's rows are left alone
        assert_array_equal(getattr(twins, part), getattr(before, part))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"additive_chi2", "chi2"}))
def test_indices_of_64_bits(name):
    rows = csr_array(X)
    rows.indices, rows.indptr = (
        p.astype(np.int64) for p in (rows.indices, rows.indptr)
    )
    expected = PairwiseKernel(name).fit_transform(X)
    assert_allclose(PairwiseKernel(name).fit_transform(rows), expected, rtol=1e-12)
    assert rows.indices.dtype == np.int64


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_cannot_be_written(name):
    expected = PairwiseKernel(name).fit_transform(X)
    frozen = X.copy()
    frozen.flags.writeable = False
    for rows in (frozen, pd.DataFrame(X)):
        kernel = PairwiseKernel(name).fit(rows)
        for _ in range(2):
            assert_allclose(kernel.transform(rows), expected, rtol=1e-12)
            assert_allclose(kernel.diag(rows), expected.diagonal(), rtol=1e-12)
            kernel.X_fit_.flags.writeable = False  # as in a worker of joblib
    with pytest.raises(TypeError, match="Sparse data was passed"):
        PairwiseKernel("chi2").fit(csr_array(X)).transform(X)


@pytest.mark.parametrize(
    "make", [FreeShapAttributor, KernelRidgeClassifier, KernelRidgeClassifierCV]
)
def test_chi2_of_a_frame(make):
    y = np.arange(9) % 2
    predictions = [
        make(kernel="chi2").fit(rows, y).decision_function(rows)
        for rows in (X, pd.DataFrame(X))
    ]
    assert_array_equal(*predictions)


def test_callable():
    kernel = PairwiseKernel(lambda x, y, power: (x @ y) ** power)
    kernel.set_params(kernel_params={"power": 2})
    assert_allclose(kernel.fit_transform(X), (X @ X.T) ** 2)
    assert_allclose(kernel.diag(X), np.diag(X @ X.T) ** 2)
    with pytest.raises((TypeError, ValueError), match="parse"):
        kernel.fit(csr_array(X))


@pytest.mark.parametrize("fit", ["fit_transform", "classifier"])
def test_a_callable_that_is_not_symmetric_is_refused(fit):
    def first_counts(x, y):
        return np.exp(-((x - y) ** 2).sum()) * (1 + 0.3 * (x[0] > y[0]))

    with pytest.raises(ValueError, match=r"must be symmetric, but of rows \d and \d"):
        if fit == "classifier":
            KernelRidgeClassifier(kernel=first_counts).fit(X, np.arange(len(X)) % 2)
        else:
            PairwiseKernel(first_counts).fit_transform(X)


def test_a_callable_that_rounds_is_symmetric():
    A = X.T.astype(np.float32) @ X.astype(np.float32)
    kernel = PairwiseKernel(lambda x, y: x.astype(np.float32) @ A @ y.astype("f4"))
    K = kernel.fit_transform(X)
    assert_allclose(K, X @ A @ X.T, rtol=1e-4, atol=1e-4 * np.abs(K).max())
    assert_array_equal(K, K.T)


@pytest.mark.parametrize("value", [None, "one"])
def test_a_callable_that_gives_no_number_is_refused(value):
    with pytest.raises(ValueError, match=f"but it returned {value!r}"):
        PairwiseKernel(lambda x, y: value).fit(X)


def test_features_of_a_linear_kernel():
    kernel = PairwiseKernel("linear").fit(X)
    assert_array_equal(kernel.transform_features(X), X)
    assert_array_equal(kernel.transform_features(csr_array(X)), X)
    assert not hasattr(PairwiseKernel("rbf"), "transform_features")
    assert not hasattr(
        PairwiseKernel("linear", kernel_params={"dense_output": True}),
        "transform_features",
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel": "rfb"}, "kernel='rfb' is not known"),
        ({"kernel": "precomputed"}, "which computes kernel values"),
        ({"kernel": 3}, "'kernel' parameter"),
        ({"kernel_params": [1]}, "'kernel_params' parameter"),
        ({"kernel_params": {"gama": 1}}, "kernel_params={'gama': 1} do not fit.*'rbf'"),
        ({"kernel": "linear", "kernel_params": {"gamma": 1}}, "kernel='linear'.*gamma"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        PairwiseKernel(**parameters).fit_transform(X)


@pytest.mark.parametrize("change", ["dict", "values", "set_params"])
def test_kernel_goes_by_the_parameters_that_fit_saw(change):
    """One dict may serve several models, and parameters may be set for the next fit."""
    params = {"scale": np.ones(3)} if change == "values" else {"gamma": 0.1}

    def weighted(x, y, scale):
        return float(np.exp(-scale @ (x - y) ** 2))

    name = weighted if change == "values" else "rbf"
    kernel = PairwiseKernel(name, kernel_params=params).fit(X)
    classifier = KernelRidgeClassifier(kernel=name, kernel_params=params)
    classifier.fit(X, np.arange(9) % 2)
    before = kernel.transform(X), kernel.diag(2 * X), classifier.decision_function(X)
    if change == "dict":
        params["gamma"] = 30.0
    elif change == "values":
        params["scale"] *= 30
    else:
        kernel.set_params(kernel="polynomial", kernel_params={"degree": 2})
        classifier.kernel_.set_params(kernel="linear", kernel_params=None)
    after = kernel.transform(X), kernel.diag(2 * X), classifier.decision_function(X)
    for one, other in zip(before, after, strict=True):
        assert_array_equal(one, other)
    assert not np.allclose(kernel.fit_transform(X), before[0])


def test_features_are_there_where_fit_saw_a_linear_kernel():
    kernel = PairwiseKernel("linear").fit(X).set_params(kernel="rbf")
    assert_array_equal(kernel.transform_features(X), X)
    kernel.fit(X)
    assert not hasattr(kernel, "transform_features")


@pytest.mark.parametrize("offset", [1e4, 1e8, 1.6e9, -1e15])
def test_columns_far_from_zero(offset):
    """Distances do not depend on where zero is, as of dates in seconds."""
    near = np.random.default_rng(0).integers(-20, 20, size=(40, 3)).astype(float)
    far = near + np.array([0, 0, offset])
    params = {"gamma": 0.005}
    kernel, expected = (
        PairwiseKernel("rbf", kernel_params=params).fit(rows) for rows in (far, near)
    )
    K = expected.transform(near[:9])
    assert_allclose(kernel.transform(far[:9]), K, rtol=1e-12)
    assert_allclose(
        PairwiseKernel("rbf", kernel_params=params).fit_transform(far)[:9],
        K,
        rtol=1e-12,
    )
    model = KernelRidgeClassifier(kernel="rbf", kernel_params=params)
    y = near[:, 0] > 0
    found, other = (model.fit(rows, y).decision_function(rows) for rows in (far, near))
    assert_allclose(found, other, rtol=1e-9)


@pytest.mark.parametrize("outlier", [1e9, -9.2e18, 1e200])
def test_a_single_row_far_from_the_others(outlier):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    near = PairwiseKernel("rbf").fit_transform(rows)[1:, 1:]
    rows[0, 2] = outlier
    with np.errstate(over="ignore", invalid="ignore"):
        K = PairwiseKernel("rbf").fit_transform(rows)
    assert_allclose(K[1:, 1:], near, rtol=1e-12)


@pytest.mark.parametrize("code", [1e7, 999999999.0, 1e15])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"gamma": 0.01},
        {"gamma": 0},
        {"gamma": np.array(0.5), "n_jobs": 1},
        {"gamma": np.array([0.5]), "filter_params": True, "degree": 3},
    ],
    ids=str,
)
def test_codes_of_what_is_missing_far_from_all_else(code, params):
    """Rows of two clusters, one of them far away, are told within each."""
    rows = np.random.default_rng(0).normal(size=(40, 3))
    rows[:12, 1] = code
    gamma = params.get("gamma", 1 / 3)
    expected = np.exp(-gamma * np.square(rows[:, None] - rows).sum(2))
    kernel = PairwiseKernel("rbf", kernel_params=params)
    assert_allclose(kernel.fit_transform(rows), expected, rtol=1e-12, atol=1e-300)
    assert_allclose(kernel.transform(rows[:5]), expected[:5], rtol=1e-12, atol=1e-300)
    assert_array_equal(kernel.diag(rows), np.ones(40))


def test_sparse_rows_far_from_zero_by_dense_ones():
    far = np.random.default_rng(0).normal(size=(40, 3)) + 1e8
    kernel = PairwiseKernel("rbf").fit(far)
    assert_array_equal(kernel.transform(csr_array(far[:9])), kernel.transform(far[:9]))


def test_a_refused_fit_leaves_the_kernel_as_it_was():
    def kernel(x, y):
        return x @ y + (len(x) > 3) * x[0]

    fitted = PairwiseKernel(kernel).fit(X)
    expected = fitted.transform(X[:2])
    with pytest.raises(ValueError, match="must be symmetric"):
        fitted.fit(np.random.default_rng(1).random((9, 4)))
    assert fitted.n_features_in_ == 3
    assert_array_equal(fitted.transform(X[:2]), expected)
