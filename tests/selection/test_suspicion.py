"""Tests of rows that are removed for their labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from skshap import DataRemoval, LabelNoiseDetector
from skshap.attribution._training_kernel import TrainingKernel
from skshap.selection._suspicion import label_suspicion


@pytest.fixture
def removal(quick):
    return DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="auto", random_state=0
    )


@pytest.fixture
def many():
    """Two classes that overlap little: X, right labels, a fifth of them flipped."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = (X[:, 0] > 0).astype(int)
    wrong = rng.permutation(200) < 40
    return X, y, wrong


def test_suspicion_is_that_of_the_detector(quick, many):
    X, y, wrong = many
    given = np.array(["a", "b"])[np.where(wrong, 1 - y, y)]
    detector = LabelNoiseDetector(quick).fit(X, given)
    kernel = TrainingKernel.of(detector.attributor_)
    assert_allclose(1 - label_suspicion(kernel, given), detector.label_quality_)


def test_wrong_labels_go_and_right_ones_stay(removal, many):
    X, y, wrong = many
    given = np.where(wrong, 1 - y, y)
    removal.fit(X, given)
    removed = ~removal.support_
    assert wrong[removed].mean() > 0.8
    assert removed[wrong].mean() > 0.8
    rng = np.random.default_rng(1)
    X_test = rng.normal(size=(500, 2))
    y_test = (X_test[:, 0] > 0).astype(int)
    plain = LogisticRegression().fit(X, given).score(X_test, y_test)
    assert removal.score(X_test, y_test) > plain
    assert removal.fit(X, y).support_.mean() > 0.97


def test_noise_of_one_class_that_cross_validation_cannot_see(removal, many):
    X, y, _ = many
    wrong = (y == 0) & (np.random.default_rng(1).random(200) < 0.4)
    removal.fit(X, np.where(wrong, 1, y))
    assert wrong[~removal.support_].mean() > 0.8
    assert (~removal.support_)[wrong].mean() > 0.7


def test_those_that_are_wrong_with_more_than_a_third(removal, many):
    X, y, wrong = many
    given = np.where(wrong, 1 - y, y)
    report = removal.fit(X, given).removal_report_
    suspicion = 1 - LabelNoiseDetector(removal.attributor).fit(X, given).label_quality_
    assert 0.2 < suspicion[suspicion > 1 / 3].min() < suspicion.max()
    expected = np.flatnonzero(suspicion > 1 / 3)
    assert_array_equal(np.flatnonzero(~removal.support_), expected)
    assert_array_equal(np.sort(report.sample_index), expected)
    assert list(report)[-2:] == ["probability_wrong", "reason"]
    assert (np.diff(report.probability_wrong) <= 0).all()
    assert_allclose(report.probability_wrong, suspicion[report.sample_index])
    assert report.reason[0].startswith(
        f"its label is wrong with probability {report.probability_wrong[0]:.3f}; "
        "neg_brier_score "
    )
    assert removal.ranking_[report.sample_index[0]] == len(y)


def test_half_of_each_class_stays(removal, many):
    """Of few rows of a class that all look wrong."""
    X, y, _ = many
    few = np.flatnonzero(y == 0)[:11]
    given = np.ones(200, dtype=int)
    given[few[:2]] = 0
    given[np.flatnonzero(y == 1)[:9]] = 0
    kept = (removal.fit(X, given).support_ & (given == 0)).sum()
    assert kept == 5


def test_validation_rows_give_values_alone(removal, many):
    X, y, wrong = many
    given = np.where(wrong, 1 - y, y)
    support = removal.fit(X, given).support_
    held_out = {"X_val": X[~wrong][:30], "y_val": y[~wrong][:30]}
    for cv in (5, None):
        removal.set_params(cv=cv).fit(X, given, **held_out)
        assert_array_equal(removal.support_, support)
        assert_allclose(
            removal.sample_values_, removal.attributor_.attribute(*held_out.values())
        )
        assert not hasattr(removal, "cv_results_")


def test_two_folds_are_enough(removal, many):
    X, y, wrong = many
    removal.set_params(cv=2).fit(X, np.where(wrong, 1 - y, y))
    assert wrong[~removal.support_].mean() > 0.8
