"""Sampling the rows to predict: it changes no mean, and saves what it promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.attribution import _schedule, _scored
from skshap.attribution._class_scores import class_targets, class_utility
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._scored import LEAST, keep_probabilities, keep_rows, make_choice
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import Sweep
from tests.attribution.games import FixedOrder, SmallGame, average
from tests.attribution.test_sweep import PAIRS, every_choice
from tests.oracles import semivalues

DRAWS = [1 / 8, 3 / 8, 5 / 8, 7 / 8]


def quarters(gains, costs, fixed):
    """Probabilities that are multiples of a quarter, and fall along stops."""
    n_stops, m = gains.shape
    steps = torch.arange(n_stops).unsqueeze(1) + torch.arange(m).roll(1)
    return (1 - steps / 4).double().clamp_min(0.25)


@pytest.mark.parametrize("kind", [KernelGame, FeatureGame])
@pytest.mark.parametrize("groups", [None, PAIRS])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_unbiased(n_classes, groups, kind, monkeypatch):
    """The mean over permutations, sizes and rows kept is the value.

    A draw is linear in which rows are kept, so that keeping them together changes no
    mean.
    """
    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    monkeypatch.setattr(_scored, "keep_probabilities", quarters)
    n_rows = 4 if groups is None else len(groups)
    noise = 0.05 if kind is KernelGame else 0.0
    game = SmallGame(n_rows, 3, n_classes, "accuracy", noise=noise, groups=groups)
    expected = semivalues(game.value, size_weights("shapley", 4)).T.mean(1)
    sweep = Sweep(game.game(kind), game.problem(per_sample=False))
    rngs = [
        tuple(FixedOrder(rng.order, rng.stops, draw) for rng in part)
        for part in every_choice(sweep, 4)
        for draw in DRAWS
    ]
    problem = game.problem(per_sample=False, rngs=rngs)
    sweep = Sweep(sweep.game, problem)
    kept = [sweep.profile(t, 0)[2] for t in range(4)]
    assert np.min(kept) < 1
    total = sum(
        sweep.run(t, part) for t in range(len(rngs)) for part in range(len(sweep.parts))
    )
    mean = (sweep.start() + total / len(rngs))[0, 0]
    assert_allclose(mean, expected, atol=1e-12)


@pytest.mark.parametrize("kind", [KernelGame, FeatureGame])
def test_close_to_the_values(kind, monkeypatch):
    """With the probabilities that are really used."""
    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    monkeypatch.setattr(_schedule, "STOP_WORK", 0)  # which is all there is, of so few
    game = SmallGame(8, 30, 2, "accuracy", seed=1, noise=0.0)
    sweep = Sweep(game.game(kind), game.problem(per_sample=False))
    values, error = average(sweep, 150)
    exact = game.enumerate().mean(1)
    assert (error > 0).all()
    z = (values - exact) / error
    assert abs(z).max() < 4
    assert np.mean([sweep.profile(t, 0)[2] for t in range(10)]) < 0.9


@settings(deadline=None, max_examples=30)
@given(
    n_stops=st.integers(1, 6),
    m=st.integers(1, 20),
    fixed=st.sampled_from([0.0, 1.0, 100.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_other_probabilities_are_much_better(n_stops, m, fixed, seed):
    rng = np.random.default_rng(seed)
    gains = torch.tensor(np.exp(2 * rng.normal(size=(n_stops, m))))
    costs = torch.tensor(np.exp(rng.normal(size=n_stops)))
    p = keep_probabilities(gains, costs, fixed)

    def product(p):
        return (gains / p).sum() * (fixed + (costs[:, None] * p).sum())

    assert p.min() >= LEAST and p.max() <= 1
    assert (p.diff(dim=0) <= 0).all()
    assert product(p) <= product(torch.ones_like(p)) * (1 + 1e-12)
    for scale in (0.03, 0.3):
        for _ in range(20):
            other = p * torch.tensor(np.exp(scale * rng.normal(size=p.shape)))
            other = other.clamp(LEAST, 1).cummin(0).values
            assert product(p) <= 1.03 * product(other)


def test_of_rows_that_tell_nothing():
    p = keep_probabilities(torch.zeros(2, 3).double(), torch.ones(2).double(), 1.0)
    assert_array_equal(p, torch.ones(2, 3))


def test_rows_are_kept_as_often_as_they_should_be():
    rng = np.random.default_rng(0)
    p = torch.tensor([[1.0, 0.6, 0.3], [0.8, 0.6, 0.0625], [0.5, 0.02, 0.0625]])
    seen = torch.zeros(3, 3).double()
    for _ in range(4000):
        kept = keep_rows(p.double(), torch.tensor(rng.random(3)))
        for t in range(3):
            scored = kept.at(t)
            assert_allclose(scored.weights, 1 / p[t, scored.index])
            seen[t, scored.index] += scored.weights
    error = ((1 - p) / p / 4000).sqrt()
    assert (abs(seen / 4000 - 1) <= 4 * error + 1e-12).all()


def test_all_rows_are_scored_where_they_are_needed(monkeypatch):
    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    monkeypatch.setattr(_schedule, "STOP_WORK", 0)  # which is all there is, of so few
    game = SmallGame(8, 30, 2, "accuracy", seed=1)
    smooth = class_utility("neg_log_loss", game.y_val, 2)
    problem = game.problem(per_sample=False)
    for one, is_sampled in (
        (problem, True),
        (problem._replace(per_sample=True), False),
        (problem._replace(utilities=[smooth]), False),
        (problem._replace(utilities=[game.utility, smooth], nulls=[0.4, -0.8]), False),
    ):
        sweep = Sweep(game.game(), one)
        kept = np.min([sweep.profile(t, 0)[2] for t in range(5)])
        assert (kept < 1) == is_sampled


def test_jumps_count_by_the_squares_of_what_they_weigh(monkeypatch):
    """Probabilities are to make variances small, and these grow with the squares."""
    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    game = SmallGame(8, 30, 2, "accuracy")
    problem = game.problem(per_sample=False)
    route = Sweep(game.game(), problem).routes[0]
    shares, rng = 2.0 ** np.arange(len(route.ranges)), np.random.default_rng(0)
    seen = []
    monkeypatch.setattr(
        _scored, "keep_probabilities", lambda gains, *_: seen.append(gains) or gains
    )
    choose = make_choice(game.game(), problem, route, shares, rng)
    # As far from a jump at all stops.
    choose(torch.zeros(len(shares), 1, 30), torch.ones(len(shares)))
    scale = seen[0][:, 0]
    assert len(scale) > 2  # Shapley values weigh all sizes alike
    assert_allclose(scale / scale[0], shares**2)


@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e300])
def test_probabilities_do_not_depend_on_the_scale_of_gains(scale):
    gains = torch.tensor([[1.0, 0.5, 0.0], [0.9, 0.2, 0.0]]).double()
    p = keep_probabilities(gains * scale, torch.ones(2).double(), 1.0)
    expected = keep_probabilities(gains, torch.ones(2).double(), 1.0)
    assert_allclose(p, expected, rtol=1e-6)


@pytest.mark.parametrize("far", [1e2, 7.3e2, 8e2, 1e5, 1e12, 1e200])
def test_rows_far_from_a_jump_are_kept_at_times(far, monkeypatch):
    """One row alone moves predictions, however far, and the others as good as not."""
    seen = []

    def keep(p, draws):
        seen.append(p)
        return keep_rows(p, draws)

    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    monkeypatch.setattr(_scored, "keep_rows", keep)
    n, m = 8, 40
    rng = np.random.default_rng(0)
    cross = rng.choice([-1.0, 1.0], size=(n, m))
    cross[0] = far * rng.uniform(1, 1.3, size=m)
    problem = SmallGame(n, m, 2, "accuracy").problem(per_sample=False)
    targets = class_targets(problem.utilities, np.arange(n) % 2, 2)
    game = KernelGame((np.eye(n), cross, targets), 1.0).with_inverse()
    sweep = Sweep(game, problem)
    for t in range(5):
        assert sweep.run(t, 0).isfinite().all()
    p = torch.cat(seen)
    assert ((p >= LEAST) & (p <= 1)).all()
