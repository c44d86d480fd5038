"""Pipelines whose steps write into the rows that they are given."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skshap import (
    ColumnKernel,
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    PairwiseKernel,
)

RNG = np.random.default_rng(0)
X = 5 + 3 * RNG.normal(size=(40, 4))
Y = (X[:, 0] + X[:, 1] > 10).astype(int)


def piped(name, copy):
    return make_pipeline(StandardScaler(copy=copy), PairwiseKernel(name))


def add_one(rows):
    rows += 1
    return rows


@pytest.mark.parametrize("name", ["linear", "rbf"])
@pytest.mark.parametrize("n", [3, 30])
def test_ridges_are_those_of_steps_that_copy(name, n):
    rows, labels = X[:n], np.arange(n) % 2
    for ridge in (
        KernelRidgeClassifier(2.0),
        KernelRidgeClassifierCV(),
        FreeShapAttributor(
            alpha=2.0, sampler="permutation", n_permutations=3, random_state=0
        ),
    ):
        found = []
        for copy in (True, False):
            given, new = rows.copy(), X[30:].copy()
            model = clone(ridge).set_params(kernel=piped(name, copy))
            model.fit(given, labels)
            results = [model.loo_decision_function_, model.decision_function(new)]
            if hasattr(model, "attribute"):
                results.append(model.attribute(new, Y[30:]))
            found.append(results)
            assert_array_equal(given, rows)
            assert_array_equal(new, X[30:])
        for expected, result in zip(*found, strict=True):
            assert_array_equal(result, expected)


@pytest.mark.parametrize("name", ["linear", "rbf"])
@pytest.mark.parametrize("columns", [slice(0, 3), [0, 1, 2]], ids=str)
def test_kernels_on_columns_do_not_change_those_of_others(name, columns):
    found = []
    for copy in (True, False):
        kernel = ColumnKernel(
            [("some", piped(name, copy), columns), ("others", "linear", [2, 3])]
        )
        given = X[:30].copy()
        results = [kernel.fit_transform(given), kernel.fit(given).transform(X[30:])]
        results += [kernel.scales_, kernel.diag(X[30:])]
        if name == "linear":
            results.append(kernel.transform_features(X[30:]))
        kernel.estimate_cost(given)
        found.append(results)
        assert_array_equal(given, X[:30])
    for expected, result in zip(*found, strict=True):
        assert_allclose(result, expected, rtol=1e-12)


def add_one_to_columns(frame):
    for i, column in enumerate(frame.get_columns()):
        frame.replace_column(i, column + 1)
    return frame


@pytest.mark.parametrize(
    ("container", "function"),
    [(np.array, add_one), (pd.DataFrame, add_one), (pl.DataFrame, add_one_to_columns)],
)
def test_functions_that_change_rows(container, function):
    given = container(X)
    kernel = make_pipeline(FunctionTransformer(function), PairwiseKernel("linear"))
    clf = KernelRidgeClassifier(2.0, kernel=kernel).fit(given, Y)
    expected = KernelRidgeClassifier(2.0).fit(X + 1, Y).decision_function(X + 1)
    for _ in range(2):  # rows to predict are left as well
        assert_allclose(clf.decision_function(given), expected, atol=1e-10)
    assert_array_equal(given, X)
