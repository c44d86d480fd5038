"""The regressor against scikit-learn's ridge, refits and enumeration."""

import re
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from skshap import FreeShapRegressor
from skshap.attribution import _utility
from skshap.attribution._moves import Moves
from skshap.attribution._regression_scores import (
    REGRESSION_SCORINGS,
    regression_utility,
)
from skshap.attribution._semivalues import size_weights
from tests.attribution.games import check_errors
from tests.oracles import semivalues

ERRORS = {
    "neg_mean_squared_error": lambda f, y: -((f - y) ** 2),
    "neg_mean_absolute_error": lambda f, y: -abs(f - y),
}
METRICS = {
    "neg_mean_squared_error": mean_squared_error,
    "neg_mean_absolute_error": mean_absolute_error,
}


def own_error(prediction, y):
    return -np.sqrt(abs(prediction - y))


def curved(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, 0] - 2 * X[:, 1] ** 2 + 0.3 * rng.normal(size=n) + 5


@pytest.mark.parametrize("kernel", ["rbf", "linear", "precomputed"])
def test_predictions_are_those_of_kernel_ridge(kernel):
    X, y = curved(40)
    X_val, _ = curved(9, seed=1)
    if kernel == "precomputed":
        X, X_val = X @ X.T, X_val @ X.T
    reference = KernelRidge(alpha=0.3, kernel=kernel).fit(X, y)
    ours = FreeShapRegressor(kernel, alpha=0.3).fit(X, y)
    assert_allclose(ours.predict(X_val), reference.predict(X_val), atol=1e-9)
    assert_allclose(ours.dual_coef_, reference.dual_coef_, atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_leave_one_out_predictions_equal_refits(kernel):
    X, y = curved(15)
    ours = FreeShapRegressor(kernel, alpha=0.3).fit(X, y)
    for i in range(15):
        kept = np.arange(15) != i
        refit = KernelRidge(alpha=0.3, kernel=kernel).fit(X[kept], y[kept])
        expected = refit.predict(X[[i]])
        assert_allclose(ours.loo_prediction_[i], expected[0], atol=1e-9)


@pytest.mark.parametrize("null_score", ["prior", "zero", -3.0])
@pytest.mark.parametrize("scoring", [*ERRORS, own_error])
def test_exact_values_equal_enumeration(scoring, null_score):
    X, y = curved(8)
    X_val, y_val = curved(5, seed=1)
    score = ERRORS.get(scoring, own_error)
    guess = {"prior": y.mean(), "zero": 0.0}.get(null_score)
    null = -3.0 if guess is None else score(np.full(8, guess), y).mean()

    @cache
    def value(rows):
        if not rows:
            return np.full(5, null)
        rows = list(rows)
        model = KernelRidge(alpha=0.3, kernel="rbf").fit(X[rows], y[rows])
        return score(model.predict(X_val), y_val)

    attributor = FreeShapRegressor(
        alpha=0.3, scoring=scoring, sampler="exact", null_score=null_score
    ).fit(X, y)
    assert_allclose(attributor.null_score_, null)
    found = attributor.attribute(X_val, y_val, per_sample=True)
    expected = semivalues(value, size_weights("shapley", 8))
    assert_allclose(found, expected, atol=1e-9)
    full = value(range(8)).mean()
    assert_allclose(attributor.score(X_val, y_val), full)
    assert_allclose(found.mean(0).sum(), full - null)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
def test_samplers_agree_with_enumeration(sampler, kernel):
    X, y = curved(11)
    X_val, y_val = curved(6, seed=1)
    options = {"scorings": [*ERRORS, own_error], "return_std": True}
    exact = FreeShapRegressor(kernel, sampler="exact").fit(X, y)
    expected, _ = exact.attribute(X_val, y_val, **options)
    sampled = FreeShapRegressor(
        kernel, sampler=sampler, n_permutations=300, random_state=0
    )
    values, std = sampled.fit(X, y).attribute(X_val, y_val, **options)
    for name in expected:
        check_errors(values[name], expected[name], std[name])


@pytest.mark.parametrize("scoring", REGRESSION_SCORINGS)
@settings(deadline=None, max_examples=30)
@given(m=st.integers(1, 9), k=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
def test_fused_gains_equal_plain_ones(scoring, m, k, seed):
    rng = np.random.default_rng(seed)
    y, prediction = rng.normal(size=(2, m))
    cross, weight = rng.normal(size=(k, m)), rng.normal(size=(k, 1))
    utility = regression_utility(scoring, y)
    moves = Moves(torch.arange(k), torch.tensor(cross), torch.tensor(weight))
    before = torch.tensor(prediction[None])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_utility, "SCORED", 96)  # so that there are several blocks
        fused = utility.gains(before, moves, per_sample=False)
        apart = utility.gains(before, moves, per_sample=True)
    score = ERRORS[scoring]
    expected = score(prediction + weight * cross, y) - score(prediction, y)
    assert_allclose(apart, expected, atol=1e-12)
    assert_allclose(fused, expected.mean(1), atol=1e-12)


@pytest.mark.parametrize("scoring", ERRORS)
def test_score_is_that_of_scikit_learn(scoring):
    X, y = curved(30)
    attributor = FreeShapRegressor(scoring=scoring).fit(X, y)
    weights = np.arange(30)
    expected = -METRICS[scoring](y, attributor.predict(X), sample_weight=weights)
    assert_allclose(attributor.score(X, y, sample_weight=weights), expected)


def test_explain_finds_the_extreme_rows():
    X, y = curved(10)
    attributor = FreeShapRegressor(sampler="exact").fit(X, y)
    values = attributor.attribute(X[:4], y[:4], per_sample=True)
    found = attributor.explain(X[:4], y[:4], k=2)
    order = np.argsort(values, 1)
    assert (found.harmful == order[:, :2]).all()
    assert (found.helpful == order[:, ::-1][:, :2]).all()
    predicted = attributor.explain(X[:4], k=1)
    assert_allclose(predicted.y, attributor.predict(X[:4]))


@pytest.mark.parametrize(
    "params, y, words",
    [
        ({}, None, ["y", "None"]),
        ({}, np.arange(9.0), ["10 rows", "9"]),
        ({}, ["a"] * 10, ["y must hold numbers"]),
        ({}, np.append(np.arange(9.0), np.nan), ["NaN"]),
        ({}, np.append(np.arange(9.0), np.inf), ["infinity"]),
        ({"scoring": "accuracy"}, np.arange(10.0), ["scoring", "neg_mean_squared"]),
        ({"scoring": "r2"}, np.arange(10.0), ["scoring", "f(prediction, y)"]),
        ({"scoring": mean_squared_error}, np.arange(10.0), ["scikit-learn"]),
        ({"null_score": "chance"}, np.arange(10.0), ["null_score", "zero"]),
    ],
)
def test_bad_input_is_named(params, y, words):
    X, _ = curved(10)
    with pytest.raises(ValueError) as caught:
        FreeShapRegressor(**params).fit(X, y)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "scoring",
    [
        lambda prediction, y: np.full(len(y), r2_score(y, prediction)),
        lambda prediction, y: -abs(prediction - prediction.mean() - y + y.mean()),
        lambda prediction, y: -np.linspace(1, 2, 10) * abs(prediction - y),
    ],
)
def test_a_scoring_of_more_than_a_row_is_refused(scoring):
    X, y = curved(10)
    message = "scoring.* each score from its own row alone"
    with pytest.raises(ValueError, match=message):
        FreeShapRegressor(scoring=scoring).fit(X, y)
    regressor = FreeShapRegressor(scoring=scoring, null_score=0.0).fit(X, y)
    with pytest.raises(ValueError, match=message):
        regressor.attribute(X[:3], y[:3])


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_scores_that_overflow_are_named():
    X, y = np.arange(8.0).reshape(-1, 1), np.arange(8.0) * 1e200
    regressor = FreeShapRegressor(n_permutations=2).fit(X, y)
    with pytest.raises(ValueError, match=r"too large for float64.*scale the t"):
        regressor.attribute(X, y)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_targets_changed_after_fit():
    X, y = np.eye(4), np.arange(4.0)
    regressor = FreeShapRegressor(random_state=0).fit(X, y)
    values = regressor.attribute(X, np.arange(4.0))
    y -= 5
    assert_array_equal(regressor.attribute(X, np.arange(4.0)), values)


