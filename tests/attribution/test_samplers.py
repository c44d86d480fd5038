"""Samplers against enumeration and against a naive walk along the same permutations."""

import weakref
from itertools import permutations as all_permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.attribution import _enumeration, _prefixes
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._moments import RunningMoments
from skshap.attribution._permutations import Permutations
from skshap.attribution._prefixes import KernelPrefixes
from skshap.attribution._semivalues import size_weights
from skshap.exceptions import NotPositiveDefiniteError
from tests.attribution.games import FixedOrder, SmallGame, average, draw_orders
from tests.oracles import permutation_gains, semivalues, shapley_values
from tests.patching import using

SCORINGS = list(CLASS_SCORINGS)


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 6),
    m=st.integers(1, 4),
    n_classes=st.integers(2, 4),
    scoring=st.sampled_from(SCORINGS),
    chunk=st.sampled_from([1, 60, 1 << 22]),
    seed=st.integers(0, 2**32 - 1),
)
def test_enumeration_equals_the_definition(n, m, n_classes, scoring, chunk, seed):
    game = SmallGame(n, m, n_classes, scoring, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_enumeration, "CHUNK_NUMBERS", chunk)
        values = game.enumerate()
    assert_allclose(values.T, shapley_values(game.value, n), atol=1e-10)


def test_enumeration_refuses_a_coalition_that_is_singular():
    game = SmallGame(4, 2, 2)
    game.K[2, 2] = -3
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        game.enumerate()


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_all_permutations_together_equal_enumeration(n_classes, scoring):
    game = SmallGame(5, 3, n_classes, scoring)
    orders = list(all_permutations(range(5)))
    expected = shapley_values(game.value, 5).T
    for joined in (1, 3, 128):
        with using(_prefixes, JOINED=joined):
            kept_apart = game.sample(orders)[0]
            mean = game.sample(orders, per_sample=False)[0]
        assert_allclose(kept_apart, expected, atol=1e-12)
        assert_allclose(mean, expected.mean(1), atol=1e-12)


@pytest.mark.parametrize(
    "semivalue", ["banzhaf", "loo", ("beta", 4, 1), ("beta", 1, 4)]
)
def test_semivalues(semivalue):
    game = SmallGame(5, 3, 2)
    expected = semivalues(game.value, size_weights(semivalue, 5)).T
    assert_allclose(game.enumerate(semivalue), expected, atol=1e-12)
    orders = list(all_permutations(range(5)))
    found = game.sample(orders, semivalue=semivalue)[0]
    assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("per_sample", [False, True])
def test_tol_stops_once_every_error_is_small(per_sample):
    game = SmallGame(8, 4, 2)
    orders = draw_orders(8, 400)
    errors = [game.sample(orders[:k], per_sample=per_sample)[1].max() for k in (10, 60)]
    used = []

    class Counting(Permutations):
        def run(self, t, part):
            used.append(t)
            return super().run(t, part)

    for tol in (10 * errors[0], errors[1] * 1.0001, 1e-12):
        used.clear()
        rngs = [FixedOrder(order) for order in orders]
        problem = game.problem(rngs=rngs, per_sample=per_sample)
        error = average(Counting(game.game(), problem), 400, tol=tol)[1]
        assert error.max() <= tol or len(used) == 400
        if tol == 10 * errors[0]:
            assert len(used) == 10
        elif tol == 1e-12:
            assert len(used) == 400
        else:
            assert 10 < len(used) <= 60


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_values_and_errors_are_moments_of_naive_gains(n_classes, scoring):
    game = SmallGame(11, 4, n_classes, scoring, seed=1)
    orders = draw_orders(11, 6)
    gains = np.array([permutation_gains(game.value, o, game.null)[0] for o in orders])
    for joined in (1, 3, 128):
        for per_sample in (True, False):
            expected = gains if per_sample else gains.mean(2)
            with using(_prefixes, JOINED=joined):
                values, error = game.sample(orders, per_sample=per_sample)
            assert_allclose(values, expected.mean(0), atol=1e-11)
            expected_error = expected.std(0, ddof=1) / np.sqrt(len(orders))
            assert_allclose(error, expected_error, atol=1e-11)


@pytest.mark.parametrize(("joined", "per_sample"), [(1, False), (3, True), (128, True)])
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_truncation_follows_the_rule(n_classes, scoring, joined, per_sample):
    game = SmallGame(14, 9, n_classes, scoring, seed=3)
    orders = draw_orders(14, 12)
    # Not a number that a difference of accuracies hits exactly.
    tol = 0.3234567
    tolerance = tol * abs(game.full - game.null)
    found = [
        permutation_gains(
            game.value, order, game.null, full=game.full, tolerance=tolerance
        )
        for order in orders
    ]
    stops = {n_scored for _, n_scored in found}
    assert len(stops) > 2 and min(stops) < 14
    gains = np.array([gains for gains, _ in found])
    with using(_prefixes, JOINED=joined):
        values = game.sample(orders, per_sample=per_sample, truncation_tol=tol)[0]
    expected = gains if per_sample else gains.mean(2)
    assert_allclose(values, expected.mean(0), atol=1e-11)


