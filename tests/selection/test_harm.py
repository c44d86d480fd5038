"""Which values are called negative, where the truth is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skshap import DataRemoval, FreeShapAttributor, flip_labels
from skshap.selection import _harm
from skshap.selection._harm import harmful_rows, probability_negative


def simulate(harmful_share, seed, n=2000):
    """Values with errors, of rows that help or harm in truth."""
    rng = np.random.default_rng(seed)
    is_harmful = rng.random(n) < harmful_share
    truth = np.where(is_harmful, rng.normal(-2, 1, n), rng.normal(2, 1, n))
    errors = rng.uniform(0.5, 2.0, n)
    return truth, rng.normal(truth, errors), errors


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_few_of_the_rows_removed_are_harmless(share):
    removed = harmless = harmful = 0
    for seed in range(5):
        truth, values, errors = simulate(share, seed)
        order, n_removed, _ = harmful_rows(
            values, errors, np.zeros(len(values)), np.zeros(len(values))
        )
        removed += n_removed
        harmless += (truth[order[:n_removed]] >= 0).sum()
        harmful += (truth < 0).sum()
    assert harmless <= 0.13 * removed + 1  # 10 % are expected; one, of few rows
    if share:  # and not for want of trying
        assert removed > 0.4 * harmful


def test_rows_that_differ_by_their_errors_alone():
    values = np.zeros(400)
    values[:] = np.random.default_rng(0).normal(0.1, 1, 400)
    errors = np.ones(400)  # all of the spread is error
    assert harmful_rows(values, errors, *np.zeros((2, 400)))[1] <= 1
    # A naive test of each row alone would remove some.
    assert (ndtr(values / errors) < 0.05).sum() > 10


def test_without_errors_signs_are_certain():
    values = np.array([0.5, -1e-3, 0.0, 1e-6, -3.0, 2.0, -1e-6])
    order, n_removed, probability = harmful_rows(values, *np.zeros((3, 7)))
    assert n_removed == 3
    assert_array_equal(order[:3], [4, 1, 6])  # the lowest first, of rows as certain
    assert_allclose(probability[[4, 1, 6, 0, 3, 5]], [1, 1, 1, 0, 0, 0], atol=0.01)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_values(value):
    order, n_removed, _ = harmful_rows(
        np.full(5, value), np.full(5, 0.1), *np.zeros((2, 5))
    )
    assert n_removed == 0
    assert_array_equal(np.sort(order), np.arange(5))


def test_suspicion_finds_more_and_stays_calibrated():
    removed, harmless = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for seed in range(5):
        truth, values, errors = simulate(0.1, seed)
        rng = np.random.default_rng(seed)
        # Calibrated: of rows with suspicion q, the share q is harmful.
        hint = np.where(truth < 0, 1.5, -1.5) + rng.normal(size=len(truth))
        share = (truth < 0).mean()
        suspicion = 1 / (1 + np.exp(-3 * hint) * (1 - share) / share)
        for i, q in enumerate((np.zeros(len(truth)), suspicion)):
            order, n_removed, _ = harmful_rows(values, errors, q, np.zeros(len(values)))
            removed[i] += n_removed
            harmless[i] += (truth[order[:n_removed]] >= 0).sum()
    assert (harmless <= 0.13 * removed).all()  # 10 % are expected
    assert removed[1] > 1.2 * removed[0]


def test_certain_rows_do_not_pay_for_harmless_ones():
    values = np.concatenate([np.full(50, -1.0), np.linspace(0.4, 1, 50)])
    errors = np.full(100, 0.05)
    order, n_removed, _ = harmful_rows(
        values, errors, np.zeros(100), np.zeros(len(values))
    )
    assert n_removed == 50
    assert order[:50].max() == 49


def test_rows_that_stay_do_not_pay_for_harmless_ones():
    # Half of the first class is the surest; of the second many are doubtful.
    values = np.concatenate([np.full(60, -1.0), np.linspace(-0.15, 0.8, 60)])
    errors, given = np.full(120, 0.1), np.repeat([0, 1], 60)
    order, n_removed, chance = harmful_rows(values, errors, np.zeros(120), given)
    removed = order[:n_removed]
    assert_array_equal(np.bincount(given[removed] == 0)[1], 30)
    assert n_removed > 32
    expected = 1 - chance[removed]
    assert 0.05 < expected.mean() <= 0.1


def test_more_iterations_would_hardly_remove_other_rows(monkeypatch):
    _, values, errors = simulate(0.2, 0)
    sets = []
    for times in (1, 10):
        monkeypatch.setattr(_harm, "N_ITERATIONS", times * _harm.N_ITERATIONS)
        order, n_removed, _ = harmful_rows(
            values, errors, np.zeros(len(values)), np.zeros(len(values))
        )
        sets.append(set(order[:n_removed].tolist()))
    assert len(sets[0] ^ sets[1]) <= 0.01 * len(sets[1])


def test_rows_that_few_others_are_evaluated_on_are_mostly_harmful():
    """On twelve, that is, many of which lack those that a row matters for."""
    n, m = 60, 12
    removed = harmless = n_flipped = 0
    for seed in range(100, 125):
        X, y = make_classification(
            *(n + m + 500, 6), n_informative=4, flip_y=0, random_state=seed
        )
        given, is_wrong = flip_labels(y[:n], rate=0.1, random_state=seed)
        attributor = FreeShapAttributor(
            "rbf", scoring="neg_brier_score", n_permutations=20, random_state=0
        )
        removal = DataRemoval(
            *(LogisticRegression(), attributor),
            n_samples_to_remove="harmful",
            cv=None,
            random_state=0,
        ).fit(X[:n], given, X_val=X[n : n + m], y_val=y[n : n + m])
        truth = removal.attributor_.attribute(X[n + m :], y[n + m :])
        removed += (~removal.support_).sum()
        harmless += (truth[~removal.support_] > 0).sum()
        n_flipped += is_wrong[~removal.support_].sum()
    assert n_flipped > 50 and harmless < 0.2 * removed  # .17; .40 by variances alone


def test_probabilities_are_calibrated():
    truth, values, errors = simulate(0.2, 0, n=5000)
    probability = probability_negative(values, errors, np.zeros(len(values)))
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2)
        assert (truth[inside] < 0).mean() == pytest.approx(
            probability[inside].mean(), abs=0.1
        )


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_units_do_not_matter(scale):
    _, values, errors = simulate(0.2, 1, n=300)
    expected = probability_negative(values, errors, np.zeros(len(values)))
    found = probability_negative(scale * values, scale * errors, np.zeros(300))
    assert_allclose(found, expected)


def test_equal_suspicion_of_all_rows_says_nothing():
    _, values, errors = simulate(0.2, 0, n=300)
    expected = probability_negative(values, errors, np.zeros(300))
    for suspicion in (0.3, 1.0):
        found = probability_negative(values, errors, np.full(300, suspicion))
        assert_allclose(found, expected, atol=1e-6)
