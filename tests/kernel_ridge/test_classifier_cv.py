"""The ridge that chooses its alpha: by leave-one-out error, if it has a factor."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from skshap import KernelRidgeClassifier, KernelRidgeClassifierCV, PairwiseKernel
from skshap.exceptions import NotPositiveDefiniteError
from tests.rows import class_rows


@pytest.mark.parametrize("class_prior", [False, True])
def test_searched_alpha_has_the_least_leave_one_out_error(class_prior):
    X, y = class_rows(30, 3, seed=3)
    alphas = [1e-3, 0.1, 1.0, 30.0]
    shared = {"kernel": "rbf", "class_prior": class_prior}
    search = KernelRidgeClassifierCV(alphas, **shared).fit(X, y)
    errors = []
    for alpha in alphas:
        clf = KernelRidgeClassifier(alpha, **shared).fit(X, y)
        errors.append(np.mean((clf.loo_decision_function_ - np.eye(3)[y]) ** 2))
    assert_allclose(search.loo_errors_, errors, rtol=1e-8)
    assert search.alpha_ == alphas[int(np.argmin(errors))]
    best = KernelRidgeClassifier(search.alpha_, **shared).fit(X, y)
    assert_allclose(search.dual_coef_, best.dual_coef_)


@pytest.mark.parametrize("lowest, tiny", [(0.0, 1e-12), (-0.1, 0.05)])
def test_searched_alpha_is_not_too_small_for_a_factor(lowest, tiny):
    # Rows twice: the smaller alpha is, the better a row is predicted by its twin.
    X, y = class_rows(12, 3)
    K = rbf_kernel(np.vstack([X, X])) + lowest * np.eye(24)
    search = KernelRidgeClassifierCV([tiny, 0.2, 1.0], kernel="precomputed")
    search.fit(K, np.append(y, y))
    assert search.alpha_ == 0.2
    assert np.isfinite(search.loo_errors_).tolist() == [False, True, True]
    with pytest.raises(NotPositiveDefiniteError, match=f"alpha={tiny:.3g} "):
        search.set_params(alphas=[tiny / 3, tiny, tiny / 2]).fit(K, np.append(y, y))


def test_alpha_is_searched_beside_an_outlier():
    # All alphas are tiny beside it, but the other rows have pivots of their own.
    X, y = class_rows(12)
    X, y = np.vstack([X, 1e6 * np.eye(3)[:1]]), np.append(y, 0)
    search = KernelRidgeClassifierCV([1e-3, 0.1, 10.0]).fit(X, y)
    fitted = [KernelRidgeClassifier(alpha).fit(X, y) for alpha in search.alphas]
    signs = 2 * y - 1
    errors = [np.mean((clf.loo_decision_function_ - signs) ** 2) for clf in fitted]
    assert search.alpha_ == search.alphas[np.argmin(errors)] > 1e-3


def test_candidates_are_those_that_the_classifier_fits():
    X, y = class_rows(60)
    X[0] *= 1e4  # beside it no eigenvalue tells of alpha
    alphas = [1e-12, 1e-2, 0.1, 1.0, 1e9]
    search = KernelRidgeClassifierCV(alphas, class_prior=True).fit(X, y)
    errors = []
    for alpha in alphas[1:]:
        one = KernelRidgeClassifier(alpha, class_prior=True).fit(X, y)
        loo = one.loo_decision_function_
        errors.append(np.mean((loo - (2 * y - 1)) ** 2) / 4)
    assert_allclose(search.loo_errors_, [np.inf, *errors], rtol=1e-6)
    with pytest.raises(NotPositiveDefiniteError):
        KernelRidgeClassifier(alphas[0]).fit(X, y)


@pytest.mark.parametrize("share", [3e-8, 1e-6, 1e-3])
def test_every_alpha_that_has_a_factor_is_a_candidate(share):
    X, _ = class_rows(40)
    K, y = X @ X.T, (X[:, 0] > 0.5).astype(int)  # of rank three
    alphas = [share * K.max(), 1e4]
    search = KernelRidgeClassifierCV(alphas, kernel="precomputed").fit(K, y)
    clf = KernelRidgeClassifier(alphas[0], kernel="precomputed").fit(K, y)
    assert np.isfinite(search.loo_errors_).all()
    assert search.alpha_ == alphas[0]
    assert_allclose(search.loo_decision_function_, clf.loo_decision_function_)


@pytest.mark.parametrize(
    "alphas",
    [[], [[1.0]], [0.0, 1.0], [-1.0], [np.nan, 1.0], ["a"], [None, 1.0], [[1.0], []]],
)
def test_alphas_that_are_no_list_of_positive_numbers(alphas):
    X, y = class_rows(8)
    with pytest.raises(ValueError, match=r"alphas must be a list of positive"):
        KernelRidgeClassifierCV(alphas).fit(X, y)


def test_an_indefinite_kernel_is_solved_where_alpha_makes_it_definite():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = (X[:, 0] > 0).astype(int)
    K = np.tanh(X @ X.T / 2 - 0.5)
    search = KernelRidgeClassifierCV(
        [20.0, 30.0], kernel="precomputed", class_prior=True
    ).fit(K, y)
    errors = []
    for alpha in search.alphas:
        ridge = KernelRidgeClassifier(alpha, kernel="precomputed", class_prior=True)
        loo = ridge.fit(K, y).loo_decision_function_
        errors.append(np.mean((loo - (2 * y - 1)) ** 2) / 4)
    assert_allclose(search.loo_errors_, errors)


class WithOutputs(PairwiseKernel):
    """A kernel of a network whose outputs are far from classes."""

    def initial_outputs(self, X):
        return np.tile([4.0, -4.0, 2.0], (len(X), 1))


def test_errors_are_squared_indicators_whatever_a_network_predicts():
    X, y = class_rows(30, 3, seed=3)
    search = KernelRidgeClassifierCV([0.1], kernel=WithOutputs(), initial_outputs=True)
    loo = search.fit(X, y).loo_decision_function_
    assert_allclose(search.loo_errors_, [np.mean((loo - np.eye(3)[y]) ** 2)])
