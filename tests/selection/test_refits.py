"""Refits of ridges that leave rows out: by features as by their kernel."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs

from skshap import FreeShapAttributor, LabelNoiseDetector
from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.selection import _refits
from skshap.selection._copies import diagonal_of_copies
from skshap.selection._noise_choice import noise_models
from skshap.selection._noise_model import NoiseModel
from skshap.selection._refits import (
    LEAST_GAIN,
    fit_and_refit,
    fit_by_attributor,
    fit_by_leaving_out,
    leave_out,
)

N, LOST = 40, 0.5
RNG = np.random.default_rng(0)
GIVEN = np.arange(N) % 3
F = RNG.normal(size=(N, 4)) + np.eye(3, 4)[GIVEN]


@pytest.fixture
def kernels():
    """Features that lack some of the diagonal, and the matrix with all of it."""
    K = F @ F.T + LOST * np.eye(N)
    explicit = TrainingKernel(F, is_explicit=True, lost=LOST)
    return explicit, TrainingKernel(K, is_explicit=False)


@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_a_noise_model_of_features_is_that_of_their_kernel(alpha, kernels):
    models, missed = [], []
    for kernel in kernels:
        models.append(NoiseModel(GIVEN, 3, np.arange(N) < 5))
        missed.append(fit_by_leaving_out(models[-1:], kernel, alpha)[1])
    assert_allclose(models[0].posterior, models[1].posterior, rtol=1e-6)
    assert_allclose(missed[0], missed[1])


def test_copies_among_features_are_left_out_together():
    alpha, rows = 0.3, F.copy()
    copies = np.arange(N)
    rows[1], copies[1] = rows[0], 0
    copies[2:] -= 1
    targets = np.eye(3)[np.where(np.arange(N) == 1, 2 - GIVEN[0], GIVEN)]
    kernel = TrainingKernel(rows, is_explicit=True, lost=LOST)
    factor = kernel.factorize(alpha)
    diagonal = diagonal_of_copies(factor.inverse_diagonal, copies, alpha + LOST)
    found = leave_out(factor, copies, diagonal, targets)
    prior = targets.mean(0)
    for i in range(N):
        rest = np.flatnonzero(copies != copies[i])
        A = rows[rest] @ rows[rest].T + (alpha + LOST) * np.eye(len(rest))
        weights = np.linalg.solve(A, targets[rest] - prior)
        assert_allclose(found[i], prior + rows[i] @ rows[rest].T @ weights, atol=1e-9)


def test_rows_that_recur_are_judged_by_how_often_the_others_have_each_label():
    n = 12
    given = np.append(GIVEN, [0] * 7 + [1] * 4 + [2])
    rows = np.vstack([F, np.ones((n, 4))])
    kernel = TrainingKernel(rows, is_explicit=True, lost=LOST)
    is_clean = np.arange(N + n) < 5
    model, alone = NoiseModel(given, 3, is_clean), NoiseModel(GIVEN, 3, is_clean[:N])
    # Alpha, tuned with these rows among the others, is tuned again.
    model, missed = fit_by_leaving_out([model], kernel, 123.0)
    assert missed == fit_by_leaving_out([alone], kernel.part(np.arange(N)))[1]
    assert_allclose(model.posterior[:N], alone.posterior)
    for row in range(N, N + n):
        counts = np.array([7, 4, 1]) - np.eye(3)[given[row]]
        shares = (counts + np.bincount(given) / (N + n)) / 12
        assert_allclose(model.probabilities[row], shares)
        joint = shares * alone.transition[:, given[row]]
        assert_allclose(model.posterior[row], joint / joint.sum())


class Watched(NoiseModel):
    """A noise model that keeps what it is fitted to."""

    def fit(self, decision):
        self.seen = [*getattr(self, "seen", []), decision]
        posterior = super().fit(decision)
        self.said = [*getattr(self, "said", []), (self.probabilities, posterior)]
        return posterior


def test_the_first_fit_leaves_copies_out_beside_what_features_lack(monkeypatch):
    monkeypatch.setattr(_refits, "choose_alpha", lambda *args, **options: 0.3)
    rows, given, copies = F.copy(), GIVEN.copy(), np.arange(N)
    rows[1], given[1], copies[1] = rows[0], given[0], 0
    model = Watched(given, 3, np.zeros(N, dtype=bool))
    fit_by_leaving_out([model], TrainingKernel(rows, is_explicit=True, lost=LOST), 0.3)
    targets = np.eye(3)[given]
    prior = targets.mean(0)
    for i in range(N):
        rest = np.flatnonzero(copies != copies[i])
        A = rows[rest] @ rows[rest].T + (0.3 + LOST) * np.eye(len(rest))
        weights = np.linalg.solve(A, targets[rest] - prior)
        expected = prior + rows[i] @ rows[rest].T @ weights
        assert_allclose(model.seen[0][i], expected, atol=1e-9)


def test_misses_are_those_of_the_first_ridge_and_of_the_last():
    is_clean = np.arange(N) < 15
    model = Watched(GIVEN, 3, is_clean)
    _, found = fit_by_leaving_out([model], TrainingKernel(F, is_explicit=True), 0.3)
    assert len(model.seen) == 3
    first, _, last = (d.argmax(1) != GIVEN for d in model.seen)
    probabilities, posterior = model.said[-1]
    sure = (probabilities.max(1) - 1 / 3) / (2 / 3)
    missed = (last * sure)[15:]
    right = missed * posterior[np.arange(N), GIVEN][15:]
    expected = first[15:].mean(), right.mean(), right.sum() / missed.sum()
    assert_allclose(found, expected)
    assert first[15:].mean() not in (last[15:].mean(), first.mean())
    assert (first[15:] != last[15:]).any()


def test_where_no_label_is_missed_all_shares_are_zero():
    rows = F + 50 * np.eye(3, 4)[GIVEN]
    model = NoiseModel(GIVEN, 3, np.zeros(N, dtype=bool))
    _, found = fit_by_leaving_out([model], TrainingKernel(rows, is_explicit=True), 0.3)
    assert found == (0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_misses_are_of_the_model_that_is_chosen(seed):
    """And not of the one that it was, with rates of all pairs."""
    X, true = make_blobs(600, 6, centers=5, cluster_std=4.0, random_state=seed)
    rng = np.random.default_rng(seed)
    given = np.where((true == 0) & (rng.random(600) < 0.3), 1, true)
    attributor = FreeShapAttributor("auto", alpha="auto").fit(X, given)
    models = noise_models(given, 5, np.zeros(600, dtype=bool))
    model, misses = fit_by_attributor(models, attributor)
    assert model.own.any() and model.own.sum() < 20
    sure = (model.probabilities.max(1) - 0.2) / 0.8
    missed = sure * (model.predict() != given)
    assert_allclose(misses.surely, (missed * model.quality()).mean())


def far_apart(seed, wrong_class):
    """Two groups of points, of one of which two labels in five are wrong."""
    rng = np.random.default_rng(seed)
    y = np.arange(500) % 2
    X = rng.normal(size=(500, 3))
    X[:, 0] += 16 * y
    is_wrong = (y == wrong_class) & (rng.random(500) < 0.4)
    return X, np.where(is_wrong, 1 - y, y), is_wrong


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("wrong_class", [0, 1])
def test_labels_of_one_class_that_went_wrong_do_not_pass_for_hard_rows(
    seed, wrong_class
):
    X, given, is_wrong = far_apart(seed, wrong_class)
    detector = LabelNoiseDetector().fit(X, given)
    assert_array_equal(detector.label_issues_, is_wrong)
    assert abs(detector.noise_rate_ * 500 - is_wrong.sum()) < 0.5


@pytest.mark.filterwarnings("ignore:a class of a single row")
def test_nor_where_a_single_row_is_of_a_third_class():
    X, given, is_wrong = far_apart(1, 0)
    X, given = np.vstack([X, [[8.0, 30.0, 0.0]]]), np.append(given, 2)
    detector = LabelNoiseDetector().fit(X, given)
    assert_array_equal(detector.label_issues_, np.append(is_wrong, False))


class Told:
    """Stands for a noise model that explains labels by so much, with so many hard."""

    n_classes, is_clean = 2, np.zeros(60, dtype=bool)
    given, posterior = np.arange(60) % 2, np.eye(2)[np.arange(60) % 2]

    def __init__(self, likelihood, hard_share, other=None):
        self.likelihood, self.hard_share, self.other = likelihood, hard_share, other

    def fit(self, decision):
        pass

    def predict(self):
        return np.zeros(60)

    def begun_by(self, decision):
        return self.other

    def log_likelihood(self):
        return self.likelihood


@pytest.mark.parametrize("gain", [-1.0, LEAST_GAIN - 0.1, LEAST_GAIN, 9.0])
@pytest.mark.parametrize("hard_share", [0.1, 0.3])
def test_a_second_beginning_is_taken_if_it_explains_labels_better(gain, hard_share):
    """By fewer hard rows: the other way round it would explain wrong labels away."""
    model = Told(-40.0, 0.2, Told(gain - 40.0, hard_share))
    found, missed = fit_and_refit(
        model, np.eye(2)[model.given], lambda targets: targets
    )
    is_other = gain >= LEAST_GAIN and hard_share < 0.2
    assert found is (model.other if is_other else model)
    assert_array_equal(missed, model.given == 1)


def test_the_second_beginning_is_sure_of_what_is_predicted():
    rng = np.random.default_rng(0)
    given = np.repeat([0, 1], 50)
    decision = np.eye(2)[given] + 0.1 * rng.normal(size=(100, 2))
    given[:20] = 1
    model = NoiseModel(given, 2, np.zeros(100, dtype=bool)).begun_by(decision)
    assert_allclose(model.transition[0], [0.6, 0.4], atol=0.05)
    assert_allclose(model.transition[1], [0.0, 1.0], atol=0.05)
    soft = model._link.probabilities(decision / decision.std())
    assert soft.max(1).min() > 0.99
