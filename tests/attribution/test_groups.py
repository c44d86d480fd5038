"""Groups of rows as players, against enumeration of their unions."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skshap import FreeShapAttributor
from skshap.attribution import (
    _cost,
    _enumeration,
    _estimation,
    _plan,
    _players,
    _prefixes,
    _subsets,
)
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._game import PASS_WORK, Route
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._leave_one_out import leave_one_out_values
from skshap.attribution._semivalues import size_weights
from skshap.attribution._subsets import FeatureSubsets, KernelSubsets
from skshap.utils import _ridge
from tests.attribution.games import ALPHA, SmallGame, average, check_errors
from tests.attribution.games import Permutations as PermutationSampler
from tests.oracles import permutation_gains, ridge_predictions, semivalues

GROUPS = np.array([2, 0, 1, 2, 2, 3, 1, 4, 4, 0, 2])
NAMES = np.array(["e", "b", "c", "z", "a"])
MANY = 11  # groups


def yes_or_no(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.where(X[:, 0] + rng.normal(size=n) > 0, "yes", "no")


@pytest.mark.parametrize("scoring", CLASS_SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_enumeration_equals_the_definition(n_classes, scoring):
    game = SmallGame(11, 4, n_classes, scoring, groups=GROUPS)
    for semivalue in ("shapley", "banzhaf", "loo"):
        expected = semivalues(game.value, size_weights(semivalue, 5)).T
        assert_allclose(game.enumerate(semivalue), expected, atol=1e-11)


@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 22])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_enumeration_by_features_equals_that_by_kernel(
    n_classes, chunk, groups, monkeypatch
):
    monkeypatch.setattr(_enumeration, "CHUNK_NUMBERS", chunk)
    game = SmallGame(11, 4, n_classes, noise=0, groups=groups)
    problem = game.problem()
    by_kernel, by_features = (
        _enumeration.enumerate_coalitions(game.game(kind), problem)
        for kind in (KernelGame, FeatureGame)
    )
    assert_allclose(by_features, by_kernel, atol=1e-11)


@pytest.mark.parametrize("joined", [1, 4, 128])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_permutations_equal_naive_gains(n_classes, joined, monkeypatch):
    monkeypatch.setattr(_prefixes, "JOINED", joined)
    game = SmallGame(11, 4, n_classes, groups=GROUPS)
    orders = [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [2, 4, 3, 1, 0]]
    gains = np.array([permutation_gains(game.value, o, game.null)[0] for o in orders])
    found = game.sample(orders)[0]
    assert_allclose(found, gains.mean(0), atol=1e-11)
    mean = game.sample(orders, per_sample=False)[0]
    assert_allclose(mean, gains.mean((0, 2)), atol=1e-11)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_leave_one_group_out_is_exact(n_classes):
    game = SmallGame(11, 4, n_classes, groups=GROUPS)
    expected = semivalues(game.value, size_weights("loo", 5)).T
    found = leave_one_out_values(game.game(), game.problem())[0]
    assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
def test_samplers_agree_with_enumeration(sampler, kernel, monkeypatch):
    X, y = yes_or_no(33)
    X_val, y_val = yes_or_no(8, seed=1)
    groups = np.arange(33) % MANY
    options = {"scoring": "neg_log_loss", "random_state": 0}
    exact = FreeShapAttributor(kernel, sampler="exact", **options).fit(X, y)
    expected = exact.attribute(X_val, y_val, groups=groups)
    monkeypatch.setattr(_plan, "LARGEST_GAME", MANY - 1)  # not for "exact" now
    sampled = FreeShapAttributor(kernel, sampler=sampler, n_permutations=180, **options)
    values, std = sampled.fit(X, y).attribute(
        X_val, y_val, groups=groups, return_std=True
    )
    assert values.shape == (MANY,)
    check_errors(values, expected, std)


@pytest.mark.parametrize("at_once", [1 << 20, 60, 1])
@pytest.mark.parametrize("kind", ["growing", "shrinking", "direct"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_groups_move_predictions_as_refits_do(n_classes, kind, at_once, monkeypatch):
    """Those with as many rows together, and as many at a time as there is room for."""
    monkeypatch.setattr(_players, "AT_ONCE", at_once)
    groups = np.array([3, 0, 1, 2, 2, 3, 1, 4, 5, 0, 5, 2, 6])
    game = SmallGame(13, 4, n_classes, noise=0.05 * (kind != "direct"), groups=groups)
    players = game.game(FeatureGame if kind == "direct" else KernelGame)
    K, cross, y = game.K, game.cross, game.y

    def refit(members):
        rows = np.flatnonzero(np.isin(groups, members))
        decision = ridge_predictions(K, y, cross, ALPHA, n_classes, rows).T
        return np.diff(decision, axis=0) if n_classes == 2 else decision

    order, stops = np.random.default_rng(0).permutation(7), [1, 3, 6]
    route = Route(kind, [(stop, stop) for stop in stops])
    for stop, found in zip(stops, players.walk(route, order, stops), strict=True):
        members, others = order[:stop], order[stop:]
        if kind == "shrinking":
            members, others = others, members
        decision = refit(members)
        assert_allclose(found.decision, decision, atol=1e-9)
        for side, moved in ((found.joining, others), (found.leaving, members)):
            assert sorted(side.players.tolist()) == sorted(moved.tolist())
            changes = side.changes(slice(None))
            for player, change in zip(
                side.players.tolist(), changes.unbind(1), strict=False
            ):
                after = refit(np.setxor1d(members, [player]))
                assert_allclose(change, after - decision, atol=1e-9)


def test_values_come_in_the_order_of_the_names():
    X, y = yes_or_no(20)
    attributor = FreeShapAttributor(sampler="exact", scoring="neg_log_loss").fit(X, y)
    names = NAMES[np.arange(20) % 5]
    values = attributor.attribute(X[:6], y[:6], groups=names)
    codes = np.unique(names, return_inverse=True)[1]
    assert_allclose(values, attributor.attribute(X[:6], y[:6], groups=codes))
    assert_allclose(
        values.sum(), attributor.score(X[:6], y[:6]) - attributor.null_score_
    )


@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
def test_groups_of_one_row_are_rows(sampler):
    X, y = yes_or_no(25)
    attributor = FreeShapAttributor(
        sampler=sampler, n_permutations=4, random_state=0, scoring="neg_brier_score"
    ).fit(X, y)
    rows = attributor.attribute(X[:6], y[:6], per_sample=True)
    groups = attributor.attribute(
        X[:6], y[:6], per_sample=True, groups=np.arange(25) * 2
    )
    assert_allclose(groups, rows, atol=1e-11)


@pytest.mark.parametrize("sampler", ["sweep", "permutation", "exact"])
def test_one_group_is_worth_everything(sampler):
    X, y = yes_or_no(25)
    attributor = FreeShapAttributor(sampler=sampler, n_permutations=3).fit(X, y)
    value = attributor.attribute(X[:6], y[:6], groups=["all"] * 25)
    gain = attributor.score(X[:6], y[:6]) - attributor.null_score_
    assert_allclose(value, [gain], atol=1e-12)
    attributor.set_params(semivalue="loo")
    value = attributor.attribute(X[:6], y[:6], groups=["all"] * 25)
    assert_allclose(value, [gain], atol=1e-12)


@pytest.mark.parametrize(
    "groups, words",
    [
        (["a"] * 24, ["one type: got 24 for 25 training rows."]),
        (["a"] * 24 + [None], ["missing"]),
        (np.array(["a"] * 24 + [3.5], dtype=object), ["one type"]),
        (np.zeros((25, 2)), ["shape (25, 2)", "df.groupby([...]).ngroup()"]),
        (pd.DataFrame({"a": [1] * 25}), ["shape (25, 1)", "df['annotator']"]),
        ("doc", ["one name a row", "got 'doc'", "pass its values"]),
        ([np.nan] + [1.0] * 24, ["NaN"]),
    ],
)
def test_bad_groups_are_named(groups, words):
    X, y = yes_or_no(25)
    attributor = FreeShapAttributor().fit(X, y)
    with pytest.raises(ValueError, match=r"^groups must hold") as caught:
        attributor.attribute(X, y, groups=groups)
    assert all(word in str(caught.value) for word in words)


def test_average_of_groups_covers():
    game = SmallGame(11, 5, 2, groups=GROUPS)
    exact, z = game.enumerate(), []
    for seed in range(30):
        sampler = PermutationSampler(game.game(), game.problem(seed=seed))
        values, error = average(sampler, 50)
        z.append((values - exact) / error)
    assert abs(np.array(z)).max() < 5
    assert 0.85 < np.std(z) < 1.2


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_groups_are_in_the_order_of_the_rows():
    X, y = yes_or_no(11)
    names = [f"row {i}" for i in (4, 2, 7, 0, 9, 1, 10, 3, 8, 5, 6)]
    frame, groups = pd.DataFrame(X, index=names), pd.Series(GROUPS, index=names)
    fitted = FreeShapAttributor(sampler="exact").fit(frame, y)
    expected = fitted.attribute(X, y, groups=GROUPS)
    assert_allclose(fitted.attribute(X, y, groups=groups), expected)
    words = "groups must be in the order of X_train.* which entry of groups is whose"
    with pytest.raises(ValueError, match=words):
        fitted.attribute(X, y, groups=groups.sort_index())
    by_place = fitted.fit(X, y).attribute(X, y, groups=groups.sort_index())
    assert np.abs(by_place - expected).max() > 1e-3


def values_of_groups(n_groups, *, kernel="linear", n_rows=60, **params):
    X, y = yes_or_no(n_rows)
    params = {"scoring": "neg_log_loss", "random_state": 0, **params}
    attributor = FreeShapAttributor(kernel, **params).fit(X, y)
    options = {"semivalues": ["shapley", "loo"], "return_std": True}
    groups = np.arange(n_rows) % n_groups
    values, errors = attributor.attribute(X[:9], y[:9], groups=groups, **options)
    return np.array(list(values.values())), np.array(list(errors.values()))


@pytest.mark.parametrize("kernel, n", [("rbf", 12), ("linear", 18)])
def test_few_groups_are_enumerated(kernel, n):
    """Where that takes less work than the permutations that are asked for."""
    exact, _ = values_of_groups(n, kernel=kernel, sampler="exact")
    values, errors = values_of_groups(n, kernel=kernel, n_permutations=200)
    assert_allclose(values, exact)
    assert (errors == 0).all()
    for params in ({"n_permutations": 2}, {"sampler": "permutation"}):
        values, errors = values_of_groups(n, kernel=kernel, **params)
        assert errors[0].min() > 0
        assert abs(values - exact)[0].min() > 0


def test_many_groups_are_never_enumerated():
    errors = values_of_groups(21, n_rows=21, n_permutations=10**8, tol=0.1)[1]
    assert errors[0].min() > 0
    with pytest.raises(ValueError, match="at most 20 players, but there are 21"):
        values_of_groups(21, sampler="exact")


def test_batches_of_an_enumeration_hold_so_many_numbers(monkeypatch):
    monkeypatch.setattr(_enumeration, "CHUNK_NUMBERS", 100_000)
    game, sizes = SmallGame(11, 300, 3, noise=0), []
    for subsets in (KernelSubsets, FeatureSubsets):
        predict = subsets.predict

        def spy(self, coalitions, predict=predict):
            out = predict(self, coalitions)
            sizes.append((len(coalitions), out.numel()))
            return out

        monkeypatch.setattr(subsets, "predict", spy)
    for kind in (KernelGame, FeatureGame):
        sizes.clear()
        _enumeration.enumerate_coalitions(game.game(kind), game.problem())
        assert sum(count for count, _ in sizes) == 2**11 - 1
        assert max(numbers for count, numbers in sizes if count > 1) <= 100_000 / 8


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.parametrize(
    "n, d, n_groups, kind", [(400, 3, 6, FeatureGame), (13, 12, 13, KernelGame)]
)
def test_enumeration_takes_the_way_of_less_work(n, d, n_groups, kind, monkeypatch):
    X, seen = np.random.default_rng(0).normal(size=(n, d)), []
    y, groups = np.arange(n) % 2, np.arange(n) % n_groups
    options = {"scoring": "neg_brier_score", "sampler": "exact"}

    def enumerate_coalitions(game, problem, **options):
        seen.append(type(game))
        return _enumeration.enumerate_coalitions(game, problem, **options)

    monkeypatch.setattr(_estimation, "enumerate_coalitions", enumerate_coalitions)
    by_kernel, values = (
        FreeShapAttributor(kernel, **options).fit(X, y).attribute(X, y, groups=groups)
        for kernel in (lambda a, b: a @ b, "linear")
    )
    assert seen == [KernelGame, kind]
    assert_allclose(values, by_kernel, atol=1e-10)


def test_cost_of_an_enumeration_is_told_from_a_part(monkeypatch):
    seen = []

    def enumerate_coalitions(game, problem):
        seen.append((game.n_players, game.n_rows))
        return _enumeration.enumerate_coalitions(game, problem)

    monkeypatch.setattr(_cost, "enumerate_coalitions", enumerate_coalitions)
    X, y = yes_or_no(900)
    attributor = FreeShapAttributor("rbf").fit(X, y)
    costs = []
    for n_groups in (3, 9):
        groups = np.arange(900) % n_groups
        costs.append(attributor.estimate_cost(X[:9], y[:9], groups=groups))
    assert seen[0] == (3, 900)
    assert 1 < seen[-1][0] < 9 and seen[-1][1] == 100 * seen[-1][0]
    assert costs[0].seconds < costs[1].seconds
    monkeypatch.setattr(_cost, "PIECE_FLOPS", 1e6)
    attributor.estimate_cost(X[:9], y[:9], groups=groups)
    assert seen[-1][0] == 2 and seen[-1][1] < 100


@pytest.mark.parametrize("big", [0, 7])  # the group of most rows
def test_cost_of_groups_of_unequal_size(big, monkeypatch):
    """The part that is timed has the largest ones, in whatever order they come."""
    sizes = []

    def enumerate_coalitions(game, problem):
        sizes.append(sorted(map(len, game.rows_of_players), reverse=True))
        return _enumeration.enumerate_coalitions(game, problem)

    monkeypatch.setattr(_cost, "enumerate_coalitions", enumerate_coalitions)
    monkeypatch.setattr(_cost, "PIECE_FLOPS", 1e8)
    X, y = yes_or_no(300)
    groups = np.full(300, big)
    others = np.setdiff1d(np.arange(8), [big])
    groups[:21] = np.repeat(others, [4, 4, 3, 3, 3, 2, 2])
    FreeShapAttributor("rbf").fit(X, y).estimate_cost(X[:9], y[:9], groups=groups)
    assert sizes[-1] == [279, 4, 4, 3, 3, 3, 2, 2][: len(sizes[-1])]
    assert 1 < len(sizes[-1]) < 8


def test_work_of_groups_of_unequal_size_is_counted():
    counts = [50, 1, 2, 3, 4]
    groups = np.repeat(np.arange(5), counts)
    game = SmallGame(60, 7, 2, noise=0, groups=groups).game(KernelGame)
    m, q, k = 7, game.n_outputs, np.array([sum(c) for c in combinations(counts, 3)])
    work = k**3 / 3 + 2 * k * (k + m) * q + PASS_WORK * k * (k + m)
    assert game.subset_flops(3) == pytest.approx(work.mean(), rel=0.15)
    k = 60
    work = k**3 / 3 + 2 * k * (k + m) * q + PASS_WORK * k * (k + m)
    assert game.subset_flops(5) == pytest.approx(work)
    alone = SmallGame(60, 7, 2, noise=0).game(KernelGame)
    one, several = (
        part.walk_flops(Route("growing", [stop]))
        for part, stop in ((alone, (12, 12)), (game, (1, 1)))
    )
    squares, cubes = np.sum(np.power(counts, 2)), np.sum(np.power(counts, 3))
    assert several[0] - one[0] == pytest.approx(cubes / 3 + 2 * 12 * squares)
    assert several[1] - one[1] == pytest.approx(squares)


def test_coalitions_of_other_sizes_are_not_padded(monkeypatch):
    shapes = []

    def factorize(A, **options):
        shapes.append(tuple(A.shape))
        return _ridge.factorize(A, **options)

    monkeypatch.setattr(_subsets, "factorize", factorize)
    counts = [50, 1, 2, 3, 4]
    game = SmallGame(60, 7, 2, noise=0, groups=np.repeat(np.arange(5), counts)).game(
        KernelGame
    )
    coalitions = [(0, 1), (1, 2), (0, 2), (3, 4), (1, 3)]
    together = game.subsets().predict(coalitions)
    assert sorted(shapes) == [(2, 52, 52), (3, 7, 7)]
    for c, coalition in enumerate(coalitions):
        alone = game.subsets().predict([coalition])
        assert_allclose(together[:, [c]], alone, atol=1e-12)


def test_one_permutation_has_errors_where_values_are_exact():
    X, y = yes_or_no(60)
    attributor = FreeShapAttributor("rbf", n_permutations=1).fit(X, y)
    options = {"groups": np.arange(60) % 2, "return_std": True}
    values, errors = attributor.attribute(X[:9], y[:9], **options)
    assert np.isfinite(values).all() and (errors == 0).all()
    options["groups"] = np.arange(60) % 12  # which are sampled
    with pytest.raises(ValueError, match="n_permutations of at least 2"):
        attributor.attribute(X[:9], y[:9], **options)
