"""Values that are judged on the training rows, which are warned of."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skshap import (
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    LabelNoiseDetector,
    PairwiseKernel,
)
from skshap.attribution._own_rows import warn_of_own_rows
from tests.rows import class_rows

OWN = "X and y are those of fit"


@pytest.mark.parametrize("kind", ["table", "sparse", "frame", "texts", "kernel"])
def test_values_judged_on_the_training_rows_are_warned_of(kind):
    X, y = class_rows(12)
    of_texts = make_pipeline(CountVectorizer(), PairwiseKernel())
    kernel = {"texts": of_texts, "kernel": "precomputed"}.get(kind, "rbf")
    if kind == "sparse":
        X = sparse.csr_matrix(X)
    elif kind == "frame":
        X = pd.DataFrame(X, columns=list("abc"))
    elif kind == "texts":
        X = [f"row number {i}" for i in range(12)]
    elif kind == "kernel":
        X = X @ X.T
    attributor = FreeShapAttributor(kernel, n_permutations=2, random_state=0)
    attributor.fit(X, y)
    with pytest.warns(UserWarning, match=OWN) as caught:
        attributor.attribute(X, y)
    assert caught[0].filename == __file__
    noted = np.array(y)
    noted[:2] = 1 - noted[:2]
    with pytest.warns(UserWarning, match="X is that of fit, as are 83 % of y, so"):
        attributor.attribute(X, noted)
    attributor.explain(X, y)  # of which a row's own value is a part


def test_few_rows_are_not_warned_of():
    X, y = class_rows(12)
    attributor = FreeShapAttributor(n_permutations=2, random_state=0).fit(X, y)
    attributor.attribute(X[:5], y[:5])
    attributor.attribute(np.vstack([X[:5], X[5:] + 1]), y)  # no warning
    attributor.attribute(X, 1 - y)


def test_twins_of_training_rows_are_not_warned_of():
    """Of tables with few different rows, most held-out rows are training rows too."""
    rng = np.random.default_rng(0)
    X, X_val = rng.integers(2, size=(2, 40, 2)).astype(float)
    y, y_val = (table[:, 0].astype(int) for table in (X, X_val))
    attributor = FreeShapAttributor(n_permutations=2, random_state=0).fit(X, y)
    attributor.attribute(X_val, y_val)  # no warning


def test_regressors_warn_of_their_training_rows():
    X, _ = class_rows(12)
    regressor = FreeShapRegressor(n_permutations=2, random_state=0).fit(X, X[:, 0])
    with pytest.warns(UserWarning, match=OWN):
        regressor.attribute(X, X[:, 0])


def test_rows_that_a_kernel_cannot_tell_apart_are_not_warned_of():
    X, y = class_rows(12)
    X *= 1e-4  # of which rbf values are within 1e-6 of each other
    attributor = FreeShapAttributor(n_permutations=2, random_state=0).fit(X, y)
    attributor.attribute(X[[1, 0, *range(2, 12)]], y)  # no warning


@pytest.mark.parametrize(
    ("apart", "is_told"), [(0.0, False), (4.5e-5, False), (5.5e-5, True)]
)
def test_rows_apart_by_more_than_rounding_are_told(apart, is_told):
    """By a hundred thousandth of the largest, whatever columns are apart by."""
    X, y = np.tile([1.0, 5.0], (12, 1)), [0, 1] * 6
    X[3, 0] += apart
    attributor = FreeShapAttributor("linear", n_permutations=2).fit(X, y)
    with pytest.warns(UserWarning, match=OWN) if is_told else nullcontext():
        attributor.attribute(X, y)


def test_copies_that_are_split_are_not_warned_of():
    X, y = class_rows(12)
    folds = [(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))]
    removal = DataRemoval(
        LogisticRegression(), FreeShapAttributor(n_permutations=2), cv=folds
    )
    removal.fit(np.vstack([X, X]), np.concatenate([y, y]))  # no warning
    with pytest.warns(UserWarning, match="^X_val and y_val are those of fit"):
        removal.fit(X, y, X_val=X, y_val=y)


HELD_OUT = {
    "detector": LabelNoiseDetector(),
    "auto": DataRemoval(LogisticRegression(), n_samples_to_remove="auto"),
    "removal": DataRemoval(LogisticRegression()),
    "selector": DataSelector(n_samples_to_select=9, cv=None),
}


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_rows_that_are_the_training_rows_are_warned_of(name, kernel):
    X, _ = class_rows(40)
    y = (X[:, 0] > 0).astype(int)
    estimator = clone(HELD_OUT[name])
    estimator.set_params(attributor=FreeShapAttributor(kernel, n_permutations=2))
    names = "X_val and y_val"
    with pytest.warns(UserWarning, match=f"^{names} are those of fit") as caught:
        estimator.fit(X, y, X_val=X, y_val=y)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=f"^100 % of {names} are rows of fit, so"):
        estimator.fit(X, y, X_val=X[::-1], y_val=y[::-1])
    estimator.fit(X, y, X_val=X[::-1], y_val=1 - y[::-1])  # no warning


@pytest.mark.parametrize("kind", ["table", "sparse", "texts", "kernel"])
@pytest.mark.parametrize(
    ("n", "n_own", "n_val", "is_told"),
    [
        (60, 60, 60, True),
        (60, 26, 50, True),
        (60, 25, 50, False),  # no more than half
        (60, 40, 40, True),
        (60, 38, 39, False),  # few rows to predict
        (39, 39, 40, False),  # few to train on
        (39, 39, 39, True),  # no others
        (60, 10, 10, True),
        (60, 9, 9, False),  # very few to predict
        (9, 9, 10, False),  # very few to train on
    ],
)
def test_training_rows_in_another_order_are_told(kind, n, n_own, n_val, is_told):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n + n_val, 3))
    own = [*rng.permutation(n)[:n_own], *range(n, n + n_val - n_own)]
    y = rng.integers(2, size=n + n_val)
    X, X_val, kernel = rows[:n], rows[own], "rbf"
    if kind == "sparse":
        X, X_val = sparse.csr_matrix(X), sparse.csr_matrix(X_val)
    elif kind == "texts":
        kernel = make_pipeline(CountVectorizer(), PairwiseKernel())
        X, X_val = ([f"row number {100 + i}" for i in some] for some in (range(n), own))
    elif kind == "kernel":
        X, X_val, kernel = X @ X.T, X_val @ X.T, "precomputed"
    attributor = FreeShapAttributor(kernel, n_permutations=2, tol=None)
    attributor.fit(X, y[:n])
    share = f"{100 * n_own // n_val} % of X and y are rows of fit, so"
    with pytest.warns(UserWarning, match=share) if is_told else nullcontext():
        attributor.attribute(X_val, y[own])
    noted = 1 - y[own]
    attributor.attribute(X_val, noted)  # no warning: they do not vouch for their labels


def test_tables_with_few_different_rows_are_not_warned_of():
    """Whatever share of the rows to predict is found among the training rows."""
    rng = np.random.default_rng(0)
    for n_different in np.tile([2, 20, 40, 60, 80, 120, 200], 20):
        table = rng.normal(size=(n_different, 3))[rng.integers(n_different, size=120)]
        y = (table[:, 0] > 0).astype(int)
        for n_val in (10, 60):
            held_out = table[60:][:n_val], y[60:][:n_val]
            warn_of_own_rows(table[:60], *held_out, y[:60], ("X", "y"))  # no warning


def test_own_rows_are_told_where_some_training_rows_have_copies():
    rng = np.random.default_rng(0)
    table, y = rng.normal(size=(60, 3)), rng.integers(2, size=60)
    for n_copies, is_told in ((14, True), (15, False)):  # of 15, half have a twin
        table[:n_copies], y[:n_copies] = table[-n_copies:], y[-n_copies:]
        own = rng.permutation(60)
        with pytest.warns(UserWarning, match="100 % of") if is_told else nullcontext():
            warn_of_own_rows(table, table[own], y[own], y, ("X", "y"))
