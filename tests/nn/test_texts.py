"""Batches by length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skshap.nn._texts import ENOUGH_TOKENS, SHORTEST, TextEncoder, cut_batches
from tests.conftest import make_encoder


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


def test_a_model_without_a_limit(tiny_tokenizer):
    network = make_encoder("bert")
    texts = TextEncoder(tiny_tokenizer, network, max_length=20)
    network.config.max_position_embeddings = 16
    with pytest.raises(ValueError, match="max_length=20 is more than the 16 tokens"):
        texts.encode(["good film"])
    network.config.max_position_embeddings = -1  # as that of XLNet
    assert len(texts.encode(["good film"])[0]["input_ids"]) == 4
