"""Which of the models of how labels went wrong is gone by."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.metrics import average_precision_score

from skshap import FreeShapAttributor, LabelNoiseDetector, flip_labels
from skshap.selection import _noise_choice
from skshap.selection._noise_choice import LEAST_GAIN, choose_model, noise_models
from skshap.selection._noise_model import NoiseModel

KINDS = ["class-conditional", "symmetric"]


def blobs(spread, n=600):
    X, y = make_blobs(n, n_features=3, centers=4, cluster_std=spread, random_state=3)
    return X / X.std(), y


def shifted(y, rate):
    """Labels of which a share went wrong to the next class."""
    is_wrong = np.random.default_rng(0).random(len(y)) < rate
    return np.where(is_wrong, (y + 1) % (y.max() + 1), y), is_wrong


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:none of")
def test_overlap_is_not_taken_for_labels_that_went_wrong():
    X, y = blobs(6.0)
    given, is_wrong = flip_labels(y, rate=0.1, random_state=0)
    found = {
        noise: LabelNoiseDetector(noise=noise).fit(X, given)
        for noise in (*KINDS, "auto")
    }
    by_class, symmetric, auto = found.values()
    assert auto.noise_ == "symmetric"
    assert_array_equal(auto.label_quality_, symmetric.label_quality_)
    precision, other = (
        average_precision_score(is_wrong, -d.label_quality_) for d in (auto, by_class)
    )
    assert precision > other + 0.1


@pytest.mark.parametrize("method", ["auto", "loo"])
def test_labels_that_went_to_one_class_are_told(method):
    X, y = blobs(2.0)
    given, is_wrong = shifted(y, 0.15)
    by_class, auto = (
        LabelNoiseDetector(method=method, noise=noise).fit(X, given)
        for noise in ("class-conditional", "auto")
    )
    assert auto.noise_ == "class-conditional"
    precision, other = (
        average_precision_score(is_wrong, -d.label_quality_) for d in (auto, by_class)
    )
    assert precision > max(other - 0.001, 0.9)
    # Rates of other pairs are alike, as far as they are expected to be above zero.
    T, next_one = auto.transition_matrix_, np.roll(np.eye(4), 1, 1) == 1
    assert T[next_one].min() > 0.05
    assert np.ptp(T[~next_one & ~np.eye(4, dtype=bool)]) < 0.005


def test_judged_by_a_mean_of_three_models(monkeypatch):
    """With all rates of pairs, with those that pay, and with one for all."""
    X, y = blobs(3.0, n=300)
    given, _ = shifted(y, 0.15)

    def found(full, alike, growth=1e9):
        monkeypatch.setattr(_noise_choice, "FULL_SHARE", full)
        monkeypatch.setattr(_noise_choice, "ALIKE_SHARE", alike)
        monkeypatch.setattr(_noise_choice, "ALIKE_GROWTH", growth)
        detector = LabelNoiseDetector().fit(X, given)
        p, T = detector.probabilities_, detector.transition_matrix_
        joint = p * T[:, given].T
        right = joint[np.arange(300), given] / joint.sum(1)
        assert_allclose(detector.label_quality_, right, rtol=1e-9)
        return p, T

    parts = [found(0, 0), found(1, 0), found(0, 1)]
    assert np.ptp(parts[2][1][~np.eye(4, dtype=bool)]) < 0.01
    for mean, own, full, alike in zip(found(0.5, 0.1), *parts, strict=True):
        assert_allclose(mean, 0.45 * own + 0.45 * full + 0.1 * alike, rtol=1e-9)
        for one, other in [(own, full), (own, alike), (full, alike)]:
            assert abs(one - other).max() > 0.01
    # Of the last none where no row is hard, and a share that grows with theirs.
    for mean, own, full in zip(found(0.5, 0.1, 0.0), *parts[:2], strict=True):
        assert_allclose(mean, 0.5 * own + 0.5 * full, rtol=1e-9)
    p, own, full, alike = found(0.5, 0.1, 0.1)[0], *(part[0] for part in parts)
    moved, most = p - (own + full) / 2, alike - (own + full) / 2
    share = (moved * most).sum() / (most**2).sum()
    assert 0.001 < share < 0.05
    assert_allclose(moved, share * most, atol=1e-12)


@pytest.mark.filterwarnings("ignore:labels look wrong")
def test_the_mean_finds_more_where_rates_are_too_small_to_pay(monkeypatch):
    sizes = (np.linspace(1, 5, 8) / 24 * 400).astype(int)
    shares = _noise_choice.FULL_SHARE, _noise_choice.ALIKE_SHARE
    precision = {(0.0, 0.0): [], shares: []}
    for seed in (2, 3):
        X, y = make_blobs(sizes, 6, cluster_std=3.0, random_state=seed)
        is_wrong = np.random.default_rng(seed).random(len(y)) < 0.15
        given = np.where(is_wrong, (y + 1) % 8, y)
        for (full, alike), found in precision.items():
            monkeypatch.setattr(_noise_choice, "FULL_SHARE", full)
            monkeypatch.setattr(_noise_choice, "ALIKE_SHARE", alike)
            quality = LabelNoiseDetector().fit(X / X.std(), given).label_quality_
            found.append(average_precision_score(is_wrong, -quality))
    without, mean = map(np.mean, precision.values())
    assert mean > without + 0.01


def test_few_labels_that_went_from_one_class_of_many_to_another():
    X, y = load_digits(return_X_y=True)
    given = y[:300].copy()
    given[np.flatnonzero(y[:300] == 0)[:9]] = 6
    found = LabelNoiseDetector().fit(X[:300], given)
    assert found.noise_ == "class-conditional"
    precision = average_precision_score(given != y[:300], -found.label_quality_)
    assert precision > 0.8
    one_rate = LabelNoiseDetector(noise="symmetric").fit(X[:300], given)
    other = average_precision_score(given != y[:300], -one_rate.label_quality_)
    assert precision > other + 0.2


@pytest.mark.filterwarnings("ignore:none of 1000 labels")
@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_overlap_of_many_classes_is_not_taken_for_labels_that_went_wrong(rate):
    centers = {"centers": 20, "cluster_std": 4.0, "random_state": 0}
    X, y = make_blobs(1000, n_features=8, **centers)
    X = X / X.std()
    given, is_wrong = flip_labels(y, rate=rate, random_state=0)
    auto = LabelNoiseDetector().fit(X, given)
    assert auto.noise_ == "symmetric"
    by_class = LabelNoiseDetector(noise="class-conditional").fit(X, given)
    precision, other = (
        average_precision_score(is_wrong, -d.label_quality_) for d in (auto, by_class)
    )
    assert precision > other + 0.02
    assert precision > 0.85


def kinds_of(models):
    return [(model.noise, model.scaling) for model in models]


def test_two_classes_have_two_rates():
    given, is_clean = np.arange(6) % 2, np.zeros(6, dtype=bool)
    two = [("class-conditional", "vector")]
    assert kinds_of(noise_models(given, 2, is_clean)) == two
    third = np.arange(6) % 3
    assert kinds_of(noise_models(third, 3, is_clean)) == [
        ("symmetric", "vector"),
        ("by pair", "vector"),
        ("symmetric", "matrix"),
        ("by pair", "matrix"),
    ]
    for kind in KINDS:
        models = noise_models(third, 3, is_clean, kind)
        assert kinds_of(models) == [(kind, "vector"), (kind, "matrix")]
        models = noise_models(given, 3, is_clean, kind)
        assert kinds_of(models) == [(kind, "vector")]
    third[2] = 0  # one of the third class is left
    assert kinds_of(noise_models(third, 3, is_clean)) == two


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_a_class_of_a_single_row_is_none_to_choose_by(seed):
    centers = np.array([[0, 0, 0], [6, 6, 6], [-6, 6, 0]])
    X, y = make_blobs([100, 100, 1], centers=centers, random_state=seed)
    is_wrong = (np.random.default_rng(seed).random(201) < 0.15) & (y < 2)
    with pytest.warns(UserWarning, match="a single row"):
        detector = LabelNoiseDetector().fit(X, np.where(is_wrong, 1 - y, y))
    assert detector.label_issues_[is_wrong].mean() > 0.9
    assert detector.noise_ == "class-conditional"


def test_the_likelihood_is_that_of_given_labels():
    rng = np.random.default_rng(0)
    given, is_clean = rng.integers(0, 3, 40), np.arange(40) < 7
    for model in noise_models(given, 3, is_clean):
        model.fit(rng.normal(size=(40, 3)) + np.eye(3)[given])
        expected = 0.0
        for row in range(7, 40):
            p = model.probabilities[row]
            expected += np.log(
                sum(p[c] * model.transition[c, given[row]] for c in range(3))
            )
        assert_allclose(model.log_likelihood(), expected)


@pytest.mark.parametrize("n_classes", [3, 5, 9])
@pytest.mark.parametrize("excess, kind", [(1e-6, 0), (-1e-6, 1)])
def test_rates_of_their_own_must_pay(n_classes, excess, kind, monkeypatch):
    given, is_clean = np.arange(90) % n_classes, np.arange(90) < 10
    models = noise_models(given, n_classes, is_clean)[1::-1]  # without a matrix
    posterior = np.random.default_rng(0).dirichlet(np.full(n_classes, 0.1), 90)
    posterior = (posterior + np.eye(n_classes)[given]) / 2
    for model in models:
        model.posterior = posterior
    n_wrong, n_rates = 0.0, 0
    for true in range(n_classes):
        for label in range(n_classes):
            gone = sum(posterior[i, true] for i in range(10, 90) if given[i] == label)
            if true != label:
                n_wrong += gone
                n_rates += gone >= 1
    assert 0 < n_rates < n_classes * (n_classes - 1) or n_classes == 3
    price = np.log(n_classes * (n_classes - 1)) - 0.5
    bar = (n_rates + 2) * price + LEAST_GAIN * n_wrong
    told = {"by pair": -70.0 + bar + excess, "symmetric": -70.0}
    monkeypatch.setattr(NoiseModel, "log_likelihood", lambda self: told[self.noise])
    monkeypatch.setattr(_noise_choice, "prune", lambda model: model)
    assert choose_model(models, len_of_labels) == (models[kind], 90)


@pytest.mark.filterwarnings("ignore:none of")
def test_rows_that_recur_are_judged_by_the_model_that_is_chosen():
    X, y = blobs(6.0)
    given, _ = flip_labels(y, rate=0.1, random_state=0)
    X = np.vstack([X, np.full((40, 3), 9.0)])
    given = np.append(given, np.arange(40) % 4)
    symmetric, auto = (
        LabelNoiseDetector(noise=noise).fit(X, given) for noise in ("symmetric", "auto")
    )
    assert auto.noise_ == "symmetric"
    assert_array_equal(auto.label_quality_, symmetric.label_quality_)
    assert np.isfinite(auto.label_quality_).all()


@pytest.mark.parametrize("n_classes", [3, 7])
@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("excess", [1e-6, -1e-6])
def test_a_matrix_must_pay_for_each_parameter(n_classes, noise, excess, monkeypatch):
    given, is_clean = np.arange(90) % n_classes, np.arange(90) < 10
    models = noise_models(given, n_classes, is_clean, noise)
    for model in models:
        model.posterior = np.eye(n_classes)[given]  # no label is wrong
    bar = 1.5 * n_classes * (n_classes - 1)
    told = {"vector": -70.0, "matrix": -70.0 + bar + excess}
    monkeypatch.setattr(NoiseModel, "log_likelihood", lambda self: told[self.scaling])
    place = int(excess > 0)
    assert choose_model(models, len_of_labels) == (models[place], 90)


def len_of_labels(model):
    """Stand for a fit."""
    return model, len(model.given)


def test_a_matrix_that_cannot_pay_is_not_fitted():
    """Where classes are many, no likelihood is as high as it would have to be."""
    rng = np.random.default_rng(0)
    given, tried = np.arange(120) % 12, []
    decision = 4 * np.eye(12)[given] + rng.normal(size=(120, 12))

    def fit(model):
        tried.append((model.noise, model.scaling))
        return model, model.fit(decision)

    models = noise_models(given, 12, np.zeros(120, dtype=bool))
    assert choose_model(models, fit)[0].scaling == "vector"
    assert {scaling for _, scaling in tried} == {"vector"}
    assert {noise for noise, _ in tried} == {"symmetric", "by pair"}


@pytest.mark.parametrize("noise", ["auto", *KINDS])
@pytest.mark.parametrize("method", ["auto", "loo"])
def test_a_class_between_others_is_told_by_their_values(method, noise, monkeypatch):
    """Of the linear decision values of iris, the middle class is often the largest."""
    X, y = load_iris(return_X_y=True)
    given, is_wrong = flip_labels(y, rate=0.1, random_state=0)
    attributor = FreeShapAttributor("linear")
    detector = LabelNoiseDetector(attributor, method=method, noise=noise)
    found = average_precision_score(is_wrong, -detector.fit(X, given).label_quality_)
    assert found > 0.95
    if method == "auto":
        called = detector.label_issues_
        assert called.sum() >= 8 and is_wrong[called].all()

    def without_a_matrix(*args):
        return [one for one in noise_models(*args) if one.scaling == "vector"]

    monkeypatch.setattr("skshap.selection._label_noise.noise_models", without_a_matrix)
    detector.set_params(contamination=0.1).fit(X, given)
    assert average_precision_score(is_wrong, -detector.label_quality_) < found - 0.1
