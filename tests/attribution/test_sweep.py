"""The sweep against enumeration and fresh solves; its errors."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap import FreeShapAttributor
from skshap.attribution import _sweep
from skshap.attribution._marginals import GrowingCoalitions, ShrinkingCoalitions
from skshap.attribution._samplers import average, generators
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import leave_one_out_values, size_bins, sweep_marginals
from skshap.attribution._utility import SCORINGS
from skshap.exceptions import NotPositiveDefiniteError
from tests.attribution.test_samplers import ALPHA, Game
from tests.oracles import per_sample_score, ridge_predictions, semivalues

SEMIVALUES = ["shapley", "banzhaf", ("beta", 1, 4), ("beta", 4, 1)]


def own_value(decision, y_index):
    """A scoring callable: the decision value of the label."""
    return decision[np.arange(len(decision)), y_index]


class CallableGame(Game):
    def value(self, rows):
        if rows not in self.cache:
            decision = ridge_predictions(
                self.K, self.y, self.cross, ALPHA, self.n_classes, rows
            )
            self.cache[rows] = own_value(decision, self.y_val)
        return self.cache[rows] if rows else np.full(len(self.y_val), self.null)


class Fixed:
    """A random generator that is not random."""

    def __init__(self, order, small, large):
        self.order, self.small, self.large = order, small, large

    def permutation(self, n):
        return np.array(self.order)

    def integers(self, low, high):
        # Large sizes are drawn as numbers of rows taken out, from none on.
        drawn = np.array(self.large if low[0] == 0 else self.small)
        assert ((low <= drawn) & (drawn < high)).all()
        return drawn


def tensors(game):
    ridge = game.ridge()
    return ridge.K, ridge.cross, ridge.targets, ALPHA


def sweep(game, rngs, semivalue="shapley", per_sample=True):
    return sweep_marginals(
        tensors(game),
        game.utility,
        rngs,
        weights=size_weights(semivalue, game.n),
        null=game.null,
        per_sample=per_sample,
    )


@pytest.mark.parametrize("growth", [1.0, 3.0])
@pytest.mark.parametrize("semivalue", SEMIVALUES)
@pytest.mark.parametrize("scoring", [*SCORINGS, own_value])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_unbiased(n_classes, scoring, semivalue, growth, monkeypatch):
    """The mean over all permutations and all sizes drawn is the value.

    Values are linear in each permutation of a draw, so that taking the same one for all
    of them changes no mean.
    """
    monkeypatch.setattr(_sweep, "GROWTH", growth)
    monkeypatch.setattr(_sweep, "LARGEST_SHARE", {True: 1.0, False: 1.0})
    kind = CallableGame if callable(scoring) else Game
    game = kind(4, 3, n_classes, scoring)
    weights = size_weights(semivalue, 4)
    expected = semivalues(game.value, weights).T
    bins = size_bins(weights, game.utility.is_smooth)
    assert (len(bins) < 4) == (growth > 1)
    small = [range(i, j + 1) for i, j in bins if j <= 2]
    large = [range(4 - j, 4 - i + 1) for i, j in bins[::-1] if j > 2]
    sizes = list(product(product(*small), product(*large)))
    rngs = [Fixed(o, *s) for o in permutations(range(4)) for s in sizes]
    for per_sample in (True, False):
        draws = sweep(game, rngs, semivalue, per_sample)
        mean = average(draws, n_permutations=len(rngs), tol=None, verbose=0).values
        found = expected if per_sample else expected.mean(1)
        assert_allclose(mean, found, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 12),
    m=st.integers(1, 5),
    n_classes=st.integers(2, 4),
    block_size=st.sampled_from([1, 2, 3, 192]),
    seed=st.integers(0, 2**32 - 1),
)
def test_moves_equal_fresh_solves(n, m, n_classes, block_size, seed):
    game = Game(n, m, n_classes, scoring=own_value, seed=seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    stops = np.flatnonzero(rng.random(n + 1) < 0.5)

    def predict(rows):
        if not len(rows):
            return np.zeros((n_classes, m))
        return ridge_predictions(
            game.K, game.y, game.cross, ALPHA, n_classes, sorted(rows)
        ).T

    for kind, limit in ((GrowingCoalitions, "largest"), (ShrinkingCoalitions, "most")):
        ridge = kind(*tensors(game), **{limit: n}, block_size=block_size)
        coalitions = ridge.coalitions(torch.tensor(order), stops.tolist())
        for stop, coalition in zip(stops, coalitions, strict=True):
            size, decision, joining, leaving = coalition
            is_growing = kind is GrowingCoalitions
            members = set(order[:stop] if is_growing else order[stop:])
            assert size == len(members)
            assert set(leaving.rows.tolist()) == members
            assert set(joining.rows.tolist()) == set(range(n)) - members
            assert_allclose(decision, predict(members), atol=1e-9)
            for row, cross, weight in zip(*joining, strict=True):
                moved = decision + weight[:, None] * cross
                assert_allclose(moved, predict(members | {int(row)}), atol=1e-9)
            for row, cross, weight in zip(*leaving, strict=True):
                moved = decision + weight[:, None] * cross
                assert_allclose(moved, predict(members - {int(row)}), atol=1e-9)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_moves", [1, 95, 96, 97, 200])
def test_fused_gains_equal_plain_ones(scoring, n_moves):
    game = Game(6, 13, 2, scoring)
    rng = np.random.default_rng(0)
    decision = torch.tensor(rng.normal(size=(1, 13)))
    decision[0, :2] = 0
    cross = torch.tensor(rng.normal(size=(n_moves, 13)))
    weight = torch.tensor(rng.normal(size=(n_moves, 1)))
    weight[0] = 0
    cross[-1], weight[-1] = 300, 1.0  # a product of its factors overflows
    fused = game.utility.gains(decision, cross, weight, per_sample=False)
    apart = game.utility.gains(decision, cross, weight, per_sample=True)
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
    game = Game(8, 5, n_classes, scoring)
    expected = semivalues(game.value, size_weights("loo", 8)).T
    apart = leave_one_out_values(tensors(game), game.utility, per_sample=True)
    assert_allclose(apart, expected, atol=1e-12)
    mean = leave_one_out_values(tensors(game), game.utility, per_sample=False)
    assert_allclose(mean, expected.mean(1), atol=1e-12)


@pytest.mark.parametrize("semivalue", [*SEMIVALUES, "loo"])
@pytest.mark.parametrize("n", [1, 2, 3, 50, 2000])
@pytest.mark.parametrize("is_smooth", [True, False])
def test_bins_cover_what_counts_once(is_smooth, semivalue, n):
    weights = size_weights(semivalue, n)
    bins = size_bins(weights, is_smooth) if n > 1 else []
    covered = [size for first, last in bins for size in range(first, last + 1)]
    assert covered == sorted(set(covered))
    assert all(1 <= size <= n for size in covered)
    for size in range(1, n):
        if weights[size] > 1e-12:
            assert {size, size + 1} <= set(covered)


def test_errors_cover():
    """Deviations from the exact values are of the size that is claimed."""
    game = Game(9, 6, 2, "neg_log_loss", seed=5)
    exact = game.enumerate()
    z = []
    for seed in range(60):
        values, error = average(
            sweep(game, generators(25, seed)), n_permutations=25, tol=None, verbose=0
        )
        assert (error > 0).all()
        z.append((values - exact) / error)
    z = np.array(z)
    assert abs(z).max() < 7
    assert 0.85 < z.std() < 1.25
    assert abs(z.mean()) < 0.2


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
    game = Game(40, 7, 3)
    first, second = (
        average(sweep(game, generators(3, 0)), n_permutations=3, tol=None, verbose=0)
        for _ in range(2)
    )
    assert_array_equal(first.values, second.values)
    assert_array_equal(first.standard_error, second.standard_error)


def test_singular_kernel_names_alpha():
    game = Game(4, 2, 2)
    game.K[2, 2] = -3
    grow = GrowingCoalitions(*tensors(game))
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        list(grow.coalitions(torch.arange(4), [4]))
