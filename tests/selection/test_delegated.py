"""Predictions of the estimator trained on the rows kept."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version

from skshap import DataRemoval, FreeShapAttributor
from skshap.selection._delegated import Delegated

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
KEPT = np.arange(1, 50, 2)


def test_methods_are_those_of_the_estimator(quick):
    assert not hasattr(DataRemoval(LinearSVC(), quick), "predict_proba")
    assert hasattr(DataRemoval(LinearSVC(), quick), "decision_function")


class OddRows(Delegated, ClassifierMixin, BaseEstimator):
    """Keeps every other row, whatever it holds."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        self.sample_indices_ = KEPT
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self


@pytest.mark.parametrize("method", METHODS)
def test_rows_go_to_the_estimator_as_they_are(method, table):
    X, y, _ = table
    found = OddRows(LogisticRegression()).fit(X, y)
    expected = getattr(LogisticRegression().fit(X, y), method)(X[:7])
    assert_array_equal(getattr(found, method)(X[:7]), expected)


@pytest.mark.parametrize("method", ["predict", "decision_function"])
def test_of_kernel_values_those_with_the_rows_kept(method, table):
    X, y, _ = table
    K, kept = rbf_kernel(X, gamma=1.0), np.ix_(KEPT, KEPT)
    found = OddRows(SVC(kernel="precomputed"))
    found.sample_indices_, found.sample_values_ = KEPT, np.zeros(len(X))
    found.estimator_ = SVC(kernel="precomputed").fit(K[kept], y[KEPT])
    expected = getattr(SVC(gamma=1.0).fit(X[KEPT], y[KEPT]), method)(X[:7])
    values = getattr(found, method)(rbf_kernel(X[:7], X, gamma=1.0))
    assert_allclose(values, expected)
    assert found.score(K, y) == SVC(gamma=1.0).fit(X[KEPT], y[KEPT]).score(X, y)
    with pytest.raises(ValueError, match=rf"{len(X)} columns, .* got shape \(7, 3\)"):
        getattr(found, method)(np.ones((7, 3)))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_predicted_before_fit(method, table):
    with pytest.raises(NotFittedError):
        getattr(OddRows(LogisticRegression()), method)(table[0])


def test_once_fitted_methods_are_those_of_what_was_fitted(table):
    X, y, _ = table
    found = OddRows(LogisticRegression()).fit(X, y).set_params(estimator=LinearSVC())
    assert all(hasattr(found, method) for method in METHODS)
    assert not hasattr(found.fit(X, y), "predict_log_proba")


def test_the_score_is_the_own_one_of_the_estimator(table):
    X, y, _ = table
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="neg_log_loss")
    found = OddRows(search).fit(X, y)
    model = LogisticRegression().fit(X, y)
    assert_allclose(found.score(X, y), -log_loss(y, model.predict_proba(X)))
    weight = np.linspace(0, 5, len(y))
    for options in ({}, {"sample_weight": weight}):
        expected = accuracy_score(y, model.predict(X), **options)
        score = OddRows(LogisticRegression()).fit(X, y).score(X, y, **options)
        assert_allclose(score, expected)


def test_there_is_no_score_without_one_of_the_estimator(table):
    class Silent(LogisticRegression):
        score = property()

    assert not hasattr(OddRows(Silent()), "score")
    with pytest.raises(NotFittedError):
        OddRows(LogisticRegression()).score(*table[:2])


def test_weights_reach_a_score_that_requests_them(table, quick):
    X, y, _ = table
    weight = np.linspace(0, 5, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        with pytest.raises(
            UnsetMetadataPassedError, match=r"LogisticRegression\.score"
        ):
            OddRows(model).fit(X, y).score(X, y, sample_weight=weight)
        model.set_score_request(sample_weight=True)
        removal = DataRemoval(model, quick, n_samples_to_remove=2, random_state=0)
        pipeline = make_pipeline(MinMaxScaler(), removal)
        pipeline.fit(X, y, sample_weight=weight)
        labels = pipeline.predict(X)
        expected = accuracy_score(y, labels, sample_weight=weight)
        assert_allclose(pipeline.score(X, y, sample_weight=weight), expected)
        assert pipeline.score(X, y) == accuracy_score(y, labels) != expected
        if parse_version(sklearn.__version__) >= parse_version("1.7"):
            # Before, scorers asked pipelines for requests that these do not take.
            cross_val_score(pipeline, X, y, cv=2, params={"sample_weight": weight})


class Backwards(LogisticRegression):
    """Has its classes from the last to the first."""

    def fit(self, X, y):
        super().fit(X, y)
        self.classes_ = self.classes_[::-1]
        return self

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


def test_classes_are_in_the_order_of_columns_of_probabilities(table, quick):
    X, y, _ = table
    removal_by = partial(
        DataRemoval, attributor=quick, n_samples_to_remove=2, random_state=0
    )
    removal = removal_by(Backwards()).fit(X, y)
    assert removal.classes_.tolist() == np.unique(y)[::-1].tolist()
    other = removal_by(LogisticRegression()).fit(X, y)
    assert_allclose(removal.predict_proba(X), other.predict_proba(X)[:, ::-1])
    for scoring in ("neg_log_loss", "accuracy"):  # as of the estimator alone
        scorer = get_scorer(scoring)
        assert_allclose(scorer(removal, X, y), scorer(removal.estimator_, X, y))


@pytest.mark.parametrize("number", [3, "auto"])
def test_columns_named_by_numbers_are_in_one_order(number, table, quick):
    X, y, _ = table
    frame = pd.DataFrame(X, columns=range(10, 10 + X.shape[1]))
    options = {"n_samples_to_remove": number, "random_state": 0}
    removal = DataRemoval(LogisticRegression(), quick, **options).fit(frame, y)
    expected = removal.predict_proba(frame)
    for method in METHODS:
        with pytest.raises(ValueError, match="in the same order"):
            getattr(removal, method)(frame[frame.columns[::-1]])
    # Names that only number the columns say nothing.
    assert_allclose(removal.predict_proba(pd.DataFrame(X)), expected)
    assert_allclose(removal.fit(X, y).predict_proba(frame), expected)


def test_an_estimator_of_a_kernel_matrix_has_its_columns_split():
    assert get_tags(DataRemoval(SVC(kernel="precomputed"))).input_tags.pairwise
    assert not get_tags(DataRemoval(SVC())).input_tags.pairwise
    for_rows = DataRemoval(SVC(), FreeShapAttributor("precomputed"))
    assert get_tags(for_rows).input_tags.pairwise
