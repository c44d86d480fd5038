"""The sweep against enumeration and fresh solves; its errors."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

from skshap import FreeShapAttributor
from skshap.attribution import _growing, _schedule, _utility
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._features import FeatureCoalitions
from skshap.attribution._growing import GrowingCoalitions
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._leave_one_out import leave_one_out_values
from skshap.attribution._moves import Moves
from skshap.attribution._schedule import size_bins
from skshap.attribution._semivalues import size_weights
from skshap.attribution._shrinking import ShrinkingCoalitions
from skshap.attribution._sweep import Sweep
from skshap.exceptions import NotPositiveDefiniteError
from skshap.utils import _ridge
from skshap.utils._ridge import invert_ridge
from tests.attribution.games import ALPHA, FixedOrder, SmallGame, average, own_value
from tests.oracles import per_sample_score, ridge_predictions, semivalues
from tests.patching import using

SCORINGS = list(CLASS_SCORINGS)
SEMIVALUES = ["shapley", "banzhaf", ("beta", 1, 4), ("beta", 4, 1)]
PAIRS = np.array([0, 1, 0, 2, 3, 3, 3])  # 7 rows of 4 players


def every_choice(sweep, n):
    """Every permutation with every choice of stops, one for each part of a draw.

    Values are linear in each part of a draw, so that taking the same permutation for
    all of them changes no mean.
    """
    ranges = [
        list(
            product(
                *(
                    range(i, j + 1)
                    for i, j in sweep.routes[part.route].ranges[: part.n_stops]
                )
            )
        )
        for part in sweep.parts
    ]
    n_choices = max(map(len, ranges))
    assert n_choices % np.lcm.reduce([len(choices) for choices in ranges]) == 0
    return [
        tuple(FixedOrder(order, choices[k % len(choices)]) for choices in ranges)
        for order in permutations(range(n))
        for k in range(n_choices)
    ]


@pytest.mark.parametrize("kind", [KernelGame, FeatureGame])
@pytest.mark.parametrize(("groups", "growth"), [(None, 1.0), (None, 3.0), (PAIRS, 3.0)])
@pytest.mark.parametrize(
    ("semivalue", "scoring", "n_classes"),
    [
        *product(["shapley"], [*SCORINGS, own_value], [2, 3]),
        *product(SEMIVALUES[1:], ["accuracy", "neg_log_loss"], [3]),
    ],
)
def test_unbiased(n_classes, scoring, semivalue, growth, groups, kind, monkeypatch):
    """The mean over all permutations and all sizes drawn is the value."""
    monkeypatch.setattr(_schedule, "GROWTH", dict.fromkeys(_schedule.GROWTH, growth))
    monkeypatch.setattr(_schedule, "FEWEST_STOPS", {True: 1, False: 1})
    n_rows = 4 if groups is None else len(groups)
    noise = 0.05 if kind is KernelGame else 0.0
    game = SmallGame(n_rows, 3, n_classes, scoring, noise=noise, groups=groups)
    weights = size_weights(semivalue, 4)
    expected = semivalues(game.value, weights).T
    for per_sample in (True, False):
        options = {"semivalue": semivalue, "per_sample": per_sample}
        sweep = Sweep(game.game(kind), game.problem(**options))
        assert (len(sweep.bins) < 4) == (growth > 1)
        rngs = every_choice(sweep, 4)
        problem = game.problem(**options, rngs=rngs)
        sweep = Sweep(sweep.game, problem)
        total = sum(
            sweep.run(t, part)
            for t in range(len(rngs))
            for part in range(len(sweep.parts))
        )
        mean = (sweep.start() + total / len(rngs))[0, 0]
        found = expected if per_sample else expected.mean(1)
        assert_allclose(mean, found, atol=1e-12)


@pytest.mark.parametrize("kind", [KernelGame, FeatureGame])
def test_any_schedule_is_unbiased(kind):
    """Also one in which some permutations stop early."""
    game = SmallGame(5, 3, 2, "neg_log_loss", noise=0.0)
    sweep = Sweep(game.game(kind), game.problem())
    counts = [
        np.sort(np.arange(1, len(route.ranges) + 1))[::-1] for route in sweep.routes
    ]
    rngs = every_choice(Sweep(sweep.game, game.problem(), counts), 5)
    sweep = Sweep(sweep.game, game.problem(rngs=rngs), counts)
    total = sum(
        sweep.run(t, part) for t in range(len(rngs)) for part in range(len(sweep.parts))
    )
    mean = (sweep.start() + total / len(rngs))[0, 0]
    weights = size_weights("shapley", 5)
    assert_allclose(mean, semivalues(game.value, weights).T, atol=1e-12)
    values, profile, kept = sweep.profile(0, 0)
    assert_array_equal(kept, np.ones(len(profile)))
    assert_allclose(values, sweep.run(0, 0), atol=1e-15)
    stops = profile / counts[0][: sweep.parts[0].n_stops, None, None]
    assert_allclose(stops.sum((0, 1)).ravel(), values.ravel(), atol=1e-15)


def test_parts_share_permutations():
    """Routes take the same ones; beyond the first, every other one is a reverse."""
    game = SmallGame(6, 3, 2, "neg_log_loss")
    sweep = Sweep(game.game(), game.problem())
    counts = [np.full(len(route.ranges), 5) for route in sweep.routes]
    sweep = Sweep(sweep.game, game.problem(), counts)
    assert [route.kind for route in sweep.routes] == ["growing", "shrinking"]
    drawn = [sweep.draw(t, part) for t in range(2) for part in range(10)]
    orders = [order for _, _, order, _, _ in drawn]
    for start in (0, 10):
        growing, shrinking = orders[start : start + 5], orders[start + 5 : start + 10]
        assert_array_equal(growing, shrinking)
        for first in (1, 3):
            assert_array_equal(growing[first], growing[first + 1][::-1])
    different = {tuple(order) for order in orders}
    assert len(different) > 8  # of at most ten, of 720


def test_routes_of_one_size_do_not_share_permutations():
    """Their errors, which would add up along one permutation, are independent."""
    game = SmallGame(6, 3, 2, "neg_log_loss", noise=0.0)
    sweep = Sweep(game.game(FeatureGame), game.problem())
    counts = [np.full(len(route.ranges), 3) for route in sweep.routes]
    sweep = Sweep(sweep.game, game.problem(), counts)
    assert len(sweep.routes) > 2
    drawn_by = {}
    for part in sweep.parts:
        drawn_by.setdefault(part.route, set()).add(part.drawn_by)
    for numbers in drawn_by.values():
        assert len(numbers) == 2  # one alone, and a pair
    assert len(set.union(*drawn_by.values())) == 2 * len(sweep.routes)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 12),
    m=st.integers(1, 5),
    n_classes=st.integers(2, 4),
    joined=st.sampled_from([1, 2, 3, 192]),
    seed=st.integers(0, 2**32 - 1),
)
def test_moves_equal_fresh_solves(n, m, n_classes, joined, seed):
    game = SmallGame(n, m, n_classes, scoring=own_value, seed=seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    stops = np.flatnonzero(rng.random(n + 1) < 0.5)

    def predict(rows):
        if not len(rows):
            return np.zeros((n_classes, m))
        return ridge_predictions(
            game.K, game.y, game.cross, ALPHA, n_classes, sorted(rows)
        ).T

    def moves(side):
        weight = side.residual * (side.sign / side.diagonal)[:, None]
        return zip(side.rows.tolist(), side.cross[:], weight, strict=True)

    K, cross, targets, alpha = game.tensors()
    P = invert_ridge(K, alpha)
    solved = P @ targets
    dual = (P, P @ cross, solved, solved.T @ cross)
    features = (torch.tensor(game.F), torch.tensor(game.F_val), targets, alpha)
    ridges = [
        GrowingCoalitions(K, cross, targets, alpha, most=n),
        ShrinkingCoalitions(*dual, most=n),
        FeatureCoalitions(*features),
    ]
    for ridge in ridges:
        if isinstance(ridge, FeatureCoalitions):
            game.K, game.cross = game.F @ game.F.T, game.F_val @ game.F.T
        coalitions = ridge.coalitions(torch.tensor(order), stops.tolist())
        for stop in stops:
            with using(_growing, JOINED=joined):
                coalition = next(coalitions)
            size, decision, joining, leaving, _ = coalition
            is_shrinking = isinstance(ridge, ShrinkingCoalitions)
            members = set(order[stop:] if is_shrinking else order[:stop])
            assert size == len(members)
            assert set(leaving.rows.tolist()) == members
            assert set(joining.rows.tolist()) == set(range(n)) - members
            assert_allclose(decision, predict(members), atol=1e-9)
            for row, row_cross, weight in moves(joining):
                moved = decision + weight[:, None] * row_cross
                assert_allclose(moved, predict(members | {row}), atol=1e-9)
            for row, row_cross, weight in moves(leaving):
                moved = decision + weight[:, None] * row_cross
                assert_allclose(moved, predict(members - {row}), atol=1e-9)
        assert next(coalitions, None) is None


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 40), block=st.integers(1, 50), seed=st.integers(0, 9))
def test_the_inverse(n, block, seed):
    K = SmallGame(n, 1, 2, seed=seed).tensors()[0]
    with using(_ridge, BLOCK=block):
        P = invert_ridge(K, ALPHA)
    assert_allclose(
        P @ (K + ALPHA * torch.eye(n, dtype=K.dtype)), np.eye(n), atol=1e-10
    )
    assert_allclose(P, P.T, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_moves", [1, 95, 96, 97, 200])
def test_fused_gains_equal_plain_ones(scoring, n_moves, monkeypatch):
    monkeypatch.setattr(_utility, "SCORED", 96 * 13)  # so that there are several blocks
    game = SmallGame(6, 13, 2, scoring)
    rng = np.random.default_rng(0)
    decision = torch.tensor(rng.normal(size=(1, 13)))
    decision[0, :2] = 0
    cross = torch.tensor(rng.normal(size=(n_moves, 13)))
    weight = torch.tensor(rng.normal(size=(n_moves, 1)))
    weight[0] = 0
    cross[-1], weight[-1] = 300, 1.0  # a product of its factors overflows
    moves = Moves(torch.arange(n_moves), cross, weight)
    fused = game.utility.gains(decision, moves, per_sample=False)
    apart = game.utility.gains(decision, moves, per_sample=True)
    after = (decision + weight * cross).numpy()
    margins = np.stack(
        [np.vstack([-a, a]).T / 2 for a in (*after, decision[0].numpy())]
    )
    scores = [per_sample_score(scoring, f, game.y_val) for f in margins]
    expected = np.array(scores[:-1]) - scores[-1]
    if scoring == "neg_log_loss":  # of a probability of zero, naively
        finite = np.isfinite(expected).all(1)
        assert finite.sum() >= n_moves - 1
        fused, apart, expected = fused[finite], apart[finite], expected[finite]
    assert_allclose(apart, expected, atol=1e-12)
    assert_allclose(fused, expected.mean(1), atol=1e-12)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_leave_one_out_is_exact(n_classes, scoring):
    game = SmallGame(8, 5, n_classes, scoring)
    expected = semivalues(game.value, size_weights("loo", 8)).T
    for per_sample in (True, False):
        problem = game.problem(per_sample=per_sample)
        found = leave_one_out_values(game.game(), problem)[0]
        wanted = expected if per_sample else expected.mean(1)
        assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("semivalue", [*SEMIVALUES, "loo"])
@pytest.mark.parametrize("n", [1, 2, 3, 50, 2000])
@pytest.mark.parametrize("largest_share", [0.25, 0.025])
def test_bins_cover_what_counts_once(largest_share, semivalue, n):
    weights = size_weights(semivalue, n)
    bins = size_bins(weights, largest_share, 1.5) if n > 1 else []
    covered = [size for first, last in bins for size in range(first, last + 1)]
    assert covered == sorted(set(covered))
    assert all(1 <= size <= n for size in covered)
    for size in range(1, n):
        if weights[size] > 1e-12:
            assert {size, size + 1} <= set(covered)


@pytest.mark.parametrize("semivalue", ["shapley", "banzhaf", ("beta", 1, 4)])
@pytest.mark.parametrize("share", [0.25, 0.025])
def test_bins_hold_no_more_than_their_share_and_grow_no_more(semivalue, share):
    weights = size_weights(semivalue, 2000)
    mass = np.zeros(2001)
    mass[1:2000] += weights[1:] / 2
    mass[2:] += weights[1:] / 2
    for first, last in size_bins(weights, share, 1.5):
        assert first == last or mass[first : last + 1].sum() <= share * (1 + 1e-12)
        assert first == last or last < 1.5 * first
    assert (2, 3) not in size_bins(weights, 1.0, 1.5)  # 3 is 1.5 times 2


@pytest.mark.parametrize("joined", [3, 192])
@pytest.mark.parametrize("is_shrinking", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_are_chosen_by_predictions_and_steps(n_classes, is_shrinking, joined):
    K, cross, targets, alpha = SmallGame(12, 5, n_classes, "accuracy").tensors()
    if is_shrinking:
        P = invert_ridge(K, alpha)
        solved = P @ targets
        ridge = ShrinkingCoalitions(P, P @ cross, solved, solved.T @ cross, most=10)
    else:
        ridge = GrowingCoalitions(K, cross, targets, alpha, most=10)
    order = torch.tensor(np.random.default_rng(0).permutation(12))
    at, seen = [0, 1, 4, 4, 10], []
    with using(_growing, JOINED=joined):
        found = ridge.coalitions(order, at, lambda *args: seen.extend(args))
        expected = torch.stack([coalition.decision.clone() for coalition in found])
    decisions, reach = seen
    assert_allclose(decisions, expected, atol=1e-9)
    before = torch.cat([expected[:1], expected[:-1]])  # at first nothing has moved
    squares = (expected - before).square().mean((1, 2)).numpy()
    added = np.maximum(np.diff(at, prepend=0), 1)
    assert_allclose(reach, np.sqrt(squares / added), atol=1e-9)


def test_errors_cover():
    """Deviations from the exact values are of the size that is claimed."""
    game = SmallGame(9, 6, 2, "neg_log_loss", seed=5)
    exact = game.enumerate()
    z = []
    for seed in range(60):
        values, error = average(Sweep(game.game(), game.problem(seed=seed)), 25)
        assert (error > 0).all()
        z.append((values - exact) / error)
    z = np.array(z)
    assert 0.93 < (abs(z) < 2.06).mean() < 0.97  # Student's t, 24 degrees of freedom
    assert 0.85 < z.std() < 1.25
    assert abs(z.mean()) < 0.2


@pytest.mark.parametrize(
    "scoring, shares, worst",
    [("accuracy", [10, 34, 35], 15), ("neg_log_loss", [10, 22, 8], 7)],
)
def test_errors_of_a_single_row_are_those_that_notes_tell(scoring, shares, worst):
    X, y = load_iris(return_X_y=True)
    order = np.random.RandomState(0).permutation(150)[:41]
    X, y = X[order], y[order] > 0
    attributor = FreeShapAttributor("linear", scoring=scoring).fit(X[:12], y[:12])
    options = {"semivalues": ["shapley", "banzhaf", ("beta", 1, 16)]}
    attributor.set_params(sampler="exact")
    exact = attributor.attribute(X[40:], y[40:], **options)
    attributor.set_params(sampler="sweep", n_permutations=20)
    off, squares = [], []
    for seed in range(25):
        attributor.set_params(random_state=seed)
        found = attributor.attribute(X[40:], y[40:], return_std=True, **options)
        deviation, std = (np.array(list(part.values())) for part in found)
        deviation = deviation - np.array(list(exact.values()))
        off.append(abs(deviation) / std.clip(1e-12))
        squares.append([deviation**2, std**2])
    assert_allclose(100 * np.mean(np.array(off) > 2.1, (0, 2)), shares, atol=1)
    assert_allclose(np.max(off), worst, atol=1)
    actual, claimed = np.mean(squares, (0, 3))
    assert ((0.5 < claimed / actual) & (claimed / actual < 1.5)).all()


def test_lower_variance_than_permutations():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = (X[:, 0] + 0.5 * rng.normal(size=120) > 0).astype(int)
    X_val = rng.normal(size=(60, 4))
    y_val = (X_val[:, 0] > 0).astype(int)
    for scoring in SCORINGS:
        errors = []
        for sampler in ("permutation", "sweep"):
            attributor = FreeShapAttributor(
                sampler=sampler, scoring=scoring, n_permutations=40, random_state=0
            ).fit(X, y)
            std = attributor.attribute(X_val, y_val, return_std=True)[1]
            errors.append(np.mean(std**2))
        assert errors[1] < errors[0] / 8


def test_draws_are_reproducible():
    game = SmallGame(40, 7, 3)
    first, second = (average(Sweep(game.game(), game.problem()), 3) for _ in range(2))
    assert_array_equal(first, second)


def test_singular_kernel_names_alpha():
    game = SmallGame(4, 2, 2)
    game.K[2, 2] = -3
    grow = GrowingCoalitions(*game.tensors(), most=4)
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        list(grow.coalitions(torch.arange(4), [4]))