def test_masked_targets():
    y = np.ma.masked_array(np.arange(4.0), [False, False, True, False])
    with pytest.raises(ValueError, match=r"1 of 4 are masked, in rows \[2\]"):
        FreeShapRegressor().fit(np.eye(4), y)


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_targets_far_from_zero_are_warned_of(shift):
    X, y = curved(40)
    y = (y - y.mean()) / y.std()
    FreeShapRegressor("rbf").fit(X, y + 4.9 * shift)
    for constant in (7.0, 0.1):  # whose deviation is that of rounding
        FreeShapRegressor("rbf").fit(X, np.full(40, constant))
    with pytest.warns(UserWarning, match=r"mean -?5.1 and .* Subtract it") as caught:
        FreeShapRegressor("rbf").fit(X, y + 5.1 * shift)
    assert caught[0].filename == __file__


def test_targets_far_from_all_others_are_warned_of():
    X = np.random.default_rng(0).normal(size=(41, 2))
    y = np.arange(-20.0, 21.0)  # quartiles at -10 and 10
    for side in (1, -1):
        y[7] = side * 590.0
        FreeShapRegressor().fit(X, y)
        for far in (620.0, 1e12):
            y[7] = side * far
            words = (
                rf"1 of 41 .*, the farthest {re.escape(f'{y[7]:.3g}')} at position 7"
            )
            with pytest.warns(UserWarning, match=words):
                FreeShapRegressor().fit(X, y)
    # Of counts that are mostly zero, none is.
    FreeShapRegressor().fit(X, np.where(y > 15, y, 0))
