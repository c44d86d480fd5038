"""Pairs of classes that keep a rate of wrong labels of their own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import average_precision_score

from skshap import LabelNoiseDetector
from skshap.selection import _noise_choice
from skshap.selection._noise_choice import margins, prune, worth
from skshap.selection._noise_model import NoiseModel
from tests.oracles import lost_without_a_rate


def fitted(pairs, seed=0, n=600, k=4, rate=0.03, sharp=3.0, n_clean=0):
    """A model of labels that went wrong at a rate, and more often in some pairs."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    given = true.copy()
    for (a, b), share in pairs.items():
        given[(true == a) & (rng.random(n) < share)] = b
    wrong = rng.random(n) < rate
    given[wrong] = (true + rng.integers(1, k, n))[wrong] % k
    is_clean = np.arange(n) < n_clean
    given[is_clean] = true[is_clean]
    model = NoiseModel(given, k, is_clean, noise="by pair")
    model.fit(sharp * np.eye(k)[true] + rng.normal(size=(n, k)))
    return model


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kept", [None, [(0, 1)], [(0, 1), (2, 3), (1, 0)]])
def test_margins(seed, kept):
    """Against likelihoods by loops, of all pairs or where others share a rate."""
    model = fitted({(0, 1): 0.2, (2, 3): 0.1}, seed=seed, n_clean=50)
    other = ~np.eye(4, dtype=bool)
    if kept is not None:
        own = np.zeros((4, 4), dtype=bool)
        own[tuple(np.transpose(kept))] = True
        model = model.restrict(own)
        rate = np.mean([model.transition[a, b] for a, b in np.argwhere(other & ~own)])
    margin, n_gone = margins(model)
    p, given, T = model.probabilities[50:], model.given[50:], model.transition
    posterior = p * T[:, given].T
    posterior /= posterior.sum(1, keepdims=True)
    expected = np.array([posterior[given == b].sum(0) for b in range(4)]).T
    assert_allclose(n_gone, expected)
    if kept is None:
        rate = n_gone[other].sum() / 550 / 3
    n_compared = 0
    for a, b in np.argwhere(other):
        if not model.own[a, b] or n_gone[a, b] < 1:
            assert margin[a, b] == -np.inf
            continue
        lost = lost_without_a_rate(p, given, T, a, b, min(rate, T[a, b]))
        least = 0.45 * np.log(3) * n_gone[a, b]
        price = np.log(12) - 0.5 + 0.1 * n_gone[a, b]
        assert_allclose(margin[a, b], lost - max(price, least), atol=1e-8)
        n_compared += 1
    assert n_compared > 1 or kept == [(0, 1)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pairs", [{(0, 1): 0.15}, {(0, 1): 0.15, (3, 2): 0.2}])
def test_pairs_that_went_wrong_more_often_are_left(seed, pairs):
    model = fitted(pairs, seed=seed)
    pruned = prune(model)
    left = {(int(a), int(b)) for a, b in np.argwhere(pruned.own)}
    assert pairs.keys() <= left and len(left - pairs.keys()) <= 2
    assert worth(pruned) > max(worth(model), worth(model.symmetric()))
    others = ~pruned.own & ~np.eye(4, dtype=bool)
    assert np.ptp(pruned.transition[others]) < 1e-12
    assert_allclose(pruned.transition.sum(1), 1)
    for a, b in pairs:
        assert abs(pruned.transition[a, b] - pairs[a, b]) < 0.07


@pytest.mark.parametrize("kept", [[(0, 1)], [(0, 1), (0, 2), (0, 3)], [(1, 0), (2, 0)]])
def test_rates_are_those_of_known_labels(kept):
    """Where all true labels are known, and pairs have rates of their own or another."""
    rng, n, k = np.random.default_rng(0), 200_000, 4
    true, given = rng.integers(0, k, n), np.empty(n, dtype=int)
    expected = np.full((k, k), 0.02)
    expected[tuple(np.transpose(kept))] = 0.1
    np.fill_diagonal(expected, 0)
    np.fill_diagonal(expected, 1 - expected.sum(1))
    for a in range(k):
        rows = true == a
        given[rows] = rng.choice(k, rows.sum(), p=expected[a])
    model = NoiseModel(given, k, np.zeros(n, dtype=bool), noise="by pair")
    model.own = (expected == 0.1) & ~np.eye(k, dtype=bool)
    model._untold = np.zeros(k, dtype=bool)
    model.posterior = np.eye(k)[true]
    found = model._count()
    # Drawn a little towards the same rate for all.
    assert_allclose(found[model.own], 0.1, atol=0.012)
    others = ~model.own & ~np.eye(k, dtype=bool)
    assert np.ptp(found[others]) < 1e-12
    assert_allclose(found[others], 0.02, atol=0.002)


def test_ties_end(monkeypatch):
    """Pairs that pay equally little are dropped one by one as well."""
    model = fitted({(0, 1): 0.15})
    monkeypatch.setattr(
        _noise_choice, "margins", lambda m: (-1.0 * m.own, 2.0 * np.ones((4, 4)))
    )
    monkeypatch.setattr(_noise_choice, "worth", lambda m: m.own.sum())
    assert prune(model).own.sum() == 12


@pytest.mark.parametrize("seed", range(4))
def test_no_pairs_are_worth_it_where_labels_went_wrong_alike(seed):
    model = fitted({}, seed=seed)
    pruned = prune(model)
    assert worth(model) < worth(pruned) <= worth(model.symmetric()) + 0.1


def swapped(true, share, n_others, seed, pair=(0, 1)):
    """Labels of two classes swapped at random, and some others anything else."""
    rng = np.random.default_rng(seed)
    n, k, given = len(true), true.max() + 1, true.copy()
    both = np.flatnonzero(np.isin(true, pair))
    rows = rng.choice(both, int(share * len(both)), replace=False)
    given[rows] = sum(pair) - true[rows]
    rows = rng.choice(np.setdiff1d(np.arange(n), rows), n_others, replace=False)
    given[rows] = (true[rows] + rng.integers(1, k, n_others)) % k
    return given, given != true


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("share, n_others", [(0.1, 30), (0.2, 50)])
def test_two_classes_that_annotators_confuse(seed, share, n_others):
    """A matrix would take them for classes that overlap."""
    X, true = make_blobs(
        [300, 250, 200, 150, 100], 6, cluster_std=2.2, random_state=seed
    )
    given, is_wrong = swapped(true, share, n_others, seed)
    detector = LabelNoiseDetector().fit(X, given)
    assert detector.noise_ == "class-conditional"
    quality, called = detector.label_quality_, detector.label_issues_
    assert average_precision_score(is_wrong, -quality) > 0.99
    assert abs(detector.noise_rate_ - is_wrong.mean()) < 0.015
    assert called[is_wrong].mean() > 0.95 and is_wrong[called].mean() > 0.95


def test_two_digits_that_annotators_confuse():
    X, true = load_digits(return_X_y=True)
    given, is_wrong = swapped(true, 0.2, 53, 0, pair=(4, 9))
    detector = LabelNoiseDetector().fit(X, given)
    assert average_precision_score(is_wrong, -detector.label_quality_) > 0.99
    assert abs(detector.noise_rate_ - is_wrong.mean()) < 0.01
    is_swapped = is_wrong & np.isin(true, (4, 9)) & np.isin(given, (4, 9))
    assert detector.label_issues_[is_swapped].mean() > 0.9
