"""Seeds drawn from `random_state`."""

import numpy as np

from skshap.utils._seed import draw_seed


def test_an_integer_gives_one_seed_and_a_generator_another_each_time():
    assert draw_seed(0) == draw_seed(0) == draw_seed(np.random.RandomState(0))
    rng = np.random.RandomState(0)
    assert draw_seed(rng) != draw_seed(rng)
    assert draw_seed(None) != draw_seed(None)
    assert type(draw_seed(0)) is int
