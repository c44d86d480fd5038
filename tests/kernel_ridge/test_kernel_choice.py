"""Tests of the kernel of tables of numbers that is named "auto"."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

from skshap import (
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    PairwiseKernel,
    flip_labels,
)
from skshap.kernel_ridge import _alpha, _kernel_choice, _some_rows
from skshap.kernel_ridge._kernel_choice import Candidate
from skshap.selection import _base


@pytest.fixture(scope="module")
def wine():
    """Columns whose standard deviations are .1 to 300; scaled; noisy labels; which."""
    X, y = load_wine(return_X_y=True)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    return X, StandardScaler().fit_transform(X), y_noisy, is_flipped


@pytest.fixture
def table():
    """Columns of one scale, and labels with noise."""
    X, y = load_iris(return_X_y=True)
    return X[::3], flip_labels(y[::3], rate=0.1, random_state=0)[0]


def test_default_attributor_tunes_alpha(table):
    X, y = table
    alphas = [
        DataRemoval(LogisticRegression(), random_state=0).fit(X, y).attributor_.alpha_
        for y in (y, np.random.default_rng(0).permutation(y))
    ]
    assert alphas[0] < alphas[1]  # the less the rows say, the stronger the ridge


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_default_attributor_takes_the_better_kernel(kernel):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    score = X[:, 0] if kernel == "linear" else np.square(X[:, 0]) - 0.5
    y = (score > 0).astype(int)
    errors = {}
    for name in ("linear", "rbf"):
        params = {"gamma": 1 / (32 * X.var())} if name == "rbf" else None
        unit = np.square(X).sum(1).mean() if name == "linear" else 1
        ridge = KernelRidgeClassifierCV(
            unit * np.array(KernelRidgeClassifierCV().alphas),
            kernel=name,
            kernel_params=params,
            class_prior=True,
        ).fit(X, y)
        errors[name] = ridge.loo_errors_.min()
    assert min(errors, key=errors.get) == kernel
    fitted = DataRemoval(LogisticRegression(), random_state=0).fit(X, y).attributor_
    assert fitted.kernel_.kernel == kernel
    for rows in (csr_array(X), pd.DataFrame(X)):
        removal = DataRemoval(LogisticRegression(), random_state=0).fit(rows, y)
        assert removal.attributor_.kernel_.kernel == kernel


def test_default_attributor_of_columns_far_from_zero(table):
    X, y = table
    fitted = [
        DataRemoval(LogisticRegression(max_iter=1000), random_state=0)
        .fit(rows, y)
        .attributor_
        for rows in (X, X + 1e9, 1e-160 * X)
    ]
    gamma = 1 / (2 * X.var())
    assert fitted[0].kernel_.kernel_params["gamma"] == pytest.approx(gamma)
    centre, kernel = fitted[1].kernel_
    assert centre.scale_ is None
    assert kernel.kernel_params["gamma"] == pytest.approx(gamma, rel=1e-5)
    assert np.isfinite(fitted[2].gram_).all()


def test_default_attributor_of_sparse_rows_is_that_of_dense_ones():
    X = np.random.default_rng(0).normal(size=(60, 8))
    y = (np.square(X[:, 0]) > 0.5).astype(int)
    X += 1  # so that the mean square is not the variance
    fitted = [
        DataRemoval(LogisticRegression(), random_state=0).fit(rows, y)
        for rows in (csr_array(X), X)
    ]
    gamma = 1 / (32 * X.var())
    for removal in fitted:
        assert removal.attributor_.kernel_.kernel_params["gamma"] == pytest.approx(
            gamma
        )
    sparse, dense = (removal.sample_values_ for removal in fitted)
    assert_allclose(sparse, dense, atol=1e-9)


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_a_column_of_one_value_changes_no_rbf_kernel(kind):
    X, y = load_iris(return_X_y=True)
    y, _ = flip_labels(y, rate=0.1, random_state=1)
    with_year = np.c_[X[:, :2], np.full(150, 2024.1), X[:, 2:]]
    expected = LabelNoiseDetector().fit(X, y)
    found = LabelNoiseDetector().fit(kind(with_year), y)
    assert found.attributor_.kernel_.kernel == "rbf"
    gamma = expected.attributor_.kernel_.kernel_params["gamma"]
    assert found.attributor_.kernel_.kernel_params["gamma"] == pytest.approx(gamma)
    assert_allclose(found.label_quality_, expected.label_quality_, atol=1e-5)
    assert expected.label_issues_.sum() == 12


def test_the_means_of_columns_do_not_set_the_width_of_a_kernel():
    X, y = load_iris(return_X_y=True)
    X = np.c_[X, np.random.default_rng(0).integers(2020, 2025, 150)]
    y, is_flipped = flip_labels(y, rate=0.1, random_state=1)
    found = LabelNoiseDetector().fit(X, y)
    centre, kernel = found.attributor_.kernel_
    assert_allclose(centre.mean_, X.mean(0))
    assert centre.scale_ is None
    assert kernel.kernel_params == {"gamma": pytest.approx(1 / (4 * X.var(0).sum()))}
    assert is_flipped[found.label_issues_].sum() == 13
    as_sparse = LabelNoiseDetector().fit(csr_array(X), y).attributor_
    assert as_sparse.kernel_.kernel_params == {
        "gamma": pytest.approx(1 / (4 * X.var(0).sum()))
    }
    removal = DataRemoval(LogisticRegression(max_iter=5000), random_state=0).fit(X, y)
    assert is_flipped[~removal.support_].sum() > 10


def test_columns_of_other_units_are_standardized(wine):
    X, scaled, y, is_flipped = wine
    found = LabelNoiseDetector().fit(X, y)
    expected = LabelNoiseDetector().fit(scaled, y)
    assert_allclose(found.label_quality_, expected.label_quality_, atol=1e-7)
    assert is_flipped[np.argsort(found.label_quality_)[:10]].all()
    assert found.attributor_.alpha_ == expected.attributor_.alpha_
    assert_allclose(found.attributor_.gram_, expected.attributor_.gram_)


def test_columns_are_left_as_they_are_where_that_predicts_better(wine):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6)) * [10, 0.1, 0.1, 0.1, 0.1, 0.1]
    y = (np.abs(X[:, 0]) > 7).astype(int)  # all others are noise
    kernel = LabelNoiseDetector().fit(X, y).attributor_.kernel_
    assert kernel.kernel == "rbf"
    assert kernel.kernel_params == {"gamma": pytest.approx(1 / (3 * X.var()))}


@pytest.mark.parametrize("ratio, n_kernels", [(9, 2), (11, 4)])
def test_scaling_is_tried_where_columns_differ(ratio, n_kernels, monkeypatch):
    tried = []

    def spy(self, *args):
        tried.append(self.kernel.kernel)
        return error(self, *args)

    error = Candidate.error
    monkeypatch.setattr(Candidate, "error", spy)
    X = np.tile([[1.0, ratio, 5.0], [-1.0, -ratio, 5.0]], (10, 1))  # the last: constant
    X[0] = 1.0, -ratio, 5.0
    LabelNoiseDetector().fit(X, [0, 1] * 10)
    assert tried == ["rbf", "linear"] * (n_kernels // 2) + ["rbf"]  # a narrower one


@pytest.mark.parametrize("value", [-9999.0, 1e9])
def test_an_outlier_does_not_hide_the_other_rows(value):
    X, y = make_moons(400, noise=0.15, random_state=0)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    X[3] = value
    detector = LabelNoiseDetector().fit(X, y_noisy)
    assert roc_auc_score(~is_flipped, detector.label_quality_) > 0.98
    assert detector.label_issues_.sum() > 30
    kernel = detector.attributor_.kernel_
    K = rbf_kernel(RobustScaler(unit_variance=True).fit_transform(X), gamma=1.0)
    assert_allclose(kernel.fit_transform(X), K)
    beside = np.c_[X, np.full(400, 7.0)]  # a column of one value changes nothing
    kernel = LabelNoiseDetector().fit(beside, y_noisy).attributor_.kernel_
    assert_allclose(kernel.fit_transform(beside), K)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        ([[0.0], [1], [2], [3], [61]], False),  # 29.5 ranges of 2 from the median
        ([[0.0], [1], [2], [3], [63]], True),
        ([[0.0], [1], [2], [3], [-57]], False),
        ([[0.0], [1], [2], [3], [-61]], True),
        ([[0.0], [0], [0], [0], [1e9]], False),  # whose range is zero
        ([[0.0, 0], [0, 1], [0, 2], [0, 3], [1, 63]], True),
    ],
)
def test_outliers_are_thirty_ranges_from_the_median(X, expected):
    assert _kernel_choice.has_outliers(np.array(X)) is expected


def test_sparse_columns_of_other_units_go_as_dense_ones(wine):
    X, _, y, _ = wine
    dense, sparse = (
        LabelNoiseDetector().fit(rows, y).attributor_ for rows in (X, csr_array(X))
    )
    assert dense.kernel_[-1].kernel == sparse.kernel_[-1].kernel == "rbf"
    assert_allclose(sparse.gram_, dense.gram_, atol=1e-9)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_of_other_units(frame, wine, names_of_polars):
    X, _, y, _ = wine
    names = [f"c{j}" for j in range(13)]
    table = frame(dict(zip(names, X.T, strict=True)))
    found = LabelNoiseDetector().fit(table, y)
    expected = LabelNoiseDetector().fit(X, y)
    assert_allclose(found.label_quality_, expected.label_quality_, rtol=1e-5)
    assert found.n_features_in_ == 13
    other = table[list(reversed(names))]
    if frame is pd.DataFrame or names_of_polars:
        assert list(found.feature_names_in_) == names
        with pytest.raises(ValueError, match="feature names"):
            found.attributor_.predict(other)
    with pytest.raises(ValueError, match="X_val must have the columns of X"):
        LabelNoiseDetector().fit(table, y, X_val=other, y_val=y)


def test_rows_held_out_are_scaled_alike(wine):
    X, scaled, y, _ = wine
    found, expected = (
        LabelNoiseDetector().fit(rows[50:], y[50:], X_val=rows[:50], y_val=y[:50])
        for rows in (X, scaled)
    )
    assert len(found.label_quality_) == len(X) - 50
    # Scaled by the rows of both, which are the rows that `scaled` is scaled by.
    assert_allclose(found.label_quality_, expected.label_quality_, atol=1e-9)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    for estimator in (
        DataRemoval(model, n_samples_to_remove="harmful"),
        DataSelector(n_samples_to_select=0.2),
    ):
        estimator.set_params(random_state=0)
        estimator.fit(X[50:], y[50:], X_val=X[:50], y_val=y[:50])
        values = estimator.attributor_.attribute(X[:50], y[:50])
        assert np.isfinite(values).all()
        with pytest.raises(ValueError, match="shape"):
            estimator.fit(X[50:], y[50:], X_val=X[:50, 1:], y_val=y[:50])


@pytest.mark.parametrize("name", ["rbf", "linear"])
def test_a_kernel_is_chosen_by_some_rows_and_alpha_by_all(name, wine, monkeypatch):
    _, X, y, _ = wine
    if name == "linear":
        X = np.random.default_rng(0).normal(size=(178, 13))
        y = (X[:, 0] > 0).astype(int)
    seen = []

    def spy(self, Y, has_prior, chosen):
        seen.append((self.kernel.kernel, chosen))
        return error(self, Y, has_prior, chosen)

    error = Candidate.error

    monkeypatch.setattr(_some_rows, "MOST_ROWS", 60)
    monkeypatch.setattr(_alpha, "MOST_ROWS", 60)
    monkeypatch.setattr(Candidate, "error", spy)
    attributor = LabelNoiseDetector().fit(X, y).attributor_
    assert attributor.kernel_.kernel == name
    kernels, (chosen, *others) = zip(*seen, strict=True)
    assert kernels == ("rbf", "linear", "rbf")  # the last: a narrower one
    assert all(same is chosen for same in others)
    n = len(chosen)
    assert 58 <= n <= 60  # of three classes
    assert_allclose(np.bincount(y[chosen]) / n, np.bincount(y) / len(y), atol=0.02)
    assert len(np.unique(chosen)) == n
    unit = 1.0 if name == "rbf" else np.square(X).sum(1).mean()
    expected = KernelRidgeClassifierCV(
        unit * np.array(KernelRidgeClassifierCV().alphas),
        kernel=name,
        kernel_params=attributor.kernel_.kernel_params,
        class_prior=True,
    ).fit(X, y)
    assert attributor.alpha_ == pytest.approx(expected.alpha_)


@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
def test_none_is_what_it_chooses(method, wine):
    """The ridge of "auto" is tuned once, and as if the attributor had been passed."""
    X, _, y, _ = wine
    found = LabelNoiseDetector(method=method).fit(X, y)
    attributor = found.attributor_
    assert isinstance(attributor.kernel_[-1], PairwiseKernel)
    given = FreeShapAttributor(
        attributor.kernel_, alpha=attributor.alpha_, random_state=attributor._seed
    )
    expected = LabelNoiseDetector(given, method=method).fit(X, y)
    if method == "prequential":  # with another seed
        pair = found.label_quality_, expected.label_quality_
        assert np.corrcoef(*pair)[0, 1] > 0.9
    else:
        assert_allclose(found.label_quality_, expected.label_quality_, rtol=1e-6)


@pytest.fixture
def few_rows_are_many(monkeypatch):
    monkeypatch.setattr(_kernel_choice, "LARGE", 150)
    monkeypatch.setattr(_kernel_choice, "N_LANDMARKS", 100)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_many_rows_take_features_in_place_of_pairs(container, wine, few_rows_are_many):
    X, _, y, is_flipped = wine
    few = LabelNoiseDetector().fit(container(X[:150]), y[:150]).attributor_
    assert isinstance(few.kernel_[-2], StandardScaler)  # exact
    found = LabelNoiseDetector().fit(container(X), y)
    attributor = found.attributor_
    assert attributor._is_explicit
    exact = rbf_kernel(X / X.std(0), gamma=attributor.kernel_[-2].gamma)
    off = np.abs(attributor.gram_ - exact)
    assert (off - np.diag(off.diagonal())).mean() < 0.01  # the diagonal lacks most
    assert off.mean() > 1e-4
    assert is_flipped[np.argsort(found.label_quality_)[:10]].all()


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, csr_array])
def test_features_of_many_rows_are_the_same_in_any_order(
    container, is_scaled, wine, few_rows_are_many
):
    X, scaled, y, _ = wine
    X = scaled if is_scaled else X
    order = np.random.default_rng(1).permutation(len(y))
    found = LabelNoiseDetector().fit(container(X), y)
    other = LabelNoiseDetector().fit(container(X[order]), y[order])
    assert found.attributor_._is_explicit
    gram = found.attributor_.gram_[np.ix_(order, order)]
    assert_allclose(other.attributor_.gram_, gram, atol=1e-6)
    assert_allclose(other.label_quality_, found.label_quality_[order], atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, csr_array])
@pytest.mark.parametrize("kind", ["units", "outlier", "large", "far"])
def test_rows_of_little_precision_are_taken_as_they_are(
    kind, container, dtype, wine, monkeypatch
):
    X, scaled, y, _ = wine
    if kind == "large":  # landmarks of columns that are not scaled
        monkeypatch.setattr(_kernel_choice, "LARGE", 150)
        monkeypatch.setattr(_kernel_choice, "N_LANDMARKS", 100)
    X = X if kind == "units" else scaled.copy()
    if kind == "outlier":
        X[7, 3] = 6e4
    if kind == "far":  # products of rows are beyond float16
        X = X * np.where(np.arange(13) == 1, 6000, 0.01)
    rows = X.astype(dtype)
    double = rows.astype(float)
    if container is csr_array and dtype is np.float16:
        pytest.skip("scipy has no such matrices")
    simple = {"method": "loo", "noise": "symmetric"}  # is fitted once
    expected = LabelNoiseDetector(**simple).fit(container(double), y)
    found = LabelNoiseDetector(**simple).fit(container(rows), y)
    assert isinstance(found.attributor_.kernel_, Pipeline)
    for detector in (found, pickle.loads(pickle.dumps(found))):
        assert_array_equal(detector.label_quality_, expected.label_quality_)
        assert_array_equal(
            detector.attributor_.decision_function(container(rows[:5])),
            expected.attributor_.decision_function(container(double[:5])),
        )


@pytest.mark.parametrize(
    ("columns", "is_large", "is_linear", "library"),
    [
        ("units", False, False, "polars"),
        ("units", True, False, "pandas"),
        ("units", True, True, "polars"),
        ("outlier", False, False, "pandas"),
        ("outlier", True, False, "polars"),
        ("outlier", False, True, "polars"),
        ("alike", False, True, "pandas"),
        ("alike", True, False, "pandas"),
        ("alike", False, False, "polars"),
    ],
)
def test_values_do_not_depend_on_what_transformers_return(
    columns, is_large, is_linear, library, wine, monkeypatch
):
    X, scaled, y, _ = wine
    X = X if columns == "units" else scaled.copy()
    if columns == "outlier":
        X[7, 3] = 1e4
    if is_linear:
        y = np.where(X[:, 0] > np.median(X[:, 0]), "a", "b")
    if is_large:
        monkeypatch.setattr(_kernel_choice, "LARGE", 150)
        monkeypatch.setattr(_kernel_choice, "N_LANDMARKS", 100)
    monkeypatch.setattr(_some_rows, "MOST_ROWS", 60)
    monkeypatch.setattr(_alpha, "MOST_ROWS", 60)
    simple = {"method": "loo", "noise": "symmetric"}  # is fitted once
    expected = LabelNoiseDetector(**simple).fit(X, y)
    predicted = expected.attributor_.decision_function(X[:5])
    with config_context(transform_output=library):
        found = LabelNoiseDetector(**simple).fit(X, y)
        for detector in (found, expected, pickle.loads(pickle.dumps(expected))):
            values = detector.attributor_.decision_function(X[:5])
            assert_array_equal(values, predicted)
        for chooser in (
            DataRemoval(GaussianNB(), cv=2, random_state=0),
            DataSelector(n_samples_to_select=9, cv=2, random_state=0),
        ):
            assert chooser.fit(X, y).attributor_.alpha_ == expected.attributor_.alpha_
    assert_array_equal(found.label_quality_, expected.label_quality_)


@pytest.mark.parametrize(
    "n, number, n_permutations",
    [
        (50, 5, 10),
        (51, 5, 9),
        (100, 0.1, 5),
        (100, "harmful", 10),
        (160, 5, 3),
        (160, "harmful", 6),
    ],
)
def test_many_rows_are_valued_by_fewer_permutations(
    n, number, n_permutations, wine, monkeypatch
):
    monkeypatch.setattr(_base, "PERMUTED", 500)
    _, X, y, _ = wine
    rows = np.arange(len(y)) * 7 % len(y)  # of all classes
    removal = DataRemoval(LogisticRegression(max_iter=500), random_state=0)
    removal.set_params(n_samples_to_remove=number).fit(X[rows[:n]], y[rows[:n]])
    assert removal.attributor_.n_permutations == n_permutations


def test_very_many_rows_are_valued_by_a_permutation_or_two(wine, monkeypatch):
    monkeypatch.setattr(_base, "PERMUTED", 10)
    _, X, y, _ = wine
    removal = DataRemoval(LogisticRegression(max_iter=500), random_state=0)
    for number, n_permutations in ((5, 1), ("harmful", 2)):
        removal.set_params(n_samples_to_remove=number).fit(X, y)
        assert removal.attributor_.n_permutations == n_permutations


def test_an_attributor_chooses_what_none_does(wine):
    X, _, y, _ = wine
    auto = FreeShapAttributor("auto", alpha="auto", random_state=0)
    expected = LabelNoiseDetector().fit(X, y)
    found = LabelNoiseDetector(auto).fit(X, y)
    assert_array_equal(found.label_quality_, expected.label_quality_)
    options = {"scoring": "neg_brier_score", "n_permutations": 10, "random_state": None}
    removal = DataRemoval(GaussianNB(), random_state=0).fit(X[::4], y[::4])
    given = DataRemoval(GaussianNB(), auto.set_params(**options), random_state=0)
    found = given.fit(X[::4], y[::4])
    assert_array_equal(found.ranking_, removal.ranking_)
    given.set_params(attributor__alpha=3.0)  # nested parameters, of a chosen kernel
    assert given.fit(X[::4], y[::4]).attributor_.alpha_ == 3.0


def test_values_are_those_of_the_kernel_and_the_alpha_chosen(wine):
    X, _, y, _ = wine
    auto = FreeShapAttributor("auto", alpha="auto", random_state=0, n_permutations=5)
    values = auto.fit(X[::2], y[::2]).attribute(X[1::2], y[1::2])
    assert (auto.kernel, auto.alpha) == ("auto", "auto")
    again = pickle.loads(pickle.dumps(auto)).attribute(X[1::2], y[1::2])
    assert_array_equal(again, values)
    given = FreeShapAttributor(
        auto.kernel_, alpha=auto.alpha_, random_state=0, n_permutations=5
    )
    assert_array_equal(given.fit(X[::2], y[::2]).attribute(X[1::2], y[1::2]), values)
    with pytest.raises(ValueError, match=r"alpha=2.0 was set after fit.*alpha='auto'"):
        auto.set_params(alpha=2.0).attribute(X, y)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "precomputed"])
def test_alpha_is_chosen_for_any_kernel(kernel, wine):
    _, X, y, _ = wine
    X = rbf_kernel(X) if kernel == "precomputed" else X
    fitted = FreeShapAttributor(kernel, alpha="auto").fit(X, y)
    unit = np.square(X).sum(1).mean() if kernel == "linear" else 1.0
    expected = KernelRidgeClassifierCV(
        unit * np.array(KernelRidgeClassifierCV().alphas),
        kernel=kernel,
        class_prior=True,
    ).fit(X, y)
    assert fitted.alpha_ == pytest.approx(expected.alpha_)
    assert FreeShapAttributor(kernel, alpha=2).fit(X, y).alpha_ == 2.0


def test_the_kernel_of_a_regression_is_chosen_by_its_targets():
    X, y = load_diabetes(return_X_y=True)
    X = X * np.geomspace(1, 1000, 10)  # units
    scaled = StandardScaler().fit_transform(X)
    y = y - y.mean()
    for name, targets in (("linear", scaled.sum(1)), ("rbf", scaled[:, 0] ** 2 - 1)):
        kernel = FreeShapRegressor("auto", alpha="auto").fit(X, targets).kernel_
        assert isinstance(kernel[0], StandardScaler)
        assert kernel[1].kernel == name
    fitted = FreeShapRegressor("auto", alpha="auto").fit(X[:300], y[:300])
    assert -fitted.score(X[300:], y[300:]) < 0.55 * y.var()
    residuals = fitted.loo_prediction_ - y[:300]
    assert np.square(residuals).mean() < 0.55 * y.var()


@pytest.mark.parametrize(
    "estimator",
    [
        KernelRidgeClassifier(kernel="auto"),
        KernelRidgeClassifierCV(kernel="auto"),
        FreeShapAttributor("auto"),
        FreeShapRegressor("auto"),
    ],
)
def test_auto_is_of_numbers_and_has_no_parameters(estimator):
    X, y = load_iris(return_X_y=True)
    y = y - 1
    estimator.fit(X, y)
    assert estimator.predict(X).shape == (150,)
    assert_allclose(estimator.fit(csr_array(X), y).predict(X), estimator.predict(X))
    assert estimator.fit(pd.DataFrame(X), y).n_features_in_ == 4
    message = r"kernel='auto' is chosen for numbers, but X holds texts; use .*\)\)\.$"
    with pytest.raises(ValueError, match=message):
        estimator.fit(["a text", "another"], [0, 1])
    with pytest.raises(ValueError, match="chosen as well by kernel='auto'; name"):
        estimator.set_params(kernel_params={"gamma": 1.0}).fit(X, y)


def test_auto_is_no_kernel_of_vectors():
    with pytest.raises(ValueError, match="'auto' is for the classifiers and attr"):
        PairwiseKernel("auto").fit([[1.0]])
    with pytest.raises(ValueError, match=r"alpha.*must be a float"):
        KernelRidgeClassifier("auto").fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("name", ["rbf", "laplacian", "linear"])
def test_of_many_rows_only_a_linear_kernel_is_exact(name, few_rows_are_many):
    kernel = PairwiseKernel(name, kernel_params=None if name == "linear" else {})
    for n in (150, 151):
        made = Candidate(np.zeros((n, 2)), None, kernel).unfitted()
        assert (made is kernel) == (name == "linear" or n == 150)
    if made is not kernel:
        assert made[0].kernel == name and made[1].kernel == "linear"


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_of_targets_choose_nothing(unit):
    X, y = load_diabetes(return_X_y=True)
    X, y = 100 * X[:80], y[:80]
    expected, found = (
        FreeShapRegressor("auto", alpha="auto").fit(X, targets)
        for targets in (y, unit * y)
    )
    assert found.alpha_ == expected.alpha_
    assert repr(found.kernel_) == repr(expected.kernel_)


@pytest.mark.parametrize("offset", ["a column", "all columns"])
def test_large_offsets_take_no_digits(offset):
    X, y = load_iris(return_X_y=True)
    moved = X + 2.0**30 if offset == "all columns" else np.c_[X, np.full(150, 1.7e18)]
    expected, found = (
        KernelRidgeClassifierCV(kernel="auto").fit(rows, y) for rows in (X, moved)
    )
    assert found.score(moved, y) > 0.95
    assert_allclose(found.predict_proba(moved), expected.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix"])
@pytest.mark.parametrize("far", [0, 3], ids=["numbers", "constant"])
def test_sparse_columns_far_from_zero_are_refused(far, kind):
    """Results were those of rounding from there on, or the ridge failed."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4)) * (rng.random((60, 4)) < 0.5)
    y = (rows[:, 1] > 0).astype(int)
    rows[:, 3] = 1.0
    plain = FreeShapAttributor("auto", alpha="auto")
    expected = plain.fit(sparse.csr_array(rows), y).score(rows, y)
    rows[:, far] += 1e3
    assert plain.fit(getattr(sparse, kind)(rows), y).score(rows, y) > expected - 0.1
    rows[:, far] += 1e7
    with pytest.raises(ValueError, match=rf"sparse, and its columns \[{far}\] are so"):
        plain.fit(getattr(sparse, kind)(rows), y)
    assert plain.fit(rows, y).score(rows, y) > expected - 0.1
