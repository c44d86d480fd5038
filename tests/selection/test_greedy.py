"""Greedy choice against naive refits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer

from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.selection._draft import open_classes
from skshap.selection._greedy import View, choose_greedily, make_ridges
from skshap.selection._growing_ridges import FeatureGrowingRidges
from tests.oracles import greedy_gains


def problem(seed, n=14, m=9, n_classes=3):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n + m, 6))
    K = F[:n] @ F[:n].T
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=n - n_classes))
    return K, F[n:] @ F[:n].T, y, rng.integers(n_classes, size=m), rng


def choose(K, *args, **options):
    return choose_greedily(TrainingKernel(K, is_explicit=False), *args, **options)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [0.1, 3.0])
def test_one_view_equals_naive_refits(n_classes, alpha):
    K, K_view, y, y_view, _ = problem(0, n_classes=n_classes)
    views = [View(np.ones(len(y), bool), K_view, y_view)]
    order, found = choose(K, y, views, alpha=alpha, n_to_choose=8)
    chosen = []
    for row in order[:8]:
        gains = greedy_gains(K, y, views, alpha, chosen)
        assert gains[row] == pytest.approx(found[row], abs=1e-12)
        counts = np.bincount(y[chosen], minlength=n_classes)
        is_open = open_classes(counts, np.bincount(y), 8 - len(chosen))[y]
        free = [i for i in np.flatnonzero(is_open) if i not in chosen]
        assert gains[row] == pytest.approx(max(gains[free]), abs=1e-12)
        chosen.append(row)
    gains = greedy_gains(K, y, views, alpha, chosen)
    rest = np.setdiff1d(np.arange(len(y)), chosen)
    assert_allclose(found[rest], gains[rest], atol=1e-12)
    assert_array_equal(order[8:], rest[np.argsort(-found[rest], kind="stable")])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_several_views_equal_naive_refits(n_classes):
    K, K_view, y, y_view, rng = problem(1, n_classes=n_classes)
    fold = rng.integers(3, size=len(y))
    views = [View(fold != f, K[fold == f], y[fold == f]) for f in range(3)]
    views.append(View(np.ones(len(y), bool), K_view, y_view))
    order, found = choose(K, y, views, alpha=0.5, n_to_choose=7)
    for k, row in enumerate(order[:7]):
        gains = greedy_gains(K, y, views, 0.5, order[:k])
        assert gains[row] == pytest.approx(found[row], abs=1e-12)


@pytest.mark.parametrize("n_features", [4, 12])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_features_equal_naive_refits(n_classes, n_features):
    """By ridges on them, or where they are many by their kernel."""
    rng = np.random.default_rng(5)
    F, F_view = rng.normal(size=(14, n_features)), rng.normal(size=(5, n_features))
    y, y_view = np.arange(14) % n_classes, np.arange(5) % n_classes
    fold = rng.integers(3, size=len(y))
    views = [View(fold != f, F[fold == f], y[fold == f]) for f in range(3)]
    views.append(View(np.ones(14, bool), F_view, y_view))
    kernel = TrainingKernel(F, is_explicit=True, lost=0.3)
    ridges = make_ridges(kernel, y, views, 0.5, 9, None)
    assert isinstance(ridges, FeatureGrowingRidges) == (n_features == 4)
    order, found = choose_greedily(kernel, y, views, alpha=0.5, n_to_choose=9)
    K, by_kernel = F @ F.T + 0.3 * np.eye(14), []
    for may_use, rows, y_rows in views:
        by_kernel.append((may_use, rows @ F.T, y_rows))
    for k, row in enumerate(order[:9]):
        gains = greedy_gains(K, y, by_kernel, 0.5, order[:k])
        assert gains[row] == pytest.approx(found[row], abs=1e-12)
    gains = greedy_gains(K, y, by_kernel, 0.5, order[:9])
    assert_allclose(found[order[9:]], gains[order[9:]], atol=1e-12)


def offset_features(seed):
    """Features far from zero, beside which what tells rows apart is small, but one."""
    rng = np.random.default_rng(seed)
    F = np.hstack([rng.normal(size=(120, 6)), np.full((120, 1), 300.0)])
    F[0, :6] *= 300
    return F[:100], F[100:], rng.integers(2, size=100), rng.integers(2, size=20), rng


@pytest.mark.parametrize("by_features", [True, False])
def test_long_runs_do_not_drift(by_features):
    F, F_view, y, y_view, rng = offset_features(2)
    order, everyone = 1 + rng.permutation(99)[:80], np.ones(100, bool)
    K, K_view = F @ F.T, F_view @ F.T
    kernel = TrainingKernel(F if by_features else K, by_features)
    view = View(everyone, F_view if by_features else K_view, y_view)
    ridges = make_ridges(kernel, y, [view], 10.0, 80, None)
    assert isinstance(ridges, FeatureGrowingRidges) == by_features
    summed, real = [], ridges._sum
    ridges._sum = lambda: summed.append(1) or real()
    for k, row in enumerate(order):
        gains = greedy_gains(K, y, [(everyone, K_view, y_view)], 10.0, order[:k])
        rest = np.setdiff1d(np.arange(100), order[:k])
        found = ridges.gains().numpy()[rest] / 20
        assert_allclose(found, gains[rest], rtol=1e-6, atol=1e-7 * abs(found.max()))
        ridges.choose(row)
    assert len(summed) <= 6


@pytest.mark.parametrize("by_features", [True, False])
def test_small_gains_are_exact_beside_rows_that_would_do_much_harm(by_features):
    """Of columns in their own units, few rows of which dwarf all others."""
    X, y = load_breast_cancer(return_X_y=True)
    fold = np.arange(len(y)) % 3
    K = X @ X.T
    kernel = TrainingKernel(X if by_features else K, by_features)
    views = [View(fold != f, kernel.values[fold == f], y[fold == f]) for f in range(3)]
    order, found = choose_greedily(kernel, y, views, alpha=1.0, n_to_choose=120)
    for k in range(8, 120, 8):
        some = order[: k + 1]
        own = [(fold[some] != f, K[fold == f][:, some], y[fold == f]) for f in range(3)]
        gains = greedy_gains(K[np.ix_(some, some)], y[some], own, 1.0, range(k))
        assert found[some[k]] == pytest.approx(gains[k], rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_classes_keep_their_shares_and_none_is_empty(sizes, share, seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n, n_classes = len(y), len(sizes)
    F = rng.normal(size=(n + 5, 3))
    view = View(np.ones(n, bool), F[n:] @ F[:n].T, rng.integers(n_classes, size=5))
    n_to_choose = round(n_classes + share * (n - n_classes))
    order, _ = choose(F[:n] @ F[:n].T, y, [view], alpha=1, n_to_choose=n_to_choose)
    assert_array_equal(np.sort(order), np.arange(n))
    counts = np.bincount(y[order[:n_to_choose]], minlength=n_classes)
    assert counts.min() >= 1
    if n_to_choose == n:
        assert_array_equal(counts, sizes)
    # Further from its share only where classes without a row went first.
    beyond = counts - np.array(sizes) * n_to_choose / n
    assert (beyond <= n_classes).all()


def test_a_row_never_evaluates_itself():
    # Rows 0 and 1 are known to nobody else: their labels cannot matter to the others.
    K, _, y, _, _ = problem(3, n_classes=2)
    K = K.copy()
    K[:2, 2:] = K[2:, :2] = K[0, 1] = K[1, 0] = 0
    fold = np.arange(len(y)) % 2
    views = [View(fold != f, K[fold == f], y[fold == f]) for f in range(2)]
    _, gains = choose(K, y, views, alpha=1, n_to_choose=6)
    assert_array_equal(gains[:2], 0)
    assert np.abs(gains[2:]).max() > 0.01


def test_a_twin_of_a_chosen_row_adds_next_to_nothing():
    K, K_view, y, y_view, _ = problem(4, n_classes=2)
    y[1] = y[0]
    K[1], K_view[:, 1] = K[0], K_view[:, 0]
    K[:, 1] = K[:, 0]
    view = View(np.ones(len(y), bool), K_view, y_view)
    kernel = TrainingKernel(K, is_explicit=False)
    ridges = make_ridges(kernel, y, [view], 1e-8, 1, None)
    assert abs(ridges.gains()[0]) > 0.01
    ridges.choose(0)
    assert abs(ridges.gains()[1]) < 1e-6
