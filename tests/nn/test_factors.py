"""Tokens that are dropped, against a look at each of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch.utils.flop_counter import FlopCounterMode

from skshap.nn._factors import N_FIRST, drop_zeros, squared_norms_of_pair


@given(
    seed=st.integers(0, 2**32 - 1),
    n_tokens=st.integers(1, 6),
    n_outputs=st.integers(1, 2 * N_FIRST),
)
def test_drop_zeros(seed, n_tokens, n_outputs):
    rng = np.random.default_rng(seed)
    # Mostly zeros, so that some tokens have their first entry behind the first ones.
    d = rng.normal(size=(4, n_tokens, n_outputs)) * (rng.random(n_outputs) < 0.1)
    d *= rng.random((4, n_tokens, 1)) < 0.7
    a = rng.normal(size=(4, n_tokens, 3))
    kept = [[t for t in range(n_tokens) if d[i, t].any()] for i in range(4)]
    left, right, counts = drop_zeros(torch.tensor(a), torch.tensor(d))
    assert_array_equal(counts, [len(tokens) for tokens in kept])
    assert left.shape[1] == right.shape[1] == max(1, *counts)
    for i, tokens in enumerate(kept):
        assert_array_equal(left[i, : counts[i]], a[i, tokens])
        assert_array_equal(right[i, : counts[i]], d[i, tokens])
        assert not right[i, counts[i] :].any()


@pytest.mark.parametrize("t", [1, 5, 6, 20])
def test_norms_are_taken_in_the_shorter_way(t):
    n, p, q = 3, 8, 12
    generator = torch.Generator().manual_seed(0)
    a, d = (
        torch.randn(n, t, size, generator=generator, dtype=torch.float64)
        for size in (p, q)
    )
    with FlopCounterMode(display=False) as counter:
        norms = squared_norms_of_pair(a, d)
    expected = torch.einsum("ntp,ntq->npq", a, d).square().sum((1, 2))
    torch.testing.assert_close(norms, expected)
    by_tokens, multiplied_out = t**2 * (p + q), t * p * q
    is_large = 3 * t**2 <= 2 * p * q  # to hold
    cheapest = by_tokens if is_large else min(by_tokens, multiplied_out)
    assert counter.get_total_flops() == 2 * n * cheapest
