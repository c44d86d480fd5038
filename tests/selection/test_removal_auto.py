"""Tests of rows that are removed for their labels."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_wine, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skshap import (
    DataRemoval,
    EmpiricalNTK,
    FreeShapAttributor,
    LabelNoiseDetector,
    flip_labels,
)
from skshap.selection._refits import Misses


@pytest.fixture
def removal(quick):
    return DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="auto", random_state=0
    )


def right(X):
    """Labels of `many` before some went wrong."""
    return (X[:, 0] > 0).astype(int)


def test_wrong_labels_go_and_right_ones_stay(removal, many):
    X, given, wrong = many
    removal.fit(X, given)
    removed = ~removal.support_
    assert wrong[removed].mean() > 0.8
    assert removed[wrong].mean() > 0.8
    rng = np.random.default_rng(1)
    X_test = rng.normal(size=(500, 2))
    y_test = right(X_test)
    plain = LogisticRegression().fit(X, given).score(X_test, y_test)
    assert removal.score(X_test, y_test) > plain
    assert removal.fit(X, right(X)).support_.mean() > 0.97


def test_noise_of_one_class_that_cross_validation_cannot_see(removal, many):
    X = many[0]
    y = right(X)
    wrong = (y == 0) & (np.random.default_rng(1).random(200) < 0.4)
    removal.fit(X, np.where(wrong, 1, y))
    assert wrong[~removal.support_].mean() > 0.8
    assert (~removal.support_)[wrong].mean() > 0.7


def test_those_that_are_right_with_less_than_two_thirds(removal, many):
    X, given, _ = many
    given = np.array(["a", "b"])[given]
    report = removal.fit(X, given).removal_report_
    quality = LabelNoiseDetector(removal.attributor).fit(X, given).label_quality_
    assert_array_equal(removal.sample_values_, quality)
    expected = np.flatnonzero(quality < 2 / 3)
    assert quality[expected].max() > 0.6
    assert_array_equal(np.flatnonzero(~removal.support_), expected)
    assert_array_equal(np.sort(report.sample_index), expected)
    assert list(report) == ["sample_index", "label", "label_quality", "reason"]
    assert (np.diff(report.label_quality) >= 0).all()
    assert_array_equal(report.label_quality, quality[report.sample_index])
    assert (
        report.reason[0] == f"its label is right with probability {quality.min():.3f}"
    )
    assert removal.ranking_[report.sample_index[0]] == len(given)
    assert_array_equal(removal.classes_, ["a", "b"])
    assert removal.n_features_in_ == 2
    assert not hasattr(removal, "cv_results_")


def test_nothing_is_valued(removal, many, monkeypatch):
    X = many[0]
    y = right(X)
    monkeypatch.setattr(FreeShapAttributor, "attribute", None)
    assert removal.set_params(cv=None).fit(X, y).support_.mean() > 0.97


def test_a_removal_of_rows_that_may_be_hard_is_warned_of(removal):
    """Of which the detector calls none."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 600)
    X = (rng.gamma(2, 30, 600) + 60 * y)[:, None]
    removal.set_params(attributor=None)
    with pytest.warns(UserWarning, match="labels look wrong"):
        LabelNoiseDetector().fit(X, y)
    with pytest.warns(UserWarning, match="cannot be told from rows that are") as told:
        n_removed = int((~removal.fit(X, y).support_).sum())
    assert len(told) == 1
    assert told[0].filename == __file__
    assert n_removed > 0
    message = str(told[0].message)
    assert f'"auto": of 600 rows {n_removed} are removed, but 20% of labels' in message
    assert "compare with 0 by cross-validation" in message


def test_a_removal_of_none_although_labels_are_missed_is_warned_of(removal):
    X, y = make_moons(400, noise=0.35, random_state=0)
    with pytest.warns(UserWarning, match="of 400 rows none is removed, but 12% of"):
        assert removal.set_params(attributor=None).fit(X, y).support_.all()


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("rate", [0, 0.2])
def test_removals_of_rows_that_are_told_are_not_warned_of(load, rate, removal):
    X, y = load(return_X_y=True)
    y = flip_labels(y, rate=rate, random_state=0)[0] if rate else y
    removal.set_params(attributor=None, estimator=GaussianNB())
    assert removal.fit(X, y).support_.mean() > 0.7  # no warning


def test_a_class_that_looks_mostly_wrong_stays(removal, many):
    """Forty rows are called zero, ten of them far from all others."""
    X, given = many[0].copy(), np.ones(200, dtype=int)
    X[:10] -= 20
    given[:40] = 0
    removal.fit(X, given)
    quality = removal.sample_values_
    assert quality[given == 0].mean() < 0.5
    assert removal.support_[given == 0].all()


def test_rows_of_a_small_class_stay(removal, many):
    X = many[0]
    given = right(X)
    for n_few, stay in ((9, True), (40, False)):
        y = given.copy()
        y[np.flatnonzero(given == 1)[:n_few]] = 2  # of which a few look wrong
        X_moved = X + 3.0 * (y == 2)[:, None]
        wrong = np.flatnonzero(y == 2)[:3]
        X_moved[wrong] = X[wrong]
        removal.fit(X_moved, y)
        assert (removal.sample_values_[wrong] < 2 / 3).all()
        assert removal.support_[wrong].all() == stay


def test_half_of_each_class_stays(removal, many, monkeypatch):
    X = many[0]
    y = right(X)
    monkeypatch.setattr(LabelNoiseDetector, "_fit_noise", doubt)
    removal.fit(X, y)
    for label in (0, 1):
        assert removal.support_[y == label].sum() == (y == label).sum() // 2


def doubt(detector, models):
    """Doubt all labels alike."""
    model = models[0]
    model.hard_share = 1.0
    model.probabilities = model.posterior = np.full((len(model.given), 2), 0.5)
    return model, Misses(0.0, 0.0, 0.0)


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_validation_rows_are_rows_of_right_labels(removal, many):
    X, given, wrong = many
    held_out = {"X_val": X[~wrong][:30], "y_val": given[~wrong][:30]}
    detector = LabelNoiseDetector(removal.attributor).fit(X, given, **held_out)
    removal.fit(X, given, **held_out)
    assert_array_equal(removal.sample_values_, detector.label_quality_)
    with pytest.raises(ValueError, match="y_val is given without X_val"):
        removal.fit(X, given, y_val=given)


def test_rows_pass_through_as_they_are(many):
    """Frames and strings reach the estimator untouched, and a kernel has a seed."""
    X = many[0]
    y = right(X)
    frame = pd.DataFrame(X, columns=["a", "b"], index=range(7, 207))
    seen = []

    class Watched(LogisticRegression):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    removal = DataRemoval(Watched(), n_samples_to_remove="auto", random_state=0)
    removal.fit(frame, pd.Series(y, index=frame.index))
    pd.testing.assert_frame_equal(seen[0], frame[removal.support_])
    assert removal.feature_names_in_.tolist() == ["a", "b"]
    network = torch.nn.Linear(2, 2)
    ntk = FreeShapAttributor(EmpiricalNTK(network))
    removal.set_params(attributor=ntk).fit(X, y)
    assert isinstance(removal.attributor_.kernel.random_state, int)
