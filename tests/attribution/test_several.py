"""Several semivalues and scorings from one run; properties of all kernels."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skshap import FreeShapAttributor, FreeShapRegressor
from skshap.exceptions import NotPositiveDefiniteError

SEMIVALUES = ["shapley", "banzhaf", ("beta", 4, 1), "loo"]
SCORINGS = ["accuracy", "neg_log_loss", "neg_brier_score"]


def own_value(decision, y_index):
    return decision[np.arange(len(decision)), y_index]


def make_data(n, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.arange(n) % n_classes


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sampler", ["exact", "permutation"])
def test_at_once_equals_one_by_one(sampler, n_classes, per_sample):
    X, y = make_data(9, n_classes)
    options = {"sampler": sampler, "n_permutations": 6, "random_state": 0}
    scorings = [*SCORINGS, own_value]
    found, std = (
        FreeShapAttributor(**options)
        .fit(X, y)
        .attribute(
            X[:4],
            y[:4],
            scorings=scorings,
            semivalues=SEMIVALUES,
            per_sample=per_sample,
            return_std=True,
        )
    )
    assert list(found) == [(s, v) for s in scorings for v in SEMIVALUES]
    for (scoring, semivalue), values in found.items():
        single = FreeShapAttributor(scoring=scoring, semivalue=semivalue, **options)
        expected = single.fit(X, y).attribute(
            X[:4], y[:4], per_sample=per_sample, return_std=True
        )
        assert_allclose(values, expected[0], atol=1e-11)
        assert_allclose(std[scoring, semivalue], expected[1], atol=1e-11)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_sweeps_at_once_agree_with_enumeration(kernel):
    X, y = make_data(11, 2)
    options = {"scorings": SCORINGS, "semivalues": SEMIVALUES, "return_std": True}
    exact = FreeShapAttributor(kernel, sampler="exact").fit(X, y)
    expected, _ = exact.attribute(X[:6], y[:6], **options)
    sweep = FreeShapAttributor(kernel, n_permutations=300, random_state=0).fit(X, y)
    values, std = sweep.attribute(X[:6], y[:6], **options)
    for key in expected:
        assert (abs(values[key] - expected[key]) <= 5 * std[key] + 1e-12).all()
        assert (std[key] == 0).all() == (key[1] == "loo")


def test_a_regressor_takes_several_too():
    X, y = make_data(9, 9)
    attributor = FreeShapRegressor(sampler="exact").fit(X, y)
    names = ["neg_mean_squared_error", "neg_mean_absolute_error"]
    found = attributor.attribute(X[:3], y[:3], scorings=names)
    assert_allclose(found[names[0], "shapley"], attributor.attribute(X[:3], y[:3]))
    assert list(found) == [(name, "shapley") for name in names]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"scorings": "accuracy"}, ["scorings must be a list", "'accuracy'"]),
        ({"scorings": []}, ["scorings must be a list of at least one"]),
        ({"scorings": ["f1"]}, ["scoring='f1'", "not known"]),
        ({"scorings": ["accuracy"] * 2}, ["scorings must differ"]),
        ({"semivalues": ("beta", 1, 2)}, ["semivalues must be a list"]),
        ({"semivalues": ["core"]}, ["semivalue='core'"]),
    ],
)
def test_bad_lists_are_named(options, words):
    X, y = make_data(9, 2)
    with pytest.raises(ValueError) as caught:
        FreeShapAttributor().fit(X, y).attribute(X, y, **options)
    assert all(word in str(caught.value) for word in words)


@st.composite
def ill_conditioned(draw):
    """A kernel of condition up to 1e12, cross kernel and labels."""
    n, m = draw(st.integers(4, 9)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank, spread = draw(st.integers(1, n)), draw(st.floats(0, 6))
    F = rng.normal(size=(n + m, rank)) * 10 ** -np.linspace(0, spread, rank)
    if draw(st.booleans()):  # rows of very different sizes
        F = F * 10 ** rng.uniform(-3, 3, size=(n + m, 1))
    alpha = 10 ** draw(st.floats(-9, 2))
    n_classes = draw(st.integers(2, 3))
    y_val = rng.integers(n_classes, size=m)
    return F[:n] @ F[:n].T, F[n:] @ F[:n].T, np.arange(n) % n_classes, y_val, alpha


def attribute(kind, case, **params):
    K, cross, y, y_val, alpha = case
    attributor = FreeShapAttributor(
        "precomputed", alpha=alpha, random_state=0, sampler=kind, **params
    )
    try:
        return attributor.fit(K, y), attributor.attribute(cross, y_val, return_std=True)
    except NotPositiveDefiniteError:
        assume(False)


@settings(deadline=None, max_examples=60)
@given(case=ill_conditioned(), scoring=st.sampled_from(SCORINGS))
def test_axioms_hold_for_ill_conditioned_kernels(case, scoring):
    K, cross, y, y_val, alpha = case
    n = len(K)
    exact, (values, _) = attribute("exact", case, scoring=scoring)
    gain = exact.score(cross, y_val) - exact.null_score_
    # Efficiency.
    assert_allclose(values.sum(), gain, atol=1e-6)
    for kind in ("permutation", "sweep"):
        _, (sampled, std) = attribute(kind, case, scoring=scoring, n_permutations=40)
        if kind == "permutation":
            assert_allclose(sampled.sum(), gain, atol=1e-6)
        if scoring != "accuracy":  # flips may be rarer than draws
            assert (abs(sampled - values) < 7 * std + 1e-5).all()
    # Permutation equivariance.
    order = np.random.default_rng(0).permutation(n)
    moved = K[np.ix_(order, order)], cross[:, order], y[order], y_val, alpha
    _, (again, _) = attribute("exact", moved, scoring=scoring)
    assert_allclose(again, values[order], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(case=ill_conditioned(), scoring=st.sampled_from(SCORINGS[1:]))
def test_duplicated_rows_are_worth_the_same(case, scoring):
    K, cross, y, y_val, alpha = case
    rows = np.append(np.arange(len(K)), 0)
    twice = K[np.ix_(rows, rows)], cross[:, rows], y[rows], y_val, alpha
    for kind in ("exact", "sweep"):
        _, (values, std) = attribute(kind, twice, scoring=scoring, n_permutations=40)
        limit = 1e-6 if kind == "exact" else 1e-5 + 7 * np.hypot(std[0], std[-1])
        assert abs(values[0] - values[-1]) < limit


@settings(deadline=None, max_examples=40)
@given(case=ill_conditioned(), scoring=st.sampled_from(SCORINGS))
def test_a_row_unlike_all_others_is_a_null_player(case, scoring):
    """Of kernel zero with all others and all rows scored, but for the empty coalition.

    Predictions with no training row at all count `null_score`, so that joining it first
    is worth what predicting zero is, the n-th part of the time.
    """
    K, cross, y, y_val, alpha = case
    K, cross = K.copy(), cross.copy()
    K[0, 1:] = K[1:, 0] = cross[:, 0] = 0
    zero = FreeShapAttributor("precomputed", scoring=scoring)
    zero.fit(np.eye(len(y)), y)
    alone = zero.score(np.zeros_like(cross), y_val) - zero.null_score_
    for kind in ("exact", "sweep"):
        params = {"scoring": scoring, "n_permutations": 2}
        _, (values, _) = attribute(kind, (K, cross, y, y_val, alpha), **params)
        assert_allclose(values[0], alone / len(y), atol=1e-9)
