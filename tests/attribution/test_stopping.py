"""When draws suffice, on games with known values."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t
from sklearn.exceptions import ConvergenceWarning

from skshap import FreeShapAttributor
from skshap.attribution._moments import RunningMoments
from skshap.attribution._permutations import Permutations
from skshap.attribution._stopping import StoppingRule
from skshap.attribution._sweep import Sweep
from tests.attribution.games import SmallGame, average
from tests.rows import class_rows


def settled_after(draws, tol):
    """Moments once the rule is met, or after all draws."""
    rule, moments = StoppingRule(tol, draws[0].size), RunningMoments()
    for draw in draws:
        moments.update(torch.tensor(draw))
        if rule.is_met(moments):
            return moments, True
    return moments, rule.is_met(moments, is_last=True)


@pytest.mark.parametrize("n_values", [7, 20])
@pytest.mark.parametrize("look, count", [(1, 10), (2, 12), (3, 15)])
@pytest.mark.parametrize("kind", ["sign", "lowest"])
def test_the_error_allowed_is_shared_out_over_values_and_looks(
    kind, look, count, n_values
):
    """To both sides of each value: to the last digit, as chance seldom tells."""
    n, confidence = 7, 0.9
    share = (1 - confidence) / (look * (look + 1)) / n_values / 2
    bar = student_t.isf(share, count - 1)
    tol = (kind, 3, confidence) if kind == "lowest" else (kind, confidence)
    rule = StoppingRule(tol, n_values)
    error = torch.full((1, 1, n), 0.3, dtype=torch.float64)
    for factor, is_met in ((1 + 1e-9, True), (1 - 1e-9, False)):
        moments = RunningMoments()
        moments.count, moments.squares = count, error**2 * count * (count - 1)
        moments.mean = error * bar * factor
        moments.mean[..., :3] *= -1
        assert rule.is_met(moments) == is_met


@pytest.mark.parametrize(
    "tol, words",
    [
        (("sign", 0.9), "the sign of 2 of 6 values is"),
        (("lowest", 2, 0.9), "of 3 of 6 values whether they are among the 2 lowest"),
    ],
)
def test_values_that_are_not_settled_are_counted(tol, words):
    moments = RunningMoments()
    moments.count = 10
    mean = [[[-9.0, 0.1, 0.2, 5.0, -0.0, 0.9]]]
    moments.mean = torch.tensor(mean, dtype=torch.float64)
    error = torch.tensor([[[0.1, 0.1, 0.1, 0.1, 0.0, 0.1]]], dtype=torch.float64)
    moments.squares = error**2 * 10 * 9
    assert words in StoppingRule(tol, 6).describe_lack(moments)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 8),
    m=st.integers(1, 4),
    n_classes=st.integers(2, 3),
    scoring=st.sampled_from(["neg_log_loss", "neg_brier_score"]),
    kind=st.sampled_from([Sweep, Permutations]),
    per_sample=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_errors_cover_on_known_games(n, m, n_classes, scoring, kind, per_sample, seed):
    """Errors of rows, also kept apart by the row scored, are of the size claimed."""
    game = SmallGame(n, m, n_classes, scoring, seed=seed)
    exact = game.enumerate()
    exact = exact if per_sample else exact.mean(1)
    problem = game.problem(per_sample=per_sample, seed=seed % 1000)
    values, error = average(kind(game.game(), problem), 60)
    z = (values - exact) / (error + 1e-12)
    # Student's t with 59 degrees of freedom exceeds 6.5 once in 5e7.
    assert abs(z).max() < 6.5


def test_errors_are_of_the_size_claimed():
    """Neither too small nor too large, over many games."""
    z = []
    for seed in range(40):
        game = SmallGame(7, 5, 2, "neg_brier_score", seed=seed)
        exact = game.enumerate()
        for kind in (Sweep, Permutations):
            values, error = average(kind(game.game(), game.problem(seed=seed)), 50)
            z.append(((values - exact) / error).ravel())
    z = np.concatenate(z)
    assert 0.85 < z.std() < 1.2
    assert abs(np.mean(abs(z) < 1.96) - 0.95) < 0.03


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 9),
    k=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_settled_decisions_are_right(n, k, seed):
    """With a confidence of 0.9999 none of some dozens is wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(1, 1, n))
    draws = truth + rng.normal(size=(400, 1, 1, n))
    moments, is_settled = settled_after(draws, ("sign", 0.9999))
    if is_settled:
        assert (np.sign(moments.mean.numpy()) == np.sign(truth)).all()
    assert is_settled or (abs(truth) < 0.5).any()
    k = min(k, n - 1)
    moments, is_settled = settled_after(draws, ("lowest", k, 0.9999))
    if is_settled:
        found = set(np.argsort(moments.mean[0, 0].numpy())[:k])
        assert found == set(np.argsort(truth[0, 0])[:k])
    gaps = np.diff(np.sort(truth[0, 0]))
    assert is_settled or gaps[k - 1] < 1


