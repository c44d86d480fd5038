"""Explicit features against the kernel that they stand for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

from skshap import FreeShapAttributor, KernelRidgeClassifier
from skshap.attribution import _moves, _prefixes
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._method import read_method
from skshap.attribution._moves import Product
from skshap.attribution._plan import make_plan
from skshap.attribution._prefixes import FeaturePrefixes, KernelPrefixes
from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernels import PairwiseKernel
from tests.patching import using
from tests.rows import class_rows


def inner_product(a, b):
    """The linear kernel, as a callable that says nothing of features."""
    return a @ b


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 30),
    m=st.integers(1, 5),
    d=st.integers(1, 6),
    q=st.integers(1, 3),
    joined=st.sampled_from([1, 3, 7, 128]),
    seed=st.integers(0, 2**32 - 1),
)
def test_prefixes_equal_those_of_the_kernel(n, m, d, q, joined, seed):
    rng = np.random.default_rng(seed)
    F, F_val, Y = (torch.tensor(rng.normal(size=s)) for s in ((n, d), (m, d), (n, q)))
    order = torch.tensor(rng.permutation(n))
    by_kernel = KernelPrefixes(F @ F.T, F @ F_val.T, Y, 0.3)
    by_features = FeaturePrefixes(F, F_val, Y, 0.3)
    with using(_prefixes, JOINED=joined):
        found, expected = (
            torch.cat([decision for _, decision in ridge.decisions(order)], 1)
            for ridge in (by_features, by_kernel)
        )
        prequential = by_features.prequential(order)
    assert_allclose(found, expected, atol=1e-9)
    assert_allclose(prequential, by_kernel.prequential(order), atol=1e-9)


@given(
    slices=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8),
    ahead=st.sampled_from([1, 9, 20, 1000]),
)
def test_slices_of_a_product(slices, ahead):
    """In any order, empty ones and those longer than what is computed at a time."""
    rng = np.random.default_rng(0)
    left, right = torch.tensor(rng.normal(size=(11, 2))), torch.ones(2, 3).double()
    expected = np.einsum("ij,jk->ik", left, right)
    with using(_moves, AHEAD=ahead):
        product = Product(left, right)
        for start, stop in map(sorted, slices):
            assert_allclose(product[start:stop], expected[start:stop], atol=1e-12)
        assert_allclose(product[::3], expected[::3], atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sampler", ["permutation", "exact"])
def test_values_equal_those_of_the_kernel(sampler, n_classes):
    n = 12 if sampler == "exact" else 60
    X, y = class_rows(n, n_classes)
    X_val, y_val = class_rows(7, n_classes, seed=1)
    found = []
    for kernel in ("linear", inner_product):
        attributor = FreeShapAttributor(
            kernel, sampler=sampler, n_permutations=5, random_state=0, alpha=0.2
        ).fit(X, y)
        assert attributor._is_explicit == (kernel == "linear")
        found.append(
            [
                attributor.attribute(X_val, y_val, per_sample=True),
                attributor.decision_function(X_val),
                attributor.loo_decision_function_,
                attributor.dual_coef_,
                attributor.gram_,
                attributor.prequential_decision_function(),
                attributor.score(X_val, y_val),
            ]
        )
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(ours, theirs, atol=1e-9)


def test_the_sweep_agrees_with_the_kernel():
    X, y = class_rows(40)
    X_val, y_val = class_rows(9, seed=1)
    found = []
    for kernel in ("linear", inner_product):
        attributor = FreeShapAttributor(
            kernel, scoring="neg_log_loss", n_permutations=60, random_state=0
        ).fit(X, y)
        found.append(attributor.attribute(X_val, y_val, return_std=True))
    (a, a_std), (b, b_std) = found
    z = (a - b) / np.hypot(a_std, b_std)
    assert abs(z).max() < 5
    assert 0.6 < z.std() < 1.4


def test_no_square_matrix_is_formed(monkeypatch):
    def refuse(*args):
        raise AssertionError("a kernel matrix was formed")

    monkeypatch.setattr(PairwiseKernel, "fit_transform", refuse)
    monkeypatch.setattr(PairwiseKernel, "transform", refuse)
    arrays = property(lambda game: game._a, set_small)
    monkeypatch.setattr(FeatureGame, "arrays", arrays, raising=False)
    X, y = class_rows(3000, n_features=4)
    X_val, y_val = class_rows(6, n_features=4, seed=1)
    attributor = FreeShapAttributor("linear", n_permutations=2, random_state=0)
    values, std = attributor.fit(X, y).attribute(X_val, y_val, return_std=True)
    assert values.shape == std.shape == (3000,)
    KernelRidgeClassifier(kernel="linear").fit(X, y).predict(X_val)


def set_small(game, arrays):
    assert all(array.size < 3000 * 10 for array in arrays)
    game._a = arrays


@pytest.mark.parametrize("n, kind", [(3000, FeatureGame), (60, KernelGame)])
def test_the_game_of_less_work_is_played(n, kind):
    X, y = class_rows(n, n_features=40)
    X_val, y_val = class_rows(50, n_features=40, seed=1)
    attributor = FreeShapAttributor("linear").fit(X, y)
    asked = attributor._check_asked(None, None)
    M, y_val = attributor._map(X_val), attributor._encode(y_val, X_val)
    data, problem = attributor._pose(M, y_val, None, asked, False)
    plan = make_plan(data, problem, read_method(attributor))
    assert (plan.kind, plan.is_enumerated) == (kind, False)


def test_sparse_columns_are_features_too():
    X, y = class_rows(30, n_features=4)
    dense = FreeShapAttributor("linear", random_state=0, n_permutations=3).fit(X, y)
    thin = FreeShapAttributor("linear", random_state=0, n_permutations=3)
    thin.fit(sparse.csr_array(X), y)
    expected = dense.attribute(X[:5], y[:5])
    assert_allclose(thin.attribute(sparse.csr_array(X[:5]), y[:5]), expected)


@pytest.mark.parametrize("alpha", [0, 1e-14])
def test_a_tiny_alpha_is_named(alpha):
    X, y = class_rows(30, n_features=4)
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        FreeShapAttributor("linear", alpha=alpha).fit(X, y)


def test_many_columns_go_by_the_kernel():
    X, y = class_rows(10, n_features=10)
    assert not FreeShapAttributor("linear").fit(X, y)._is_explicit
