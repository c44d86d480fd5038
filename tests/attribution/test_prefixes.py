"""The growing factor against a fresh solve on every prefix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.attribution import _prefixes
from skshap.attribution._prefixes import KernelPrefixes
from skshap.exceptions import NotPositiveDefiniteError
from tests.oracles import ridge_predictions
from tests.patching import using


def make_problem(n, m, n_outputs, seed=0):
    """A kernel of low rank plus noise, its cross block and indicators."""
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n + m, 5))
    K = F @ F.T + 0.1 * np.eye(n + m)
    y = rng.integers(n_outputs, size=n)
    return K[:n, :n], K[n:, :n], y


def make_ridge(K, cross, y, n_outputs, alpha):
    targets = torch.tensor(np.eye(n_outputs)[y])
    return KernelPrefixes(torch.tensor(K), torch.tensor(cross.T), targets, alpha)


def all_decisions(ridge, order):
    """Rows in the order they came, and decisions of shape (n, m, n_outputs)."""
    rows, decisions = zip(*ridge.decisions(torch.as_tensor(order)), strict=True)
    return torch.cat(rows).numpy(), torch.cat(decisions, 1).permute(1, 2, 0).numpy()


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 24),
    m=st.integers(1, 5),
    n_outputs=st.integers(1, 4),
    joined=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_prefix_equals_a_fresh_solve(n, m, n_outputs, joined, seed):
    K, cross, y = make_problem(n, m, n_outputs, seed)
    ridge = make_ridge(K, cross, y, n_outputs, 0.3)
    # A second permutation reuses the buffers of the first.
    for order in np.random.default_rng(seed).permuted([range(n)] * 2, axis=1):
        with using(_prefixes, JOINED=joined):
            rows, decisions = all_decisions(ridge, order)
        assert_array_equal(rows, order)
        for k, decision in enumerate(decisions, 1):
            expected = ridge_predictions(K, y, cross, 0.3, n_outputs, order[:k])
            assert_allclose(decision, expected, atol=1e-10)


@pytest.mark.parametrize("joined", [7, 128])
def test_every_prefix_on_a_real_kernel_with_a_small_alpha(
    real_kernel, joined, monkeypatch
):
    monkeypatch.setattr(_prefixes, "JOINED", joined)
    K, cross, y = real_kernel.K, real_kernel.cross, real_kernel.y
    alpha = 1e-6 * K.diagonal().mean()
    ridge = make_ridge(K, cross, y, 2, alpha)
    order = np.random.default_rng(0).permutation(len(K))
    rows, decisions = all_decisions(ridge, order)
    assert_array_equal(rows, order)
    assert len(decisions) == len(K)
    for k, decision in enumerate(decisions, 1):
        expected = ridge_predictions(K, y, cross, alpha, 2, order[:k])
        assert_allclose(decision, expected, rtol=0, atol=1e-9)


def test_prefixes_may_be_shorter_than_all_rows(monkeypatch):
    monkeypatch.setattr(_prefixes, "JOINED", 4)
    K, cross, y = make_problem(9, 2, 2)
    ridge = make_ridge(K, cross, y, 2, 0.3)
    rows, decisions = all_decisions(ridge, [8, 1, 5, 0, 3])
    assert_array_equal(rows, [8, 1, 5, 0, 3])
    expected = ridge_predictions(K, y, cross, 0.3, 2, [0, 1, 3, 5, 8])
    assert_allclose(decisions[-1], expected, atol=1e-12)


def test_blocks_are_made_one_at_a_time(monkeypatch):
    monkeypatch.setattr(_prefixes, "JOINED", 3)
    K, cross, y = make_problem(10, 2, 2)
    K[7, 7] = -5  # spoils the third block, which is never asked for
    ridge = make_ridge(K, cross, y, 2, 0.3)
    blocks = ridge.blocks(torch.arange(10))
    assert [len(next(blocks).rows) for _ in range(2)] == [3, 3]
    with pytest.raises(NotPositiveDefiniteError, match=r"alpha=0\.3"):
        next(blocks)


@pytest.mark.parametrize("joined", [1, 4, 128])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_prequential_decisions_are_those_of_the_rows_before(
    joined, n_outputs, monkeypatch
):
    monkeypatch.setattr(_prefixes, "JOINED", joined)
    n = 13
    K, _, y = make_problem(n, 1, n_outputs, seed=2)
    ridge = make_ridge(K, np.empty((0, n)), y, n_outputs, 0.2)
    order = np.random.default_rng(1).permutation(n)
    found = ridge.prequential(torch.tensor(order)).numpy()
    assert_allclose(found[order[0]], 0, atol=1e-12)
    for k in range(1, n):
        row = order[k]
        expected = ridge_predictions(K, y, K[[row]], 0.2, n_outputs, order[:k])
        assert_allclose(found[row], expected[0], atol=1e-10)


def test_the_inputs_are_left_as_they_were(monkeypatch):
    monkeypatch.setattr(_prefixes, "JOINED", 4)
    K, cross, y = make_problem(9, 2, 2)
    ridge = make_ridge(K, cross, y, 2, 0.3)
    for _ in ridge.blocks(torch.arange(9)):
        pass
    assert_array_equal(ridge.K.numpy(), K)
    assert_array_equal(ridge.cross.numpy(), cross.T)
    assert_array_equal(ridge.targets.numpy(), np.eye(2)[y])
