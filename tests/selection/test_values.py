"""Cross-fitted values against a loop over splits, and their standard errors."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold

from skshap import EmpiricalNTK, FreeShapAttributor
from skshap.selection._splits import make_splits
from skshap.selection._values import Sums, combine, evaluate_splits, values_on

CLASSES = np.array(["a", "b"])


def cross_fit(attributor, y, splits, *, with_error, n_jobs):
    parts = evaluate_splits(attributor, splits, with_error=with_error, n_jobs=n_jobs)
    return combine(len(y), parts, with_error=with_error)


def exact(**parameters):
    return FreeShapAttributor(
        sampler="exact", scoring="neg_brier_score", random_state=0, **parameters
    )


@pytest.fixture
def few(table):
    X, y, _ = table
    return X[10:34:2], y[10:34:2]


def moderated(variances, freedom):
    """Draw variances towards their mean, as if 20 degrees of freedom knew that."""
    pooled = [(freedom * v + 20 * variances.mean()) / (freedom + 20) for v in variances]
    return np.array(pooled)


@pytest.mark.parametrize(
    "attributor",
    [
        exact(),
        exact(kernel="linear"),  # explicit features
        exact(kernel=EmpiricalNTK(random_state=0, normalize="cosine")),
    ],
)
def test_values_are_means_over_the_splits_that_train_on_a_row(attributor, few):
    X, y = few
    folds = StratifiedKFold(3).split(X, y)
    splits = make_splits(StratifiedKFold(3), y, CLASSES, 0)
    fitted = clone(attributor).fit(X, y)
    found = cross_fit(fitted, y, splits, with_error=True, n_jobs=None)
    evaluated = [[] for _ in y]
    for train, test in folds:
        part = clone(attributor).fit(X[train], y[train])
        values = part.attribute(X[test], y[test], per_sample=True)
        for column, row in enumerate(train):
            evaluated[row] += values[:, column].tolist()
    evaluated = np.array(evaluated)  # of eight rows each
    assert_allclose(found.mean, evaluated.mean(1), rtol=1e-8)
    variances = moderated(evaluated.var(1, ddof=1), 7)
    assert_allclose(found.error, np.sqrt(variances / 8), rtol=1e-6)
    with parallel_config(backend="threading"):
        plain = cross_fit(fitted, y, splits, with_error=False, n_jobs=2)
    assert_allclose(plain.mean, found.mean, rtol=1e-10)
    assert plain.error is None


def test_folds_count_by_the_rows_that_they_evaluate_on(few):
    X, y = few
    rows = np.arange(12)
    splits = [(rows[2:], rows[:2]), (rows[:6], rows[6:])]
    fitted = exact().fit(X, y)
    parts = [exact().fit(X[train], y[train]) for train, _ in splits]
    evaluated = [
        part.attribute(X[test], y[test], per_sample=True)
        for part, (_, test) in zip(parts, splits, strict=True)
    ]
    # Rows 2 to 5, by both.
    evaluated = np.vstack([evaluated[0][:, :4], evaluated[1][:, 2:]])
    found = cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
    assert_allclose(found[2:6], evaluated.mean(0), rtol=1e-8)


def test_a_sketch_keeps_the_diagonal_that_it_lost(few):
    X, y = few
    kernel = EmpiricalNTK(method="sketch", n_components=4, random_state=0)
    sketched = exact(kernel=kernel).fit(X, y)
    assert sketched.kernel_.lost_diagonal_ > 0
    matrix = exact(kernel="precomputed").fit(sketched.gram_, y)
    splits = make_splits(3, y, CLASSES, 0)
    found, expected = (
        cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
        for fitted in (sketched, matrix)
    )
    assert_allclose(found, expected, rtol=1e-6)


def test_a_label_does_not_evaluate_its_own_row(few):
    X, y = few
    # The first row is like no other: whatever its label, the others do not notice.
    K = np.eye(12)
    K[1:, 1:] = X[1:] @ X[1:].T + np.eye(11)
    splits = make_splits(4, y, CLASSES, 0)
    fitted = exact(kernel="precomputed", null_score="chance").fit(K, y)
    values = cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert np.abs(values[1:]).min() > 1e-4


@pytest.mark.filterwarnings("ignore:X.* and y.* are those of fit")
def test_errors_hold_the_sampling_of_permutations(few):
    X, y = few
    attributor = FreeShapAttributor("rbf", n_permutations=3, random_state=0)
    fitted = attributor.fit(X, y)
    sampled = values_on(fitted, X, y, with_error=True)
    values, errors = fitted.attribute(X, y, per_sample=True, return_std=True)
    variances = moderated(values.var(0, ddof=1), len(y) - 1)
    spread = np.sqrt(variances / len(y))
    # Permutations are the same for every row evaluated on: errors go together at worst.
    expected = np.sqrt(spread**2 + errors.mean(0) ** 2)
    assert_allclose(sampled.error, expected, rtol=1e-8)


def test_a_row_that_counts_in_several_splits_is_one_row(few):
    X, y = few
    fitted = exact().fit(X, y)
    folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=0)
    splits = make_splits(folds, y, CLASSES, 0)
    found = cross_fit(fitted, y, splits, with_error=True, n_jobs=None)
    evaluated = np.full((len(splits), len(y), len(y)), np.nan)
    evaluated[0][np.diag_indices(len(y))] = 0.0  # a row never evaluates itself
    for k, (train, test) in enumerate(splits):
        part = exact().fit(X[train], y[train])
        values = part.attribute(X[test], y[test], per_sample=True)
        evaluated[k][np.ix_(test, train)] = values
    means = np.nanmean(evaluated, axis=0)  # of rows evaluated on (rows) and trained on
    off = ~np.eye(len(y), dtype=bool)
    by_row = means.T[off].reshape(len(y), -1)
    variances = moderated(by_row.var(1, ddof=1), by_row.shape[1] - 1)
    naive = np.sqrt(variances / by_row.shape[1])
    # A little more, as a row does not count the same in all of them.
    assert 1 < found.error.mean() / naive.mean() < 1.6
    once = cross_fit(fitted, y, splits[:3], with_error=True, n_jobs=None)
    assert_allclose(found.error.mean(), once.error.mean(), rtol=0.2)


def test_values_that_are_all_the_same_have_no_error():
    sums = Sums(np.array([0.1 * 3]), np.array([0.01 * 3]), np.zeros(1), 3, 3)
    assert sums.squares / 3 < (sums.total / 3) ** 2  # by rounding
    values = combine(1, [(np.arange(1), sums)], with_error=True)
    assert_array_equal(values.error, [0])


def test_each_split_has_its_own_checkpoint(few, tmp_path):
    X, y = few
    attributor = FreeShapAttributor(
        n_permutations=12, checkpoint=tmp_path / "state.npz", random_state=0
    )
    splits = make_splits(3, y, CLASSES, 0)
    fitted = attributor.fit(X, y)
    first = cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["state-0.npz", "state-1.npz", "state-2.npz"]
    again = cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
    assert_array_equal(first, again)
    folder = tmp_path / "values"
    folder.mkdir()
    fitted = attributor.set_params(checkpoint=folder).fit(X, y)
    in_folder = cross_fit(fitted, y, splits, with_error=False, n_jobs=None).mean
    assert_array_equal(first, in_folder)
    assert len(list(folder.iterdir())) == 3


class FixedAttributor(FreeShapAttributor):
    """A subclass with parameters of its own."""

    def __init__(self, n_permutations=2):
        super().__init__(n_permutations=n_permutations, random_state=0)


def test_a_subclass_with_other_parameters_is_cross_fitted(table):
    X, y, _ = table
    found, expected = (
        cross_fit(
            attributor.fit(X, y),
            y,
            make_splits(5, y, np.array([0, 1]), 0),
            with_error=False,
            n_jobs=None,
        ).mean
        for attributor in (
            FixedAttributor(),
            FreeShapAttributor(n_permutations=2, random_state=0),
        )
    )
    assert_allclose(found, expected)


def test_a_random_state_that_advances_is_the_same_for_every_order(table):
    X, y, _ = table
    attributor = FreeShapAttributor(
        n_permutations=2, random_state=np.random.RandomState(0)
    ).fit(X, y)
    splits = make_splits(5, y, np.array([0, 1]), 0)
    found, expected = (
        cross_fit(attributor, y, splits, with_error=False, n_jobs=None).mean
        for _ in range(2)
    )
    assert_allclose(found, expected)
