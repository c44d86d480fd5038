"""Batches by length."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skshap.nn._texts import ENOUGH_TOKENS, SHORTEST, cut_batches


@given(st.lists(st.integers(1, 300), max_size=400), st.integers(1, 64))
def test_cut_batches(lengths, batch_size):
    lengths = -np.sort(-np.array(lengths, dtype=np.intp))
    batches = list(cut_batches(lengths, batch_size))
    covered = [i for start, stop in batches for i in range(start, stop)]
    assert covered == list(range(len(lengths)))
    for start, stop in batches:
        assert stop - start <= batch_size
        # With a row less it would have too few tokens, or nothing much shorter in it.
        n_tokens = (stop - start - 1) * lengths[start]
        assert n_tokens < ENOUGH_TOKENS or (
            lengths[stop - 1] >= SHORTEST * lengths[start]
        )


def test_few_more_batches():
    """However many rows there are, lengths cut them only so often."""
    lengths = -np.sort(-np.random.default_rng(0).integers(3, 129, size=20_000))
    assert len(list(cut_batches(lengths, 32))) <= 20_000 / 32 + 35
