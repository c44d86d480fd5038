"""Greedy choice against naive refits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.selection._draft import open_classes
from skshap.selection._greedy import GrowingRidge, View, choose_greedily
from tests.oracles import greedy_gains


def problem(seed, n=14, m=9, n_classes=3):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n + m, 6))
    K = F[:n] @ F[:n].T
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=n - n_classes))
    return K, F[:n] @ F[n:].T, y, rng.integers(n_classes, size=m), rng


def choose(K, *args, **options):
    return choose_greedily(TrainingKernel(K, is_explicit=False), *args, **options)


def growing(K, cross, y, y_view, alpha, n_steps):
    """A ridge of two classes on rows of which none is chosen yet."""
    K, cross = map(torch.tensor, (K, cross))
    targets, wanted = (torch.tensor(part[:, None] - 0.5) for part in (y, y_view))
    row = K.__getitem__
    return GrowingRidge(
        row, K.diagonal(), cross.clone(), targets, wanted, alpha, n_steps
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [0.1, 3.0])
def test_one_view_equals_naive_refits(n_classes, alpha):
    K, cross, y, y_view, _ = problem(0, n_classes=n_classes)
    view = View(np.ones(len(y), bool), cross, y_view)
    order, found = choose(K, y, [view], alpha=alpha, n_to_choose=8)
    chosen = []
    for row in order[:8]:
        gains = greedy_gains(K, y, [tuple(view)], alpha, chosen)
        assert gains[row] == pytest.approx(found[row], abs=1e-12)
        counts = np.bincount(y[chosen], minlength=n_classes)
        is_open = open_classes(counts, np.bincount(y), 8 - len(chosen))[y]
        free = [i for i in np.flatnonzero(is_open) if i not in chosen]
        assert gains[row] == pytest.approx(max(gains[free]), abs=1e-12)
        chosen.append(row)
    gains = greedy_gains(K, y, [tuple(view)], alpha, chosen)
    rest = np.setdiff1d(np.arange(len(y)), chosen)
    assert_allclose(found[rest], gains[rest], atol=1e-12)
    assert_array_equal(order[8:], rest[np.argsort(-found[rest], kind="stable")])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_several_views_equal_naive_refits(n_classes):
    K, cross, y, y_view, rng = problem(1, n_classes=n_classes)
    fold = rng.integers(3, size=len(y))
    views = [View(fold != f, K[:, fold == f], y[fold == f]) for f in range(3)]
    views.append(View(np.ones(len(y), bool), cross, y_view))
    order, found = choose(K, y, views, alpha=0.5, n_to_choose=7)
    for k, row in enumerate(order[:7]):
        gains = greedy_gains(K, y, views, 0.5, order[:k])
        assert gains[row] == pytest.approx(found[row], abs=1e-12)


def test_features_choose_as_their_kernel_does():
    rng = np.random.default_rng(5)
    F, y, y_view = rng.normal(size=(14, 4)), np.arange(14) % 3, np.arange(6) % 3
    kernel = TrainingKernel(F, is_explicit=True, lost=0.3)
    views = [
        View(np.arange(14) % 2 == f, rng.normal(size=(14, 6)), y_view) for f in (0, 1)
    ]
    options = {"alpha": 0.5, "n_to_choose": 7}
    order, gains = choose_greedily(kernel, y, views, **options)
    expected = choose(F @ F.T + 0.3 * np.eye(14), y, views, **options)
    assert_array_equal(order, expected[0])
    assert_allclose(gains, expected[1], rtol=1e-9)


def test_long_runs_do_not_drift():
    K, cross, y, y_view, rng = problem(2, n=100, m=20, n_classes=2)
    order = rng.permutation(100)[:80]
    ridge = growing(K, cross, y, y_view, 1e-3, 80)
    for row in order:
        ridge.choose(row)
    solved = np.linalg.solve(
        K[np.ix_(order, order)] + 1e-3 * np.eye(80), y[order] - 0.5
    )
    expected = y_view - 0.5 - cross[order].T @ solved
    assert_allclose(ridge.misses[:, 0], expected, rtol=1e-7, atol=1e-9)
    rest = np.setdiff1d(np.arange(100), order)
    view = (np.ones(100, bool), cross, y_view)
    gains = greedy_gains(K, y, [view], 1e-3, order)[rest]
    assert_allclose(ridge.gains().numpy()[rest] / 20, gains, rtol=1e-6, atol=1e-10)


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
    view = View(np.ones(n, bool), F[:n] @ F[n:].T, rng.integers(n_classes, size=5))
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
    views = [View(fold != f, K[:, fold == f], y[fold == f]) for f in range(2)]
    _, gains = choose(K, y, views, alpha=1, n_to_choose=6)
    assert_array_equal(gains[:2], 0)
    assert np.abs(gains[2:]).max() > 0.01


def test_a_twin_of_a_chosen_row_adds_next_to_nothing():
    K, cross, y, y_view, _ = problem(4, n_classes=2)
    y[1] = y[0]
    K[1], cross[1] = K[0], cross[0]
    K[:, 1] = K[:, 0]
    ridge = growing(K, cross, y, y_view, 1e-8, 1)
    assert abs(ridge.gains()[0]) > 0.01
    ridge.choose(0)
    assert abs(ridge.gains()[1]) < 1e-6
