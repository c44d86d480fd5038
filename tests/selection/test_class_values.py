"""Tests of what an estimator says of each class."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

from skshap.selection._class_values import class_values


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = np.repeat(list("abc"), 20)
    return rng.normal(size=(60, 3)) + 2 * np.eye(3)[np.repeat(range(3), 20)], y


def test_the_first_that_there_is(rows):
    X, y = rows
    classes = np.array(list("abc"))
    model = LogisticRegression().fit(X, y)
    assert_array_equal(class_values(model, X, classes), model.decision_function(X))
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    assert_array_equal(class_values(forest, X, classes), forest.predict_proba(X))
    # One value for each pair of classes: four classes have six.
    y4 = np.where(np.arange(60) % 4 == 0, "d", y)
    pairs = SVC(decision_function_shape="ovo").fit(X, y4)
    assert pairs.decision_function(X).shape == (60, 6)
    expected = pairs.predict(X)[:, None] == np.array(list("abcd"))
    assert_array_equal(class_values(pairs, X, np.array(list("abcd"))), expected)


def test_two_classes_have_a_margin(rows):
    X, y = rows
    y = np.where(y == "c", "b", y)
    model = RidgeClassifier().fit(csr_array(X), y)
    values = class_values(model, csr_array(X), np.array(["a", "b"]))
    assert_allclose(values[:, 1] - values[:, 0], model.decision_function(X))


def test_pairs_of_three_classes_are_no_values_of_classes(rows):
    X, y = rows
    classes = np.array(list("abc"))
    pairs = SVC(decision_function_shape="ovo").fit(X, y)
    assert pairs.decision_function(X).shape == (60, 3)
    expected = pairs.predict(X)[:, None] == classes
    assert_array_equal(class_values(pairs, X, classes), expected)
    every = SVC(decision_function_shape="ovr").fit(X, y)
    assert_array_equal(class_values(every, X, classes), every.decision_function(X))


@pytest.mark.parametrize("says", [None, ["a"] * 60, [[1, 2, "c"]] * 60])
def test_what_fails_or_is_no_number_gives_way(says, rows, monkeypatch):
    X, y = rows
    model = LogisticRegression().fit(X, y)
    predicted, proba = model.predict(X), model.predict_proba(X)
    monkeypatch.setattr(model, "predict", lambda X: predicted)

    def fail(X):
        if says is None:
            raise NotImplementedError
        return says

    monkeypatch.setattr(model, "predict_proba", lambda X: proba)
    monkeypatch.setattr(model, "decision_function", fail)
    assert_array_equal(class_values(model, X, model.classes_), proba)
    monkeypatch.setattr(model, "predict_proba", fail)
    expected = predicted[:, None] == model.classes_
    assert_array_equal(class_values(model, X, model.classes_), expected)


@pytest.mark.parametrize("change", [np.nan, np.inf])
def test_values_that_are_not_finite_give_way(change, rows, monkeypatch):
    X, y = rows
    model = LogisticRegression().fit(X, y)
    decision, proba = model.decision_function(X), model.predict_proba(X)
    decision[3, 1] = change
    monkeypatch.setattr(model, "decision_function", lambda X: decision)
    monkeypatch.setattr(model, "predict_proba", lambda X: proba)
    assert_array_equal(class_values(model, X, model.classes_), proba)
    proba[3, 1] = change
    monkeypatch.setattr(model, "predict", lambda X: y)
    expected = y[:, None] == model.classes_
    assert_array_equal(class_values(model, X, model.classes_), expected)


def test_classes_in_another_order_go_by_labels(rows):
    X, y = rows
    model = LogisticRegression().fit(X, y)
    model.classes_ = model.classes_[::-1]
    expected = model.predict(X)[:, None] == np.array(list("abc"))
    assert_array_equal(class_values(model, X, np.array(list("abc"))), expected)


@pytest.mark.parametrize(("n_other", "are_used"), [(0, True), (3, True), (15, False)])
def test_decision_values_may_be_wrong_on_few_rows_alone(
    n_other, are_used, rows, monkeypatch
):
    X, y = rows
    model = LogisticRegression().fit(X, y)
    decision, predicted = model.decision_function(X), model.predict(X)
    proba = model.predict_proba(X)
    # Of the 60 rows some have another largest value, as ties have that are broken.
    other = np.arange(n_other)
    decision[other, decision[other].argmin(1)] = decision.max() + 1
    monkeypatch.setattr(model, "decision_function", lambda X: decision)
    monkeypatch.setattr(model, "predict", lambda X: predicted)
    monkeypatch.setattr(model, "predict_proba", lambda X: proba)
    found = class_values(model, X, model.classes_)
    assert_array_equal(found, decision if are_used else proba)