def test_confidence_holds():
    """Wrong signs are settled no more often than stated, although looks are many."""
    rng = np.random.default_rng(0)
    n_wrong = n_settled = 0
    for _ in range(400):
        draws = 0.1 + rng.normal(size=(200, 1, 1, 1))
        moments, is_settled = settled_after(draws, ("sign", 0.8))
        n_settled += is_settled
        n_wrong += is_settled and float(moments.mean) < 0
    assert n_settled > 50
    assert n_wrong < 0.2 * 400


def test_values_that_are_exact_are_settled():
    draws = np.broadcast_to([0.0, 1.0, -1.0], (20, 1, 1, 3))
    assert settled_after(draws, ("sign", 0.95))[0].count == 10
    assert settled_after(draws, ("lowest", 2, 0.95))[1]


def test_decisions_take_fewer_draws_than_errors():
    X = np.linspace(-2, 2, 40)[:, None]
    y = (X[:, 0] > 0).astype(int)
    y[5] = 1
    rows = np.arange(40) % 4 == 0
    X_val, y_val = X[rows] + 1e-3, y[rows]

    def attribute(tol):
        attributor = FreeShapAttributor(
            scoring="neg_log_loss", tol=tol, n_permutations=300, random_state=0
        )
        return attributor.fit(X, y).attribute(X_val, y_val, return_std=True)

    values, std = attribute(("lowest", 1, 0.95))
    assert np.argmin(values) == 5
    assert std.max() > attribute(None)[1].max()


@pytest.mark.parametrize(
    "tol, words",
    [
        (1e-9, "the largest standard error is 0.0"),
        (("sign", 0.95), r"after 12 draws the sign of \d+ of 30 values is not settled"),
        (("lowest", 3, 0.99), r"not settled of \d+ of 30 values .* the 3 lowest"),
    ],
)
def test_a_rule_that_is_not_met_is_said(tol, words):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    attributor = FreeShapAttributor(tol=tol, n_permutations=12, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"n_permutations=12; .*{words}"):
        attributor.fit(X, y).attribute(X[:5], y[:5])


@pytest.mark.parametrize(
    "tol",
    [
        ("sign",),
        ("sign", 1.0),
        ("sign", 0),
        ("signs", 0.9),
        ("lowest", 0.9),
        ("lowest", 0, 0.9),
        ("lowest", 2.0, 0.9),
        ("sign", "0.9"),
    ],
)
def test_bad_rules_are_named(tol):
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"^tol=.*no stopping rule"):
        FreeShapAttributor(tol=tol).fit(X, y)


def test_more_lowest_than_values():
    X, y = np.eye(4), [0, 1, 0, 1]
    attributor = FreeShapAttributor(tol=("lowest", 4, 0.9)).fit(X, y)
    with pytest.raises(ValueError, match="4 lowest of 4 values; ask for 3 at most"):
        attributor.attribute(X, y)
    attributor.set_params(tol=("lowest", 2, 0.9))
    with pytest.raises(ValueError, match="2 lowest of 2 values; ask for 1 at most"):
        attributor.attribute(X, y, groups=[0, 0, 1, 1])


def test_too_few_permutations_for_any_rule():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    attributor = FreeShapAttributor(tol=1.0, n_permutations=9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="not looked at before 10 permutations"):
        attributor.fit(X, y).attribute(X[:5], y[:5])


def test_a_schedule_leaves_as_many_draws_as_a_rule_needs():
    # Its draws cost so much more than at first that fewer than 10 would be left.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2200, 10)), np.arange(2200) % 2
    attributor = FreeShapAttributor(
        "linear", scoring="neg_log_loss", tol=0.01, n_permutations=20, random_state=0
    ).fit(X[:2000], y[:2000])
    _, std = attributor.attribute(X[2000:], y[2000:], return_std=True)  # no warning
    assert std.max() <= attributor.tol


@pytest.mark.parametrize("k", [1, 5])
def test_lowest_rows_of_each_row_predicted(k):
    """Rows kept apart may be fewer than the k lowest, and rank the players of each."""
    game = SmallGame(8, 3, 2, "neg_brier_score", seed=3)
    exact = game.enumerate()  # by player and row predicted
    sampler = Sweep(game.game(), game.problem(per_sample=True))
    rule = StoppingRule(("lowest", k, 0.95), sampler.problem.size)
    moments, t = RunningMoments(), 0
    while not rule.is_met(moments) and t < 4000:
        moments.update(sum(sampler.run(t, part) for part in range(len(sampler.parts))))
        t += 1
    assert t < 4000
    mean = moments.mean[0, 0].numpy()
    for found, truth in zip(mean.T, exact.T, strict=True):
        assert set(found.argsort()[:k]) == set(truth.argsort()[:k])


def test_lowest_rows_of_few_rows_explained():
    X, y = class_rows(9, 2)
    attributor = FreeShapAttributor(
        tol=("lowest", 5, 0.6), n_permutations=20, random_state=0
    )
    attributor.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert attributor.explain(X[:2], k=1).helpful.shape == (2, 1)
        values = attributor.attribute(X[:2], y[:2], per_sample=True)
    assert values.shape == (2, 9)
