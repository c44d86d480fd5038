"""The ridge of least leave-one-out error, whatever the kernel's scale."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from skshap import KernelRidgeClassifier, KernelRidgeClassifierCV
from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.selection import _some_rows, _tuned_ridge
from skshap.selection._tuned_ridge import (
    ALPHAS,
    alpha_scale,
    downhill,
    tune_kernel,
    tune_ridge,
)


@pytest.fixture
def rows():
    """Two classes without overlap."""
    y = np.arange(60) % 2
    return np.random.default_rng(0).normal(size=(60, 2)) + 9 * y[:, None], y


def test_candidates_go_from_rows_that_say_all_to_those_that_say_nothing(rows):
    X, y = rows
    K = rbf_kernel(X, gamma=0.01)
    noise = np.random.default_rng(0).permutation(y)
    ends = []
    for labels in (y, noise):
        default = KernelRidgeClassifierCV(kernel="precomputed", class_prior=True)
        expected = default.fit(K, labels).alpha_
        assert tune_ridge(K, labels, 1.0, kernel="precomputed").alpha_ == expected
        ends.append(expected)
    assert ends == [min(default.alphas), max(default.alphas)]


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_a_kernel_does_not_matter(scale, rows):
    X, y = rows
    K = rbf_kernel(X)
    found = tune_ridge(scale * K, y, scale, kernel="precomputed")
    expected = tune_ridge(K, y, 1.0, kernel="precomputed")
    assert found.alpha_ == pytest.approx(scale * expected.alpha_)
    assert_allclose(found.loo_errors_, expected.loo_errors_)


@pytest.mark.parametrize("offset", [30, 1e4])
@pytest.mark.parametrize("is_explicit", [False, True])
def test_what_all_rows_have_in_common_sets_no_alpha(is_explicit, offset):
    X = np.random.default_rng(0).normal(size=(80, 4))
    X -= X.mean(0)
    rows = np.c_[X, np.full(80, offset)]
    kernel = TrainingKernel(rows if is_explicit else rows @ rows.T, is_explicit)
    alpha = tune_kernel(kernel, (X[:, 0] > 0).astype(int))
    unit = np.square(X).sum(1).mean()  # of the rows without the column
    assert np.isclose(alpha, unit * np.array(ALPHAS), rtol=1e-6).any()


def test_scales_of_rows_that_are_alike():
    assert alpha_scale(1.0, 0.89, 100) == 1.0
    assert alpha_scale(1.0, 0.95, 100) == pytest.approx(0.05)
    assert alpha_scale(2.0, 2.0, 100) == 2.0  # all are the same
    assert alpha_scale(1.0, 1 - 1e-12, 100) == 1.0  # but for rounding
    assert alpha_scale(0.0, 0.0, 100) == 0.0


@pytest.mark.parametrize("scale", [0.0, 1e-320])
def test_rows_of_zeros_have_no_best_alpha(scale):
    ridge = tune_ridge(np.zeros((6, 6)), [0, 1] * 3, scale, kernel="precomputed")
    assert np.isfinite(ridge.alpha_) and ridge.alpha_ > 0
    assert_allclose(ridge.loo_errors_, ridge.loo_errors_[0])


def test_it_is_a_ridge_on_labels_without_their_frequencies(rows):
    X, y = rows
    params = {"kernel": "rbf", "kernel_params": {"gamma": 0.3}}
    ridge = tune_ridge(X[:50], y[:50], 1.0, **params)
    plain = KernelRidgeClassifier(ridge.alpha_, class_prior=True, **params)
    expected = plain.fit(X[:50], y[:50]).decision_function(X)
    assert_allclose(ridge.decision_function(X), expected)


@pytest.mark.parametrize("is_noise", [False, True])
@pytest.mark.parametrize("lost", [0.0, 20.0])
def test_features_are_tuned_beside_what_they_lack(lost, is_noise, rows):
    F, y = rows
    y = np.random.default_rng(0).permutation(y) if is_noise else y
    K = F @ F.T + lost * np.eye(60)
    alphas = np.diagonal(K).mean() * np.array(ALPHAS)
    errors = []
    for alpha in alphas:
        ridge = KernelRidgeClassifier(alpha, kernel="precomputed", class_prior=True)
        misses = ridge.fit(K, y).loo_decision_function_ - (2 * y - 1)
        errors.append(np.square(misses).mean())
    found = tune_kernel(TrainingKernel(F, is_explicit=True, lost=lost), y)
    assert found == pytest.approx(alphas[np.argmin(errors)])


@pytest.mark.parametrize("start", [None, 0.005, 1.0, 200.0])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_of_many_rows_alpha_is_that_of_all_candidates(noise, start, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])
    y = np.where(rng.random(200) < noise, rng.integers(0, 3, 200), y)
    K = 5 * rbf_kernel(X)
    expected = tune_ridge(K, y, 5.0, kernel="precomputed").alpha_
    for module in (_some_rows, _tuned_ridge):
        monkeypatch.setattr(module, "MOST_ROWS", 60)
    found = tune_kernel(TrainingKernel(K, is_explicit=False), y, start=start)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("start", [0.01, 0.1, 30.0])
def test_without_a_factor_alpha_is_raised(start, rows, monkeypatch):
    X, y = rows
    K = rbf_kernel(X, gamma=0.01)
    values, vectors = np.linalg.eigh(K)
    K -= (values[0] + 0.2) * np.outer(vectors[:, 0], vectors[:, 0])  # no kernel now
    expected = tune_ridge(K, y, 1.0, kernel="precomputed").alpha_
    assert expected == 0.3  # without the change it would be the least
    monkeypatch.setattr(_tuned_ridge, "MOST_ROWS", 50)
    found = tune_kernel(TrainingKernel(K, is_explicit=False), y, start=start)
    assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("start", range(7))
@pytest.mark.parametrize("least", range(7))
def test_errors_are_followed_to_the_least_and_no_further(least, start):
    seen = []

    def error(i):
        seen.append(i)
        return abs(i - least)

    assert downhill(error, start, 7) == least
    assert len(seen) == len(set(seen)) <= 3 + abs(least - start)


@pytest.mark.parametrize(
    "errors", [[np.inf] * 4 + [3.0, 2.0, 2.5], [1.0] * 5 + [0.5] * 2]
)
def test_of_equal_errors_the_last_is_better(errors):
    least = len(errors) - 1 - int(np.argmin(errors[::-1]))
    assert downhill(errors.__getitem__, 0, 7) == least


def sorted_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])
    order = np.argsort(y, kind="stable")
    return X[order], y[order]


@pytest.mark.parametrize("start, expected", [(None, None), (0.09, 0.1), (0.018, 0.03)])
def test_errors_are_followed_from_the_best_alpha_of_some_rows(
    start, expected, monkeypatch
):
    X, y = sorted_rows()
    K, seen = rbf_kernel(X), []
    if expected is None:
        expected = tune_ridge(K, y, 1.0, kernel="precomputed").alpha_
    for module in (_some_rows, _tuned_ridge):
        monkeypatch.setattr(module, "MOST_ROWS", 60)
    monkeypatch.setattr(
        _tuned_ridge, "downhill", lambda error, at, n: seen.append(at) or at
    )
    found = tune_kernel(TrainingKernel(K, is_explicit=False), y, start=start)
    at = ALPHAS.index(expected)
    assert abs(seen[0] - at) <= (1 if start is None else 0)
    assert found == pytest.approx(ALPHAS[seen[0]])


def test_of_features_all_candidates_are_tried(monkeypatch):
    X, y = sorted_rows()
    kernel = TrainingKernel(X, is_explicit=True)
    expected = tune_kernel(kernel, y)
    monkeypatch.setattr(_tuned_ridge, "MOST_ROWS", 60)
    monkeypatch.setattr(_tuned_ridge, "downhill", None)
    assert tune_kernel(kernel, y) == expected
