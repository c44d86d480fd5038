"""Fits that are refused leave estimators as they were."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skshap import (
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
)
from skshap.exceptions import NotPositiveDefiniteError
from skshap.utils._unchanged import unchanged_on_error

X = np.random.default_rng(0).normal(size=(12, 2))
Y = np.arange(12) % 2


@pytest.mark.parametrize(
    "make",
    [
        KernelRidgeClassifier,
        FreeShapAttributor,
        FreeShapRegressor,
        lambda kernel: KernelRidgeClassifierCV([1e-30], kernel=kernel),
    ],
)
def test_a_refused_fit_leaves_the_last_one(make):
    is_search = not isinstance(make, type)
    estimator = make(kernel="rbf")
    estimator.set_params(**{"alphas": [1.0]} if is_search else {"alpha": 1.0})
    expected = estimator.fit(X, Y).predict(X)
    before = vars(estimator).copy()
    twice = np.repeat(X[::-1], 2, axis=0)  # of which no small alpha makes a factor
    changed = {"alphas": [1e-30]} if is_search else {"alpha": 0.0}
    with pytest.raises(NotPositiveDefiniteError):
        estimator.set_params(**changed).fit(twice, np.repeat(Y, 2))
    assert vars(estimator) == {**before, **changed}
    assert_array_equal(estimator.predict(X), expected)


def test_an_interrupt_is_passed_on():
    estimator = KernelRidgeClassifier().fit(X, Y)
    before = vars(estimator).copy()
    with pytest.raises(KeyboardInterrupt), unchanged_on_error(estimator):
        estimator.classes_ = None
        raise KeyboardInterrupt
    assert vars(estimator) == before
