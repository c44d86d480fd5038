"""Properties of values of ill-conditioned kernels, against exact arithmetic."""

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skshap import FreeShapAttributor
from skshap.attribution import _plan
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._features import FeatureCoalitions
from skshap.attribution._growing import GrowingCoalitions
from skshap.attribution._prefixes import KernelPrefixes
from skshap.attribution._semivalues import size_weights
from skshap.attribution._shrinking import ShrinkingCoalitions
from skshap.exceptions import NotPositiveDefiniteError
from skshap.utils._ridge import invert_ridge
from tests.oracles import exact_ridge, per_sample_score, semivalues

SCORINGS = list(CLASS_SCORINGS)
SMOOTH = [name for name in SCORINGS if name != "accuracy"]
ROUNDING = 1e-5  # of predictions, in units of the largest


@st.composite
def features(draw, largest=9):
    """Features, some labels and a ridge, of condition up to 1e12 together."""
    n, m = draw(st.integers(3, largest)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank, spread = draw(st.integers(1, n)), draw(st.sampled_from([0, 2, 4, 5, 6]))
    F = rng.normal(size=(n + m, rank)) * 10 ** -np.linspace(0, spread, rank)
    if draw(st.booleans()):  # rows of very different sizes
        F = F * 10 ** rng.uniform(-3, 3, size=(n + m, 1))
    alpha = 10.0 ** draw(st.sampled_from([-9, -8, -7, -6, -4, -2, 0, 2]))
    alpha = max(alpha, 1e-12 * np.linalg.norm(F[:n], 2) ** 2)
    n_classes = draw(st.integers(2, 3))
    y_val = rng.integers(n_classes, size=m)
    return F[:n], F[n:], np.arange(n) % n_classes, y_val, alpha


def kernels(largest=9):
    """The kernel of such features."""
    return features(largest).map(lambda f: (f[0] @ f[0].T, f[1] @ f[0].T, *f[2:]))


def fit(case, n_permutations=40, **params):
    """Fit an attributor, if the kernel plus alpha is not refused."""
    K, _, y, _, alpha = case
    attributor = FreeShapAttributor(
        "precomputed",
        alpha=alpha,
        random_state=0,
        n_permutations=n_permutations,
        **params,
    )
    try:
        return attributor.fit(K, y)
    except NotPositiveDefiniteError:
        assume(False)


def attribute(kind, case, **params):
    """Values and errors; no coalition is refused where the whole is not."""
    attributor = fit(case, sampler=kind, **params)
    return attributor, attributor.attribute(case[1], case[3], return_std=True)


def exact_predictions(case):
    """A function of members that predicts in rational arithmetic, (n_classes, m)."""
    K, cross, y, _, alpha = case
    n_classes, found = y.max() + 1, {(): np.zeros((y.max() + 1, len(cross)))}

    def predict(members):
        members = tuple(sorted(members))
        if members not in found:
            exact = exact_ridge(K, y, alpha, n_classes, cross, members)
            found[members] = np.array(exact, dtype=float).T
        return found[members]

    return predict


@settings(deadline=None, max_examples=60)
@given(case=kernels(5), scoring=st.sampled_from(SMOOTH))
def test_enumeration_equals_exact_arithmetic(case, scoring):
    n, y_val = len(case[0]), case[3]
    attributor, (values, _) = attribute("exact", case, scoring=scoring)
    predict = exact_predictions(case)
    scales = []

    def value(members):
        if not members:
            return attributor.null_score_
        decision = predict(members).T
        scales.append(abs(decision).max())
        assume(scales[-1] < 100)  # probabilities that the oracle can represent
        return per_sample_score(scoring, decision, y_val).mean()

    expected = semivalues(value, size_weights("shapley", n))
    assert_allclose(values, expected, rtol=0, atol=ROUNDING * max(1.0, *scales))


@settings(deadline=None, max_examples=100)
@given(case=kernels(5), seed=st.integers(0, 99))
def test_moves_equal_exact_arithmetic(case, seed):
    """Of coalitions of all sizes along a permutation, grown and shrunk."""
    fit(case)
    K, cross, y, _, alpha = case
    n, predict = len(K), exact_predictions(case)
    order = np.random.default_rng(seed).permutation(n)
    K, cross, Y = map(torch.tensor, (K, cross.T.copy(), np.eye(y.max() + 1)[y]))
    P = invert_ridge(K, alpha)
    weights = P @ Y
    dual = (P, P @ cross, weights, weights.T @ cross)
    growing = GrowingCoalitions(K, cross, Y, alpha, most=n)
    shrinking = ShrinkingCoalitions(*dual, most=n)
    prefixes = KernelPrefixes(K, cross, Y, alpha).decisions(torch.tensor(order))
    decisions = torch.cat([decision for _, decision in prefixes], 1)
    expected = np.stack([predict(order[:size]) for size in range(1, n + 1)], 1)
    atol = ROUNDING * max(1.0, abs(expected).max())
    assert_allclose(decisions, expected, rtol=0, atol=atol)
    assert_moves(growing, order, lambda size: order[:size], predict)
    assert_moves(shrinking, order, lambda size: order[size:], predict)


@settings(deadline=None, max_examples=60)
@given(case=features(5), seed=st.integers(0, 99))
def test_moves_by_features_equal_exact_arithmetic(case, seed):
    """Wherever values are computed by features."""
    F, F_val, y, _, alpha = case
    limit = _plan.LARGEST_CONDITION * alpha
    assume(_plan.largest_eigenvalue(F) <= limit)
    order = np.random.default_rng(seed).permutation(len(F))
    arrays = map(torch.tensor, (F, F_val, np.eye(y.max() + 1)[y]))
    by_features = FeatureCoalitions(*arrays, alpha)
    predict = exact_predictions((F @ F.T, F_val @ F.T, *case[2:]))
    assert_moves(by_features, order, lambda size: order[:size], predict)


def assert_moves(ridge, order, members_at, predict):
    """Compare what rows that change sides lead to, one by one."""
    stops = range(len(order) + 1)
    members = [set(members_at(stop).tolist()) for stop in stops]
    atol = ROUNDING * max(1.0, *(abs(predict(rows)).max() for rows in members))
    coalitions = ridge.coalitions(torch.tensor(order), list(stops))
    for rows, coalition in zip(members, coalitions, strict=True):
        assert_allclose(coalition.decision, predict(rows), rtol=0, atol=atol)
        for side in (coalition.joining, coalition.leaving):
            weight = side.residual * (side.sign / side.diagonal)[:, None]
            moved = coalition.decision + weight[:, :, None] * side.cross[:][:, None]
            for row, decision in zip(side.rows.tolist(), moved, strict=True):
                expected = predict(rows ^ {row})
                limit = max(atol, ROUNDING * abs(expected).max())
                assert_allclose(decision, expected, rtol=0, atol=limit)


@settings(deadline=None, max_examples=60)
@given(case=kernels(), scoring=st.sampled_from(SCORINGS))
def test_axioms_hold_for_ill_conditioned_kernels(case, scoring):
    K, cross, y, y_val, alpha = case
    n = len(K)
    exact, (values, _) = attribute("exact", case, scoring=scoring)
    gain = exact.score(cross, y_val) - exact.null_score_
    largest = max(1, abs(exact.decision_function(cross)).max(), abs(values).max())
    atol = ROUNDING * largest
    # Efficiency.
    assert_allclose(values.sum(), gain, atol=atol)
    for kind in ("permutation", "sweep"):
        _, (sampled, std) = attribute(kind, case, scoring=scoring)
        if kind == "permutation":
            assert_allclose(sampled.sum(), gain, atol=atol)
        # Flips, and coalitions that predict huge numbers, may be rarer than draws.
        if scoring != "accuracy" and abs(values).max() < 1:
            assert (abs(sampled - values) < 7 * std.max() + 1e-5).all()
    # Permutation equivariance.
    order = np.random.default_rng(0).permutation(n)
    moved = K[np.ix_(order, order)], cross[:, order], y[order], y_val, alpha
    _, (again, _) = attribute("exact", moved, scoring=scoring)
    assert_allclose(again, values[order], atol=atol)


@settings(deadline=None, max_examples=40)
@given(case=kernels(), scoring=st.sampled_from(SMOOTH))
def test_duplicated_rows_are_worth_the_same(case, scoring):
    K, cross, y, y_val, alpha = case
    rows = np.append(np.arange(len(K)), 0)
    twice = K[np.ix_(rows, rows)], cross[:, rows], y[rows], y_val, alpha
    for kind in ("exact", "sweep"):
        _, (values, std) = attribute(kind, twice, scoring=scoring)
        limit = 1e-5 * max(1, abs(values).max())
        if kind == "sweep":
            limit += 7 * np.hypot(std[0], std[-1])
        assert abs(values[0] - values[-1]) < limit


@settings(deadline=None, max_examples=40)
@given(case=kernels(), scoring=st.sampled_from(SCORINGS))
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
        options = {"scoring": scoring, "n_permutations": 8}  # each draw says it
        _, (values, _) = attribute(kind, (K, cross, y, y_val, alpha), **options)
        assert_allclose(values[0], alone / len(y), atol=1e-6)
