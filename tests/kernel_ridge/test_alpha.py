"""The alpha of least leave-one-out error, whatever the kernel's scale."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from skshap import KernelRidgeClassifier, KernelRidgeClassifierCV
from skshap.kernel_ridge import _alpha, _some_rows
from skshap.kernel_ridge._alpha import (
    ALPHAS,
    candidate_alphas,
    choose_alpha,
    downhill,
    leave_one_out_error,
    leave_one_out_errors,
)
from skshap.kernel_ridge._training_kernel import TrainingKernel


def kernel_of(K):
    return TrainingKernel(K, is_explicit=False)


def few_rows_are_many(monkeypatch, n):
    for module in (_some_rows, _alpha):
        monkeypatch.setattr(module, "MOST_ROWS", n)


@pytest.fixture
def rows():
    """Two classes without overlap, and their indicators."""
    y = np.arange(60) % 2
    return np.random.default_rng(0).normal(size=(60, 2)) + 9 * y[:, None], np.eye(2)[y]


@pytest.mark.parametrize("has_prior", [False, True])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_errors_are_those_of_refits_without_each_row(n_targets, has_prior):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20, 3)), 1 + rng.normal(size=(20, n_targets))
    K, alphas = rbf_kernel(X), np.array([0.1, 2.0])
    expected = np.zeros(2)
    for i in range(20):
        others = np.arange(20) != i
        prior = Y[others].mean(0) if has_prior else 0.0
        for j, alpha in enumerate(alphas):
            A = K[np.ix_(others, others)] + alpha * np.eye(19)
            predicted = prior + K[i, others] @ np.linalg.solve(A, Y[others] - prior)
            expected[j] += np.square(predicted - Y[i]).mean() / 20
    found = leave_one_out_errors(kernel_of(K), Y, alphas, has_prior)
    assert_allclose(found, expected)
    for alpha, error in zip(alphas, expected, strict=True):
        found = leave_one_out_error(kernel_of(K), Y, alpha, has_prior, None)
        assert found == pytest.approx(error)


def test_candidates_go_from_rows_that_say_all_to_those_that_say_nothing(rows):
    X, Y = rows
    K = rbf_kernel(X, gamma=0.01)
    noise = np.random.default_rng(0).permutation(Y)
    ends = []
    for targets in (Y, noise):
        default = KernelRidgeClassifierCV(kernel="precomputed", class_prior=True)
        expected = default.fit(K, targets.argmax(1)).alpha_
        assert choose_alpha(kernel_of(K), targets) == expected
        ends.append(expected)
    assert ends == [min(default.alphas), max(default.alphas)]


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_a_kernel_does_not_matter(scale, rows):
    X, Y = rows
    K = rbf_kernel(X)
    alphas = [candidate_alphas(kernel_of(factor * K)) for factor in (1, scale)]
    assert_allclose(alphas, [ALPHAS, scale * np.array(ALPHAS)])
    assert choose_alpha(kernel_of(scale * K), Y) == pytest.approx(
        scale * choose_alpha(kernel_of(K), Y)
    )


def test_the_scale_of_targets_does_not_matter(rows):
    X, _ = rows
    kernel, targets = kernel_of(rbf_kernel(X)), np.sin(X[:, :1])
    expected = choose_alpha(kernel, targets, has_prior=False)
    assert choose_alpha(kernel, 1e6 * targets, has_prior=False) == expected
    # Far from zero, none but with a prior is as good.
    assert choose_alpha(kernel, targets + 1e6) == choose_alpha(kernel, targets)
    assert choose_alpha(kernel, targets + 1e6, has_prior=False) == min(ALPHAS)


@pytest.mark.parametrize("offset", [30, 1e4])
@pytest.mark.parametrize("is_explicit", [False, True])
def test_what_all_rows_have_in_common_sets_no_alpha(is_explicit, offset):
    X = np.random.default_rng(0).normal(size=(80, 4))
    X -= X.mean(0)
    rows = np.c_[X, np.full(80, offset)]
    kernel = TrainingKernel(rows if is_explicit else rows @ rows.T, is_explicit)
    alpha = choose_alpha(kernel, np.eye(2)[(X[:, 0] > 0).astype(int)])
    unit = np.square(X).sum(1).mean()  # of the rows without the column
    assert np.isclose(alpha, unit * np.array(ALPHAS), rtol=1e-6).any()


@pytest.mark.parametrize(
    ("diagonal", "common", "scale"),
    [
        (1.0, 0.89, 1.0),
        (1.0, 0.95, 0.05),
        (2.0, 2.0, 2.0),  # all are the same
        (1.0, 1 - 1e-12, 1.0),  # but for rounding
        (0.0, 0.0, 1.0),
        (1e-320, 0.0, 1.0),
    ],
)
def test_scales_of_rows_that_are_alike(diagonal, common, scale):
    n = 100
    off = (n * common - diagonal) / (n - 1)  # such that the mean is what is common
    K = np.full((n, n), off)
    np.fill_diagonal(K, diagonal)
    expected = scale * np.array(ALPHAS)
    assert_allclose(candidate_alphas(kernel_of(K)), expected, rtol=1e-6)


def test_a_kernel_that_overflows_has_no_candidates():
    with pytest.raises(ValueError, match="overflow; scale X down"):
        candidate_alphas(kernel_of(np.full((3, 3), 1e308)))


@pytest.mark.parametrize("scale", [0.0, 1e-320])
def test_rows_of_zeros_have_no_best_alpha(scale):
    kernel, Y = kernel_of(np.full((6, 6), scale)), np.tile(np.eye(2), (3, 1))
    alpha = choose_alpha(kernel, Y)
    assert np.isfinite(alpha) and alpha > 0
    errors = leave_one_out_errors(kernel, Y, candidate_alphas(kernel))
    assert_allclose(errors, errors[0])


@pytest.mark.parametrize("is_noise", [False, True])
@pytest.mark.parametrize("lost", [0.0, 20.0])
def test_features_are_tuned_beside_what_they_lack(lost, is_noise, rows):
    F, Y = rows
    Y = np.random.default_rng(0).permutation(Y) if is_noise else Y
    y = Y.argmax(1)
    K = F @ F.T + lost * np.eye(60)
    alphas = np.diagonal(K).mean() * np.array(ALPHAS)
    errors = []
    for alpha in alphas:
        ridge = KernelRidgeClassifier(alpha, kernel="precomputed", class_prior=True)
        misses = ridge.fit(K, y).loo_decision_function_ - (2 * y - 1)
        errors.append(np.square(misses).mean())
    found = choose_alpha(TrainingKernel(F, is_explicit=True, lost=lost), Y)
    assert found == pytest.approx(alphas[np.argmin(errors)])


@pytest.mark.parametrize("has_prior", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_of_many_rows_alpha_is_that_of_all_candidates(noise, has_prior, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])
    y = np.where(rng.random(200) < noise, rng.integers(0, 3, 200), y)
    kernel, Y = kernel_of(5 * rbf_kernel(X)), np.eye(3)[y]
    expected = choose_alpha(kernel, Y, has_prior)
    few_rows_are_many(monkeypatch, 60)
    assert choose_alpha(kernel, Y, has_prior) == pytest.approx(expected)


@pytest.mark.parametrize("start", [0.01, 0.1, 30.0])
def test_without_a_factor_alpha_is_raised(start, rows, monkeypatch):
    X, Y = rows
    K = rbf_kernel(X, gamma=0.01)
    values, vectors = np.linalg.eigh(K)
    K -= (values[0] + 0.2) * np.outer(vectors[:, 0], vectors[:, 0])  # no kernel now
    expected = choose_alpha(kernel_of(K), Y)
    assert expected == pytest.approx(0.3, rel=0.01)  # without the change the least
    few_rows_are_many(monkeypatch, 50)
    at = ALPHAS.index(start)
    monkeypatch.setattr(_alpha, "best_alpha", lambda kernel, Y, alphas, *_: alphas[at])
    assert choose_alpha(kernel_of(K), Y) == expected


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


@pytest.fixture
def sorted_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])
    order = np.argsort(y, kind="stable")
    return X[order], np.eye(3)[y[order]]


def test_errors_are_followed_from_the_best_alpha_of_some_rows(sorted_rows, monkeypatch):
    X, Y = sorted_rows
    kernel, seen = kernel_of(rbf_kernel(X)), []
    expected = choose_alpha(kernel, Y)
    few_rows_are_many(monkeypatch, 60)
    monkeypatch.setattr(
        _alpha, "downhill", lambda error, at, n: seen.append((at, n)) or at
    )
    found = choose_alpha(kernel, Y)
    ((at, n),) = seen
    assert n == len(ALPHAS)
    assert abs(at - ALPHAS.index(expected)) <= 1
    assert found == pytest.approx(ALPHAS[at])


def test_of_features_all_candidates_are_tried(sorted_rows, monkeypatch):
    X, Y = sorted_rows
    kernel = TrainingKernel(X, is_explicit=True)
    expected = choose_alpha(kernel, Y)
    few_rows_are_many(monkeypatch, 60)
    monkeypatch.setattr(_alpha, "downhill", None)
    assert choose_alpha(kernel, Y) == expected
