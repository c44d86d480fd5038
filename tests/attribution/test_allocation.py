"""Schedules against a search over all of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skshap.attribution import _allocation, _running, _schedule
from skshap.attribution._allocation import adapted, allocate
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._game import PASS_WORK, Route
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import Sweep
from tests.attribution.games import SmallGame, make_run


def make_case(stops, seed, correlation):
    """Covariances and costs of routes, from contributions with known covariance."""
    rng = np.random.default_rng(seed)
    covariances = []
    for n in stops:
        scale = np.exp(rng.normal(size=n))
        shape = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
        covariances.append(shape * np.outer(scale, scale))
    return covariances, [np.exp(2 * rng.normal(size=n)) for n in stops]


def total_cost(costs, counts):
    """What a draw takes."""
    return sum(float(cost @ count) for cost, count in zip(costs, counts, strict=True))


def simulated_variance(covariance, count, rng):
    """Variance of a draw, by drawing."""
    n = len(count)
    total = 0.0
    for j in range(count[0]):
        depth = int((count > j).sum())
        x = rng.multivariate_normal(np.zeros(n), covariance, size=100_000)
        total = total + (x[:, :depth] / count[:depth]).sum(1)
    return total.var()


@settings(deadline=None, max_examples=30)
@given(
    stops=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    correlation=st.sampled_from([0.0, 0.5, 0.9]),
    seed=st.integers(0, 2**32 - 1),
)
def test_nearly_the_best_of_all_schedules(stops, correlation, seed):
    covariances, costs = make_case(stops, seed, correlation)
    start = [np.full(n, 2) for n in stops]

    def product_of(counts):
        variance = sum(
            (c / np.maximum.outer(k, k)).sum()
            for c, k in zip(covariances, counts, strict=True)
        )
        return variance * total_cost(costs, counts)

    found = allocate(covariances, costs, start)
    for count in found:
        assert (np.diff(count) <= 0).all() and count.min() >= 1
    limit = 3 * total_cost(costs, start)
    assert total_cost(costs, found) <= limit * (1 + 1e-12)
    sizes = range(1, 7)
    options = [
        [np.array(c) for c in product(sizes, repeat=n) if (np.diff(c) <= 0).all()]
        for n in stops
    ]
    best = min(
        product_of(counts)
        for counts in product(*options)
        if total_cost(costs, counts) <= limit
    )
    assert product_of(found) <= product_of(start)
    # Steps are single ones, so that the best may be out of reach.
    assert product_of(found) <= 1.35 * best


def test_the_variance_is_that_of_a_draw():
    (covariance,), _ = make_case([3], 0, 0.5)
    count = np.array([4, 2, 1])
    found = _allocation._variance(covariance, count)
    rng = np.random.default_rng(0)
    assert_allclose(found, simulated_variance(covariance, count, rng), rtol=0.03)


def test_an_adapted_sweep_is_as_long_and_no_worse(monkeypatch):
    game = SmallGame(30, 12, 2, "neg_log_loss", seed=3)
    z, gaps, works, squares = [], [], [], {0: [], np.inf: []}
    for seed in range(10):
        found = {}
        for least in squares:
            monkeypatch.setattr(_running, "PILOT_FLOPS", least)
            problem = game.problem(per_sample=False, seed=seed + (100 if least else 0))
            sweep = Sweep(game.game(), problem)
            run = make_run(sweep, 60)
            estimate, _ = run.estimate()
            found[least] = values, error = [part[0, 0] for part in estimate]
            squares[least].append(np.mean(error**2))
            gaps.append(values.sum() - (game.full - game.null))
            n_adapted = run.moments.count - _running.PILOT
            work = _running.PILOT * sweep.flops() + n_adapted * run.sampler.flops()
            works.append(work / sweep.flops())
        (adapted, its_error), (plain, error) = found.values()
        z.append((adapted - plain) / np.hypot(its_error, error))
    assert 0.8 < np.std(z) < 1.3
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps))
    assert_allclose(works, 60, rtol=0.05)
    assert np.mean(squares[0]) < 1.1 * np.mean(squares[np.inf])


def test_outputs_count_the_same_whatever_their_unit():
    """One of two varies at the first stops, the other at the last."""
    game = SmallGame(60, 12, 2, "neg_log_loss")
    sweep = Sweep(game.game(), game.problem())
    rng = np.random.default_rng(0)

    def schedule(*units):
        profiles = []
        for part in 6 * sweep.parts:
            n_stops = len(sweep.routes[part.route].ranges)
            varies = np.linspace(0, 1, n_stops)[:, None]
            noise = rng.normal(size=(2, n_stops, 400))
            stops = np.stack([noise[0] * (1 - varies), noise[1] * varies], 1)
            profiles.append((stops * np.array(units)[:, None], np.ones(n_stops)))
        return np.concatenate(adapted(sweep, profiles).counts)

    expected, *found = (schedule(*u) for u in ((1, 1), (1, 1e6), (1e6, 1), (1, 0)))
    gaps = [abs(counts - expected).sum() for counts in found]
    assert max(gaps[:2]) < gaps[2] / 4  # not as if the first were the only one


def test_the_usual_schedule_scores_as_many_rows():
    game = SmallGame(30, 12, 2, "neg_log_loss")
    plain = Sweep(game.game(), game.problem())
    few = [0.1 * shares for shares in plain.kept]
    fewer = Sweep(plain.game, plain.problem, [2 * k for k in plain.counts], few)
    assert fewer.flops() < 2 * plain.flops()
    assert_allclose(fewer.usual().flops(), fewer.flops() / 2)


def stops(kind, n, *, scoring="accuracy", semivalue="shapley", per_sample=False):
    """Return a sweep of n rows that holds no numbers, and how often it stops."""
    game = SmallGame(3, 500, 2, scoring)
    shapes = [(n, n), (n, 500)] if kind is KernelGame else [(n, 40), (500, 40)]
    arrays = [np.broadcast_to(0.0, shape) for shape in (*shapes, (n, 1))]
    weights = size_weights(semivalue, n)[None]
    problem = game.problem(per_sample=per_sample)._replace(weights=weights)
    sweep = Sweep(kind(tuple(arrays), 1.0), problem)
    return sweep, len(sweep.bins)


@pytest.mark.parametrize("n", [1000, 3000, 8000])
def test_stops_bring_variance_times_work_down(n, monkeypatch):
    alone, share = _schedule.ALONE, _schedule.SCORED_SHARE

    def needed():
        sweep, n_stops = stops(KernelGame, n)
        kept = [np.full(len(route.ranges), share) for route in sweep.routes]
        work = Sweep(sweep.game, sweep.problem, sweep.counts, kept).flops()
        return (1 + alone / n_stops) * work

    found = needed()
    monkeypatch.setattr(_schedule, "ALONE", 0.0)
    others = []
    for fewest in (40, 60, 80, 120, 160, 240):
        monkeypatch.setattr(_schedule, "FEWEST_STOPS", {False: fewest})
        others.append(needed())
    assert found < 1.03 * min(others)
    assert n < 3000 or found < 0.9 * others[0]


@pytest.mark.parametrize(
    ("kind", "n", "options", "expected"),
    [
        (KernelGame, 500, {}, 45),
        (KernelGame, 2000, {}, 91),
        (KernelGame, 2000, {"scoring": "neg_log_loss"}, 15),
        (KernelGame, 4000, {"per_sample": True}, 70),
        (KernelGame, 4000, {"semivalue": ("beta", 1, 4)}, 101),
        (FeatureGame, 2000, {}, 51),
    ],
)
def test_how_often_sweeps_stop(kind, n, options, expected):
    assert abs(stops(kind, n, **options)[1] / expected - 1) < 0.06


def test_stops_suit_the_widest_of_several_semivalues():
    sweep, n_stops = stops(KernelGame, 4000)
    weights = [size_weights(name, 4000) for name in ("shapley", "banzhaf")]
    both = sweep.problem._replace(weights=np.stack(weights))
    swapped = both._replace(weights=both.weights[::-1])
    assert Sweep(sweep.game, both).bins == Sweep(sweep.game, swapped).bins
    assert len(Sweep(sweep.game, both).bins) > 0.8 * n_stops


def test_walks_are_counted():
    n, m = 300, 7
    arrays = [np.broadcast_to(0.0, (n, size)) for size in (n, m, 1)]
    game = KernelGame(tuple(arrays), 1.0, np.arange(n) // 2)
    # Of players of two rows, which make a block of their own at each stop.
    fixed, by_row = game.walk_flops(Route("growing", [(10, 10), (20, 40), (75, 75)]))
    k = np.array([20, 60, 150])
    squares, cubes = 150 * 2**2, 150 * 2**3
    fixed -= cubes / 3 + 2 * k * squares
    assert_allclose(fixed.cumsum(), n * k**2 - k**3 / 3)
    assert_allclose((by_row - squares - PASS_WORK * n).cumsum(), 2 * n * k)


@pytest.mark.parametrize("q", [1, 3])
def test_what_is_made_anew_where_rows_are_chosen_is_counted(q):
    shapes = [(300, 300), (300, 40), (300, q)]
    game = KernelGame(tuple(np.broadcast_to(0.0, s) for s in shapes), 1.0)
    route = Route("growing", [(1, 9), (10, 100)])
    all_rows, chosen = (game.walk_floats(route, is_chosen=c) for c in (False, True))
    assert chosen[0] == all_rows[0] - 300 * (40 + q)
    # Weights and predictions at both stops, twice; columns of all rows, and which.
    assert chosen[1] - all_rows[1] == 2 * 2 * q * 340 + 2 * 300 * (40 + q)


def test_few_stops_where_each_takes_its_own_work():
    many = stops(KernelGame, 4000)[1]
    assert many > 1.5 * stops(KernelGame, 1000)[1]
    assert many > 1.5 * stops(KernelGame, 4000, per_sample=True)[1]
    assert many > 1.5 * stops(FeatureGame, 4000)[1]
    assert many > 1.5 * stops(KernelGame, 4000, semivalue="banzhaf")[1]
    smooth = [stops(KernelGame, n, scoring="neg_log_loss")[1] for n in (1000, 4000)]
    assert max(smooth) < 20


@pytest.mark.parametrize("kind", [KernelGame, FeatureGame])
def test_the_smallest_stop_takes_passes_over_all_moves(kind):
    """Of one member, whose products are next to nothing."""
    n, costs = 400, []
    for m in (200, 2000):
        game = SmallGame(n, m, 2, noise=0.0)
        sweep = Sweep(game.game(kind), game.problem(per_sample=False))
        costs.append(sweep.stop_flops(0)[0])
        assert sweep.flops() > sum(sweep.stop_flops(0))
    products = 2 * (n + 9)  # for each row to predict
    passes = (costs[1] - costs[0]) / 1800 - products
    assert passes > 100 * n  # moves are written, read and scored
    written = game.game(kind).walk_flops(sweep.routes[0])[1][0] - products
    assert passes > written > 10 * n
    assert costs[0] - 200 * (passes + products) > 5e6  # whatever is scored


def test_more_scores_take_more():
    def flops(n_classes=2, *, per_sample=False, groups=None):
        game = SmallGame(60, 40, n_classes, groups=groups)
        problem = game.problem(per_sample=per_sample)
        sampler = Sweep(game.game(), problem), Permutations(game.game(), problem)
        return np.array([one.flops() for one in sampler])

    few, many = (SmallGame(60, m, 2) for m in (40, 80))
    few, many = (
        Permutations(one.game(), one.problem(per_sample=False)).flops()
        - one.game().prefix_flops()
        for one in (few, many)
    )
    assert_allclose(many, 2 * few)
    assert (flops(5) > flops(3)).all()
    assert (flops(per_sample=True) > flops()).all()
    assert flops()[0] > flops(groups=np.arange(60) % 9)[0]  # of fewer sizes
