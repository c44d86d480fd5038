"""What estimators that keep some rows share: seeds, splits, and the rows kept."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from skshap import (
    DataRemoval,
    DataSelector,
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
)


def test_what_has_no_seed_is_given_one(table):
    X, y, _ = table
    selector = DataSelector(
        FreeShapAttributor(EmpiricalNTK(), n_permutations=2), n_samples_to_select=5
    )

    def seeds(seed, **params):
        selector.set_params(random_state=seed, **params)
        found = selector.fit(X, y, X_val=X[:9], y_val=y[:9]).attributor_
        return found.random_state, found.kernel.random_state

    first = seeds(0)
    assert None not in first
    assert seeds(0) == first
    assert seeds(1)[0] != first[0] and seeds(1)[1] != first[1]
    assert seeds(0, attributor__random_state=7) == (7, first[1])
    assert seeds(0, attributor__kernel__random_state=8) == (7, 8)
    assert seeds(1) == (7, 8)


def test_the_attributor_passed_stays_as_it_is(removal, table):
    X, y, _ = table
    removal.fit(X, y)
    assert removal.attributor.random_state is None
    assert not hasattr(removal.attributor, "classes_")


def test_default_attributor_goes_by_the_brier_score(table):
    X, y, _ = table
    removal = DataRemoval(LogisticRegression(), random_state=0).fit(X, y)
    assert removal.removal_report_.reason[0].startswith("neg_brier_score -")


@pytest.mark.parametrize("kind", [DataRemoval, DataSelector])
def test_of_large_folds_few_rows_are_evaluated_on(kind, table, monkeypatch):
    X, y, _ = table
    evaluated, attribute = [], FreeShapAttributor.attribute

    def counted(self, X, y, **options):
        evaluated.append(len(y))
        return attribute(self, X, y, **options)

    monkeypatch.setattr(FreeShapAttributor, "attribute", counted)
    monkeypatch.setattr(kind, "_most_evaluated", 6)
    attributor = FreeShapAttributor(n_permutations=1)
    if kind is DataRemoval:
        chooser = DataRemoval(LogisticRegression(), attributor, random_state=0)
    else:
        chooser = DataSelector(attributor, strategy="top", random_state=0)
    chooser.fit(X, y)
    assert len(evaluated) == 5  # folds of ten rows
    assert 4 <= min(evaluated) <= max(evaluated) <= 6


class Halves:
    """A splitter that keeps what it is given."""

    def split(self, X, y):
        self.seen = X, y
        half = len(X) // 2
        yield X[:half], X[half:]
        yield X[half:], X[:half]

    def get_n_splits(self):
        return 2


def test_a_splitter_sees_positions(removal, table):
    X, y, _ = table
    order = np.random.default_rng(0).permutation(50)  # both classes in either half
    frame = pd.DataFrame(X[order], index=order)
    cv = Halves()
    removal.set_params(cv=cv).fit(frame, np.array(["no", "yes"])[y[order]])
    assert_array_equal(cv.seen[0], np.arange(50))
    assert_array_equal(cv.seen[1], y[order])


@pytest.mark.parametrize(
    "make",
    [
        partial(DataSelector, n_samples_to_select=20, strategy="top"),
        partial(DataSelector, n_samples_to_select=20, strategy="balanced"),
        partial(DataRemoval, LogisticRegression(), n_samples_to_remove=1),
    ],
    ids=["top", "balanced", "removal"],
)
def test_nothing_is_split_if_validation_rows_are_given(make):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(21, 3)), np.r_[np.arange(20) % 2, 2]  # a class of one row
    X_val, y_val = rng.normal(size=(30, 3)), np.arange(30) % 3
    X_val[y_val == 2] = X[-1]  # a row that is needed
    found = make(random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    expected = make(cv=None, random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    assert_array_equal(found.sample_values_, expected.sample_values_)
    assert found.support_.sum() == 20
    with pytest.raises(ValueError, match="trains on no row of class 2"):
        make(random_state=0).fit(X, y)


def test_a_class_that_would_be_emptied_is_named(removal, table):
    X, y, _ = table
    names = np.array(["a", "b", "c"], dtype=object)[y]
    with pytest.raises(ValueError, match=r"none of class '[abc]' \(.* lowest value"):
        removal.set_params(n_samples_to_remove=48).fit(X, names)


class Interrupted(KernelRidgeClassifier):
    """A classifier whose training someone breaks off."""

    def fit(self, X, y):
        raise KeyboardInterrupt


def test_a_fit_that_is_broken_off_leaves_the_one_before(precomputed_removal, table):
    X, y, _ = table
    K = rbf_kernel(X)
    removal = precomputed_removal.fit(K, y)
    expected = removal.decision_function(K)
    removal.set_params(estimator=Interrupted(kernel="precomputed"))
    before = vars(removal).copy()
    with pytest.raises(KeyboardInterrupt):
        removal.fit(K, np.where(y[::-1], "a", "b"))
    assert_array_equal(removal.decision_function(K), expected)
    assert vars(removal) == before  # the very same objects


def test_a_selection_that_is_broken_off_leaves_the_one_before(table):
    X, y, _ = table
    selector = DataSelector(n_samples_to_select=10, random_state=0).fit(X, y)
    before = vars(selector.set_params(n_samples_to_select=1)).copy()
    with pytest.raises(ValueError, match="n_samples_to_select=1 selects"):
        selector.fit(X[:, :3], np.where(y, "a", "b"))
    assert vars(selector) == before


def test_a_first_fit_that_fails_leaves_nothing(table):
    X, y, _ = table
    selector = DataSelector(n_samples_to_select=1, random_state=0)
    before = vars(selector).copy()
    with pytest.raises(ValueError, match="n_samples_to_select=1 selects"):
        selector.fit(X, y)
    assert vars(selector) == before


@pytest.mark.parametrize(
    ("n", "few", "many"),
    [
        (0, 10, 10),
        (100, 10, 10),
        (700, 7, 10),
        (900, 5, 10),
        (1100, 4, 9),
        (1400, 3, 7),
        (4999, 1, 2),
        (10**6, 1, 2),
    ],
)
def test_number_of_permutations(n, few, many):
    removal = DataRemoval(LogisticRegression())
    for with_error, expected in ((False, few), (True, many)):
        assert removal._n_permutations(n, with_error) == expected
