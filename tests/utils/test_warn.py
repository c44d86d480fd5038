"""Warnings point to the line that called, through whatever lies between."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skshap import (
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    LabelNoiseDetector,
)
from skshap.utils._warn import warn_caller

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.array([0, 1] * 19 + [0, 2])  # the last is a class of its own
FIT = FreeShapAttributor("rbf").fit(X, np.arange(40) % 2)


def swapped():
    """Labels whose index counts up in another order than that of the rows."""
    return pd.DataFrame(X), pd.Series(np.arange(40) % 2, index=[1, 0, *range(2, 40)])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: LabelNoiseDetector().fit(X, Y), "single row"),
        (lambda: LabelNoiseDetector().fit_predict(X, Y), "single row"),
        (
            lambda: FreeShapRegressor("rbf").fit(X, [*X[1:, 0], 1e6]),
            "interquartile ranges",
        ),
        (lambda: FreeShapAttributor("rbf").fit(*swapped()), "in the order"),
        (lambda: DataRemoval(LogisticRegression()).fit(*swapped()), "in the order"),
        (
            lambda: make_pipeline("passthrough", FreeShapAttributor("rbf")).fit(
                *swapped()
            ),
            "in the order",
        ),
        (
            lambda: GridSearchCV(FreeShapAttributor("rbf"), {"alpha": [1.0]}, cv=2).fit(
                *swapped()
            ),
            "in the order",
        ),
    ],
)
def test_the_place_is_that_of_the_caller(call, match):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    # Not in what a search says of a fold that failed.
    found = [w for w in caught if match in str(w.message).split("\n")[0]]
    assert found
    assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: LabelNoiseDetector(contamination=0.1).fit(X, y),
        lambda X, y: DataRemoval(LogisticRegression()).fit(X, y),
        lambda X, y: DataSelector(n_samples_to_select=9).fit(X, y),
        lambda X, y: FreeShapRegressor("rbf").fit(X, y),
        lambda X, y: FIT.explain(X, y, k=1),
    ],
    ids=["detector", "removal", "selector", "regressor", "explain"],
)
def test_a_column_of_labels_is_warned_of_once(call):
    frame = pd.DataFrame({"label": np.arange(40) % 2})
    with pytest.warns(DataConversionWarning, match="column-vector y was") as caught:
        call(X, frame)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "estimator",
    [
        LabelNoiseDetector(contamination=0.1),
        *(
            DataRemoval(LogisticRegression(), FIT, n_samples_to_remove=n, cv=2)
            for n in (1, "auto", "harmful")
        ),
        *(DataSelector(FIT, strategy=s, cv=2) for s in ("greedy", "balanced", "top")),
    ],
    ids=["detector", "lowest", "auto", "harmful", "greedy", "balanced", "top"],
)
@pytest.mark.filterwarnings("ignore:n_samples_to_remove")
def test_a_column_of_labels_of_rows_held_out_is_warned_of_once(estimator):
    y = np.array(["ham", "spam"])[np.arange(40) % 2]
    with pytest.warns(DataConversionWarning) as caught:
        estimator.fit(X, y, X_val=X[:9] + 1, y_val=pd.DataFrame({"label": y[:9]}))
    (told,) = [w for w in caught if w.category is DataConversionWarning]
    assert str(told.message).startswith("A column-vector y_val was")
    assert "y_val.ravel()" in str(told.message)
    assert told.filename == __file__


def test_it_is_the_innermost_line_of_the_caller():
    def outer():
        warn_caller("so")  # the line that is named

    with pytest.warns(UserWarning, match="so") as caught:
        outer()
    assert caught[0].lineno == outer.__code__.co_firstlineno + 1


def test_a_category_is_kept():
    with pytest.warns(FutureWarning):
        warn_caller("so", FutureWarning)


def test_code_without_a_name_does_not_fail():
    exec("warn('so')", {"__name__": None, "warn": warn_caller})  # Python is silent then
