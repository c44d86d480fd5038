"""Tests of the model of how labels went wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from skshap.selection import _noise_model
from skshap.selection._link import tilted, unsure_share
from skshap.selection._noise_model import (
    BLIND_GROWTH,
    BLIND_SHARE,
    NoiseModel,
)
from skshap.selection._transitions import (
    end_of_path,
    shares_of_targets,
    uniform_noise,
)


def draw_labels(n, transition, seed, slope=6.0):
    """Decision values, true and given labels of a model that holds exactly."""
    rng = np.random.default_rng(seed)
    k = len(transition)
    decision = rng.normal(size=(n, k))
    true = pick(softmax(slope * decision, axis=1), rng)
    return decision, true, pick(transition[true], rng)


def pick(probabilities, rng):
    """Draw a class by each row of probabilities."""
    thresholds = rng.random((len(probabilities), 1))
    return (probabilities.cumsum(1) > thresholds).argmax(1)


def fitted(decision, labels, n_classes, is_clean=None):
    if is_clean is None:
        is_clean = np.zeros(len(labels), dtype=bool)
    model = NoiseModel(labels, n_classes, is_clean)
    model.fit(decision)
    return model


@pytest.mark.parametrize(
    "transition",
    [
        [[0.9, 0.1], [0.1, 0.9]],
        [[1.0, 0.0], [0.3, 0.7]],
        [[0.95, 0.05, 0.0], [0.0, 0.8, 0.2], [0.1, 0.0, 0.9]],
    ],
)
def test_transitions_are_found(transition):
    transition = np.array(transition)
    decision, true, labels = draw_labels(3000, transition, seed=0)
    model = fitted(decision, labels, len(transition))
    assert_allclose(model.transition, transition, atol=0.06)
    quality = model.posterior[np.arange(3000), labels]
    for low in (0.0, 0.25, 0.75):
        among = (quality >= low) & (quality < low + 0.25)
        assert among.sum() > 20
        # Some rows are taken to be hard: wrong labels are not overstated.
        assert (true == labels)[among].mean() < quality[among].mean() + 0.1
    assert quality.mean() == pytest.approx((true == labels).mean(), abs=0.03)


@pytest.mark.parametrize("noise", ["class-conditional", "symmetric"])
@pytest.mark.parametrize("seed", range(3))
def test_long_steps_lead_where_many_short_ones_do(noise, seed):
    decision, _, labels = draw_labels(400, uniform_noise(0.3, 3), seed, slope=4.0)
    by_long, by_short = (
        NoiseModel(labels, 3, np.zeros(400, dtype=bool), noise=noise) for _ in range(2)
    )
    z = decision / decision.std()
    by_long.fit(z)
    first = by_short.transition
    by_short._z, by_short._blind = z, 0.0
    moved, n_steps = 1.0, 0
    while moved > 1e-8 and n_steps < 2000:
        before, n_steps = by_short.transition, n_steps + 1
        moved = np.abs(by_short._step() - before).max()
    assert n_steps > 10
    way = np.abs(by_short.transition - first).max()
    assert_allclose(by_long.transition, by_short.transition, atol=0.01 * way)


@given(ratio=st.floats(0, 0.8), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_steps_of_one_ratio_are_followed_to_their_end(ratio, seed):
    rng = np.random.default_rng(seed)
    end, way = rng.dirichlet(np.ones(4), size=4), 0.3 * rng.normal(size=(4, 4))
    path = [end * np.exp(way * ratio**k) for k in range(3)]
    assert_allclose(end_of_path(*path), end, rtol=1e-6)
    path = [end * np.exp(way * 0.95**k) for k in range(3)]  # too far off to tell
    # As far as steps of which each is four fifths of the one before.
    far = end * np.exp(way * (0.95**2 - (0.95 - 0.95**2) * 0.8 / 0.2))
    far /= far.sum(1, keepdims=True)
    assert_allclose(end_of_path(*path), far, rtol=1e-6)
    assert_allclose(end_of_path(*path[:1] * 3), path[0] / path[0].sum(1)[:, None])


def test_one_rate_for_all_classes():
    """Where classes go wrong at several rates, it is their mean."""
    transition = np.array([[0.95, 0.05, 0.0], [0.1, 0.7, 0.2], [0.0, 0.0, 1.0]])
    decision, true, labels = draw_labels(3000, transition, seed=0)
    model = NoiseModel(labels, 3, np.zeros(3000, dtype=bool), noise="symmetric")
    posterior = model.fit(decision)
    others = model.transition[~np.eye(3, dtype=bool)]
    assert_allclose(others, others[0])
    assert 2 * others[0] == pytest.approx((true != labels).mean(), abs=0.03)
    joint = model.probabilities * model.transition[:, labels].T
    assert_allclose(posterior, joint / joint.sum(1, keepdims=True))


@given(n_classes=st.integers(2, 4), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_posterior_is_that_of_bayes(n_classes, seed):
    transition = uniform_noise(0.2, n_classes)
    decision, _, labels = draw_labels(60, transition, seed)
    model = fitted(decision, labels, n_classes)
    assert_allclose(model.transition.sum(1), 1)
    assert_allclose(model.probabilities.sum(1), 1)
    for i in range(60):
        joint = [
            model.probabilities[i, c] * model.transition[c, labels[i]]
            for c in range(n_classes)
        ]
        assert_allclose(model.posterior[i], np.array(joint) / sum(joint))


def test_scale_of_the_decision_values_does_not_matter():
    decision, _, labels = draw_labels(200, uniform_noise(0.2, 3), seed=1)
    one, other = fitted(decision, labels, 3), fitted(1e6 * decision, labels, 3)
    assert_allclose(one.posterior, other.posterior, rtol=1e-6)


def test_names_of_classes_do_not_matter():
    decision, _, labels = draw_labels(300, np.array([[0.9, 0.1], [0.3, 0.7]]), seed=2)
    one, other = fitted(decision, labels, 2), fitted(decision[:, ::-1], 1 - labels, 2)
    assert_allclose(one.posterior, other.posterior[:, ::-1], atol=1e-3)


def test_clean_rows_are_believed():
    decision, _, labels = draw_labels(400, uniform_noise(0.3, 2), seed=3)
    is_clean = np.arange(400) >= 200
    model = fitted(decision, labels, 2, is_clean)
    assert_array_equal(model.posterior[is_clean], np.eye(2)[labels[is_clean]])
    assert 0 < model.posterior[:200].min() < 0.5


def test_clean_rows_do_not_count_as_labels_that_went_right():
    transition = uniform_noise(0.3, 2)
    decision, true, labels = draw_labels(2000, transition, seed=4)
    is_clean = np.arange(2000) >= 1000
    model = fitted(decision, np.where(is_clean, true, labels), 2, is_clean)
    assert_allclose(model.transition, transition, atol=0.05)


def test_a_class_of_harder_rows_passes_less_for_a_noisier_one(monkeypatch):
    """Predictions of the second class say less than the same ones of the first."""

    def difference(seed):
        rng = np.random.default_rng(seed)
        decision = rng.normal(size=(3000, 1)) * [-1, 1]
        slope = np.where(decision[:, 1] > 0, 1.0, 3.0)[:, None]
        true = pick(softmax(slope * decision, axis=1), rng)
        labels = pick(uniform_noise(0.1, 2)[true], rng)
        rates = 1 - fitted(decision, labels, 2).transition.diagonal()
        return rates[1] - rates[0]

    found = [difference(seed) for seed in range(4)]
    monkeypatch.setitem(_noise_model.SLOPE_RIDGE, "class-conditional", 1e6)  # one slope
    by_one_slope = [difference(seed) for seed in range(4)]
    assert 0 < np.mean(found) < 0.9 * np.mean(by_one_slope)


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_has_a_rate_of_its_own(seed):
    rng = np.random.default_rng(seed)
    true = (rng.random(2000) < 0.05).astype(int)
    margin = 0.35 * rng.normal(size=2000) + np.where(true, 0.7, -1)
    is_wrong = rng.random(2000) < np.where(true, 0.3, 0.01)
    model = fitted(np.column_stack([-margin, margin]), true ^ is_wrong, 2)
    rates = [is_wrong[true == c].mean() for c in range(2)]
    assert_allclose(model.transition[[0, 1], [1, 0]], rates, rtol=0.25, atol=0.005)
    assert 1 - model.quality().mean() == pytest.approx(is_wrong.mean(), rel=0.15)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_fewer_labels_are_turned_into_a_class(share):
    """Of noise that is alike but for one class, to which fewer labels go or as many."""
    transition = np.full((5, 5), 0.05)
    transition[:, 4] *= share
    np.fill_diagonal(transition, 0)
    transition *= 0.2 / transition.sum(1, keepdims=True)
    np.fill_diagonal(transition, 0.8)
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 2000)
    decision = np.eye(5)[true] + 0.2 * rng.normal(size=(2000, 5))
    labels = pick(transition[true], rng)
    model = NoiseModel(labels, 5, np.zeros(2000, dtype=bool), noise="symmetric")
    model.fit(decision)
    assert_allclose(model.transition, transition, atol=0.025)
    others = model.transition[[0, 0, 0, 1], [1, 2, 3, 0]]
    assert_allclose(others, others[0], rtol=1e-6)  # of four classes as many each
    if share == 1:  # and of all five
        assert model.transition[0, 4] == pytest.approx(others[0], rel=1e-6)


def test_without_signal_the_prior_remains():
    model = fitted(np.zeros((50, 2)), np.arange(50) % 2, 2)
    assert_allclose(model.transition, uniform_noise(0.2, 2), atol=1e-6)
    assert_allclose(model.probabilities, 0.5, atol=1e-6)


def test_fewer_rows_are_untold_where_few_are_hard():
    """Of the rows that are hard, the part that no decision value tells."""
    parts = []
    for slope in (20.0, 6.0, 2.0):
        decision, _, labels = draw_labels(2000, np.eye(2) * 0.8 + 0.1, 0, slope=slope)
        model = fitted(decision, labels, 2)
        soft = model._link.probabilities(decision / decision.std())
        hard = 2 * (1 - soft.max(1)).mean()
        spread = np.ptp(model.probabilities) / np.ptp(soft)  # 1 minus their share
        parts.append((1 - spread) / hard)
    assert parts == sorted(parts)
    assert parts[0] < 0.11
    assert parts[2] == pytest.approx(0.25)


@pytest.mark.parametrize("noise", ["class-conditional", "symmetric"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_that_rows_do_not_tell_does_not_vanish(n_classes, noise):
    rng = np.random.default_rng(0)
    decision, last = rng.normal(size=(900, n_classes)), n_classes - 1
    decision[:, 0] += 5 * np.sign(decision[:, 0])
    decision[:, last] = -9  # the same of all rows, and of none the largest
    labels = decision[:, :last].argmax(1)
    labels[rng.random(900) < 0.05] = last
    model = NoiseModel(labels, n_classes, np.zeros(900, dtype=bool), noise=noise)
    model.fit(decision)
    rows = labels == last
    assert model.posterior[rows, last].mean() == pytest.approx(7 / 8)
    assert (model.transition[:last, last] == 0).all()
    assert_allclose(model.transition.sum(1), 1)
    assert_allclose(model.posterior.sum(1), 1)
    assert model.posterior[~rows, labels[~rows]].mean() > 0.9
    # Fitted anew to what tells the class, it is no exception any more.
    decision[:, last] = np.where(rows, 5.0, -5.0)
    model.fit(decision)
    assert (model.transition[:last, last] > 0).all()


def test_rows_known_to_be_clean_stay_so_in_a_class_that_rows_do_not_tell():
    rng = np.random.default_rng(0)
    decision = np.column_stack([np.ones(4000), -np.ones(4000)])
    decision += 0.1 * rng.normal(size=(4000, 2))
    labels = (rng.random(4000) < 0.05).astype(int)
    is_clean = np.zeros(4000, dtype=bool)
    is_clean[np.flatnonzero(labels)[0]] = True
    model = fitted(decision, labels, 2, is_clean)
    assert (model.posterior[is_clean, 1] == 1).all()
    rows = (labels == 1) & ~is_clean
    assert model.posterior[rows, 1].mean() == pytest.approx(7 / 8)


def test_several_classes_that_rows_do_not_tell():
    rng = np.random.default_rng(0)
    decision = np.array([[1.0, 0.9, -1.0, -2.0]]) + 0.02 * rng.normal(size=(900, 4))
    decision[:, 1] += 0.5 * np.sign(rng.normal(size=900))
    labels = decision.argmax(1)
    draws = rng.random(900)
    labels[draws < 0.13] = 2
    labels[draws < 0.03] = 3
    model = fitted(decision, labels, 4)
    for c in (2, 3):
        rows = labels == c
        assert model.posterior[rows, c].mean() == pytest.approx(7 / 8)
        assert (np.delete(model.transition[:, c], c) == 0).all()


def test_a_class_stays_untold_where_another_one_follows():
    rng = np.random.default_rng(10)  # one of few where they are found in two rounds
    spread, place = rng.normal(size=(600, 4)), rng.choice([0.05, 0.3, 1], 4)
    decision = spread * place + rng.choice([-2, -1, 0, 1], 4)
    labels = (3 * decision + rng.gumbel(size=(600, 4))).argmax(1)
    draws = rng.random(600)
    labels[draws < 0.15] = 2
    labels[draws < 0.05] = 3
    labels[:4] = range(4)
    model = fitted(decision, labels, 4)
    for c in (2, 3):
        assert model.posterior[labels == c, c].mean() == pytest.approx(7 / 8)
        assert (np.delete(model.transition[:, c], c) == 0).all()


def test_a_class_that_rows_tell_may_have_mostly_wrong_labels():
    rng = np.random.default_rng(0)
    true = (rng.random(2000) < 0.1).astype(int)
    decision = np.column_stack([-true, true]) + 0.3 * rng.normal(size=(2000, 2))
    labels = true.copy()
    labels[rng.choice(np.flatnonzero(true == 0), 400, replace=False)] = 1
    model = fitted(decision, labels, 2)
    assert model.transition[0, 1] == pytest.approx(400 / 1800, abs=0.05)
    rows = labels == 1
    quality = model.posterior[rows, 1]
    assert quality.mean() < 0.5
    assert roc_auc_score(true[rows], quality) > 0.95


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.integers(2, 4))
def test_tilting_keeps_odds(seed, believed, n_classes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), 20)
    c = seed % n_classes
    q = tilted(p, c, believed)
    assert_allclose(q.sum(1), 1)
    assert q[:, c].mean() == pytest.approx(believed)
    others = np.arange(n_classes) != c
    assert_allclose(q[:, others] * (1 - p[:, [c]]), p[:, others] * (1 - q[:, [c]]))
    odds = (q[:, c] / (1 - q[:, c])) / (p[:, c] / (1 - p[:, c]))
    assert_allclose(odds, odds[0], rtol=1e-6)


def test_one_rate_for_all_classes_from_the_same_decision_values():
    transition = np.array([[1.0, 0.0], [0.3, 0.7]])
    decision, _, labels = draw_labels(3000, transition, seed=1)
    model = fitted(decision, labels, 2)
    posterior = model.symmetric().posterior
    other = NoiseModel(labels, 2, np.zeros(3000, dtype=bool), noise="symmetric")
    assert_allclose(posterior, other.fit(decision), atol=1e-3)
    assert np.abs(posterior - model.posterior).max() > 0.1
    assert other.symmetric() is other


def test_rows_that_say_nothing_do_not_make_others_unsure():
    sure = np.array([[0.98, 0.01, 0.01]] * 60 + [[0.7, 0.2, 0.1]] * 10)
    alone = unsure_share(sure)
    assert_allclose(alone, (60 * 0.03 + 10 * 0.45) / 70)
    blank = np.full((50, 3), 1 / 3)
    assert_allclose(unsure_share(np.vstack([sure, blank])), (alone * 70 + 1) / 71)
    # Where as many are nearly as unsure, all of them count.
    nearly = np.array([[0.5, 0.3, 0.2]] * 50)
    found = unsure_share(np.vstack([sure, nearly, blank]))
    assert_allclose(found, (alone * 70 + 50 * 0.75 + 50) / 170)
    assert unsure_share(blank) == 1


def test_a_model_of_some_rows_judges_the_others():
    """Whose labels have given probabilities, and of a class that it does not know."""
    decision, _, labels = draw_labels(900, np.array([[0.9, 0.1], [0.2, 0.8]]), seed=0)
    labels = np.where(labels == 1, 2, 0)  # of three classes
    given = np.concatenate([labels, [0, 1, 2]])
    is_clean = np.arange(903) < 50
    model = NoiseModel(given, 3, is_clean)
    part = model.part(np.arange(900))
    assert part.n_classes == 2
    assert part.is_clean.sum() == 50
    part.fit(decision)
    probabilities = np.full((903, 3), [0.2, 0.5, 0.3])
    model.take_over(part, np.arange(900), probabilities)
    assert_allclose(model.posterior[:900][:, [0, 2]], part.posterior)
    assert_allclose(model.probabilities[:900][:, [0, 2]], part.probabilities)
    assert (model.posterior[:900, 1] == 0).all()
    assert_allclose(model.probabilities[900:], probabilities[900:])
    T = model.transition
    assert_allclose(T[np.ix_([0, 2], [0, 2])], part.transition)
    wrong = (part.transition[0, 1] + part.transition[1, 0]) / 2  # as of those known
    assert_allclose(T[1], [wrong / 2, 1 - wrong, wrong / 2])
    assert T[0, 1] == T[2, 1] == 0
    for row, label in enumerate([0, 1, 2], start=900):
        joint = [0.2, 0.5, 0.3] * T[:, label]
        assert_allclose(model.posterior[row], joint / joint.sum())
    symmetric = model.symmetric()
    assert_allclose(symmetric.posterior[:900][:, [0, 2]], part.symmetric().posterior)
    assert symmetric.transition[0, 2] == pytest.approx(symmetric.transition[2, 0])
    assert T[0, 2] != pytest.approx(T[2, 0], abs=0.03)


@pytest.mark.parametrize(
    ("blank", "near", "counted"),
    [(0.59, 0.61, 1), (0.59, 0.69, 1), (0.59, 0.71, 0), (0.61, 0.69, None)],
)
def test_a_step_is_a_fifth_of_the_way(blank, near, counted):
    top = np.array([blank] * 40 + [near] * 10 + [1.0] * 50)
    weight = 1 if counted is None else (10 if counted else 1) / 40
    weights = np.r_[np.full(40, weight), np.ones(60)]
    found = unsure_share(np.column_stack([top, 1 - top]))
    assert_allclose(found, np.average(2 * (1 - top), weights=weights))


def test_the_hard_share_is_that_of_the_softmax():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    f = y - 0.5 + 0.5 * rng.normal(size=500)
    model = NoiseModel(y, 2, np.zeros(500, dtype=bool))
    model.fit(np.column_stack([-f, f]))
    hard = model.hard_share
    blind = min(BLIND_SHARE, BLIND_GROWTH * hard) * hard
    soft = (model.probabilities - blind / 2) / (1 - blind)
    assert 0.1 < hard < 0.9
    assert_allclose(unsure_share(soft), hard)


def test_one_rate_for_all_classes_is_found_beside_a_class_that_is_not_told():
    transition = np.array([[0.9, 0.1], [0.1, 0.9]])
    decision, _, labels = draw_labels(1000, transition, seed=0)
    two = NoiseModel(labels, 2, np.zeros(1000, dtype=bool), noise="symmetric")
    two.fit(decision)
    decision = np.column_stack([decision, np.full(1000, decision.min())])
    labels[np.flatnonzero(labels == 0)[:20]] = 2
    model = NoiseModel(labels, 3, np.zeros(1000, dtype=bool), noise="symmetric")
    model.fit(decision)
    assert model._untold.tolist() == [False, False, True]
    T = model.transition
    assert_allclose(T.sum(1), 1)
    assert T[0, 2] == T[1, 2] == 0
    assert T[0, 1] == pytest.approx(two.transition[0, 1], rel=0.2)
    assert_allclose(T[2], [T[0, 1] / 2, T[0, 1] / 2, 1 - T[0, 1]])


def copied_labels(seed):
    """Decision values and labels of 300 rows, of which 100 follow once more."""
    decision, true, labels = draw_labels(
        300, np.array([[0.97, 0.03], [0.1, 0.9]]), seed, slope=2.0
    )
    copies = np.concatenate([np.arange(300), np.arange(100)])
    labels = np.append(labels, true[:100])
    return decision[copies], labels, copies


def test_copies_are_judged_together_also_as_if_rates_were_the_same():
    decision, labels, copies = copied_labels(seed=0)
    model = fitted(decision, labels, 2)
    differ = np.flatnonzero(labels[:100] != labels[300:])
    for judged in (model, model.symmetric()):
        quality = judged.quality()
        assert (quality[differ] + quality[300 + differ] > 1.1).any()
    model.judge_copies(copies)
    for judged in (model, model.symmetric()):
        quality = judged.quality()
        assert_allclose(quality[differ] + quality[300 + differ], 1)


def test_clean_copies_stay_clean_whatever_other_clean_ones_say():
    decision, labels, copies = copied_labels(seed=0)
    differ = np.flatnonzero(labels[:100] != labels[300:])
    is_clean = np.zeros(400, dtype=bool)
    is_clean[[differ[0], 300 + differ[0]]] = True
    model = fitted(decision, labels, 2, is_clean)
    model.judge_copies(copies)
    quality = model.quality()
    assert (quality[is_clean] == 1).all()
    assert_allclose(quality[differ[1:]] + quality[300 + differ[1:]], 1)


def test_copies_are_judged_apart_where_rows_do_not_tell_a_class():
    rng = np.random.default_rng(0)
    decision = rng.normal(size=(900, 3))
    decision[:, 2] = -9  # the same of all rows, and of none the largest
    decision[450:] = decision[:450]
    labels, copies = decision[:, :2].argmax(1), np.arange(900) % 450
    labels[copies < 45] = 2
    labels[450] = 0  # of all copies the only label that is another
    model = fitted(decision, labels, 3)
    before = model.posterior.copy()
    model.judge_copies(copies)
    assert_array_equal(model.posterior, before)


@pytest.mark.parametrize(
    ("n_wrong", "share"),
    [([9, 9, 9, 1], 1 / 9), ([30, 30, 30, 15], 1), ([2, 2, 2, 0], 1)],
)
def test_a_class_has_fewer_wrong_labels_if_these_are_not_few_by_chance(n_wrong, share):
    counts = np.tile(np.array(n_wrong) / 3, (4, 1))  # from each of the others alike
    np.fill_diagonal(counts, 0)
    np.fill_diagonal(counts, 100 - counts.sum(1))
    found = shares_of_targets(counts, np.full(4, True))
    np.testing.assert_allclose(found, [1, 1, 1, share], rtol=1e-9)