def test_a_tiny_truncation_tol_changes_nothing(monkeypatch):
    monkeypatch.setattr(_prefixes, "JOINED", 4)
    game = SmallGame(12, 5, 3, seed=1)
    orders = draw_orders(12, 5)
    expected = game.sample(orders)[0]
    found = game.sample(orders, truncation_tol=1e-14)[0]
    assert_array_equal(found, expected)


def test_truncation_stops_the_factor(monkeypatch):
    n_blocks, blocks = 0, KernelPrefixes.blocks

    def counting(self, order):
        nonlocal n_blocks
        for block in blocks(self, order):
            n_blocks += 1
            yield block

    monkeypatch.setattr(_prefixes, "JOINED", 2)
    monkeypatch.setattr(KernelPrefixes, "blocks", counting)
    game = SmallGame(14, 9, 2, seed=3)
    orders = draw_orders(14, 12)
    made = {}
    for tol in (None, 0.3):
        n_blocks = 0
        game.sample(orders, truncation_tol=tol)
        made[tol] = n_blocks
    tolerance = 0.3 * abs(game.full - game.null)
    needed = [
        permutation_gains(
            game.value, order, game.null, full=game.full, tolerance=tolerance
        )[1]
        for order in orders
    ]
    assert made[None] == 12 * 7
    # One permutation more, in full, tells what the rule compares with.
    assert made[0.3] == 7 + sum(-(-n_scored // 2) for n_scored in needed) < 12 * 7


def test_what_truncation_compares_with_is_computed_once_for_all_workers(monkeypatch):
    game = SmallGame(14, 9, 2, seed=3)
    orders = [FixedOrder(order) for order in draw_orders(14, 12)]
    sampler = Permutations(game.game(), game.problem(rngs=orders), 0.3)
    options = sampler.options  # that workers get, in which it is
    expected = [sampler.run(t, 0) for t in range(12)]
    n_orders, blocks = 0, KernelPrefixes.blocks

    def counting(self, order):
        nonlocal n_orders
        n_orders += 1
        return blocks(self, order)

    monkeypatch.setattr(KernelPrefixes, "blocks", counting)
    for t in range(12):
        there = Permutations(game.game(), **options)
        assert_array_equal(there.run(t, 0), expected[t])
        there = there.resumed(0, {})
        again = Permutations(game.game(), **there.options)
        assert_array_equal(again._full, sampler._full)
        assert_allclose(again._full, game.full)
    assert n_orders == 12


def test_what_truncation_compares_with_holds_no_predictions(monkeypatch):
    """But those of the last block."""
    monkeypatch.setattr(_prefixes, "JOINED", 2)
    held, decisions = [], KernelPrefixes.decisions

    def watching(self, order):
        for rows, block in decisions(self, order):
            block = block.clone()
            assert sum(ref() is not None for ref in held) <= 1
            held.append(weakref.ref(block))
            yield rows, block
            del block

    monkeypatch.setattr(KernelPrefixes, "decisions", watching)
    game = SmallGame(14, 9, 2, seed=3)
    full = Permutations(game.game(), game.problem(), 0.3)._full
    assert_allclose(full, game.full)
    assert len(held) == 7


def test_one_permutation_has_no_standard_error():
    game = SmallGame(5, 2, 2)
    order = [3, 1, 4, 0, 2]
    values, error = game.sample([order])
    gains, _ = permutation_gains(game.value, order, game.null)
    assert_allclose(values, gains, atol=1e-12)
    assert np.isnan(error).all()


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(2, 12),
    offset=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 2**32 - 1),
)
def test_running_moments(count, offset, seed):
    arrays = np.random.default_rng(seed).normal(offset, size=(count, 3, 2))
    moments = RunningMoments()
    for array in arrays:
        moments.update(torch.tensor(array))
    assert_allclose(moments.mean, arrays.mean(0), rtol=1e-12, atol=1e-12)
    expected = arrays.std(0, ddof=1) / np.sqrt(count)
    assert_allclose(moments.errors(), expected, rtol=1e-7)
    assert_allclose(moments.largest_error(), expected.max(), rtol=1e-7)
    typical = np.sqrt((expected**2).mean())
    assert_allclose(moments.typical_error(), typical, rtol=1e-7)


def problem_orders(n, count, seed):
    problem = SmallGame(n, 2, 2).problem(seed=seed)
    return [problem.generator(t, 0).permutation(n).tolist() for t in range(count)]


def test_each_permutation_has_a_seed_of_its_own():
    few, many = problem_orders(20, 3, seed=7), problem_orders(20, 9, seed=7)
    assert many[:3] == few
    assert all(sorted(order) == list(range(20)) for order in many)
    assert len({tuple(order) for order in many}) == 9
    assert problem_orders(20, 3, seed=8) != few


def test_permutations_are_uniform():
    counts = {}
    for order in problem_orders(3, 3000, seed=0):
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    # 500 each; a standard deviation is about 20.
    assert len(counts) == 6
    assert all(abs(count - 500) < 100 for count in counts.values())
