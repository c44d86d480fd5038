"""A matrix that is filled in tile by tile."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skshap.kernels._memory_store import MemoryStore
from skshap.kernels._tiles import Tiles

KEYS = "abcdefg"


@settings(deadline=None, max_examples=60)
@given(
    sides=st.tuples(*[st.permutations(KEYS).map(lambda keys: keys[:5])] * 2),
    is_square=st.booleans(),
    parts=st.lists(
        st.tuples(*[st.sets(st.integers(0, 4), min_size=1)] * 2), min_size=1, max_size=4
    ),
)
def test_what_is_new_is_counted_before_it_is_kept(sides, is_square, parts):
    left, right = sides[0], sides[not is_square]
    value = {(x, y): hash((min(x, y), max(x, y))) % 97 for x in KEYS for y in KEYS}
    tiles = Tiles(np.full((5, 5), np.nan), left, right, MemoryStore())
    for i, j in parts:
        i, j = sorted(i), sorted(j)
        block = np.array([[value[left[a], right[b]] for b in j] for a in i], float)
        n_before, n_new = tiles.n_missing(), tiles.count_new(np.array(i), np.array(j))
        tiles.keep(np.array(i), np.array(j), block)
        assert n_before - tiles.n_missing() == n_new
    known = ~np.isnan(tiles.K)
    expected = np.array([[value[x, y] for y in right] for x in left])
    np.testing.assert_array_equal(tiles.K[known], expected[known])
