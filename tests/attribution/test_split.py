"""An attributor on a part of its rows against one fitted to that part anew."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skshap import FreeShapAttributor
from skshap.attribution._split import split_attributor

SPLIT = np.arange(5, 30), np.arange(5)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = np.array(list("abc"))[rng.integers(0, 3, 30)]
    return rng.normal(size=(30, 4)), y


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_a_part_is_what_a_fit_to_it_would_be(kernel, rows):
    X, y = rows
    train, test = SPLIT
    attributor = FreeShapAttributor(
        kernel, alpha=0.3, scoring="neg_brier_score", n_permutations=3, random_state=7
    )
    part, X_test = split_attributor(attributor.fit(X, y), SPLIT, 0, 5)
    assert X_test.shape == (5, 4 if kernel == "linear" else 25)
    alone = attributor.fit(X[train], y[train])
    alone._drawn_seed = part._seed
    for one, other in zip(
        part.attribute(X_test, y[test], return_std=True),
        alone.attribute(X[test], y[test], return_std=True),
        strict=True,
    ):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_the_whole_attributor_stays_as_it_was(rows, tmp_path):
    X, y = rows
    attributor = FreeShapAttributor("rbf", checkpoint=tmp_path / "values.npz")
    before = attributor.fit(X, y).get_params()
    part, _ = split_attributor(attributor, SPLIT, 2, 5)
    assert attributor.get_params() == before
    assert part.checkpoint == tmp_path / "values-2.npz"
    assert_array_equal(
        attributor.predict(X[:3]), FreeShapAttributor("rbf").fit(X, y).predict(X[:3])
    )


@pytest.mark.parametrize("seed", [None, 0, "generator"])
@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
def test_splits_have_permutations_of_their_own(sampler, seed, rows):
    """The same in each call after a fit: errors of splits are independent."""
    X, y = rows
    if seed == "generator":
        seed = np.random.RandomState(0)
    params = {"sampler": sampler, "n_permutations": 3, "random_state": seed}
    attributor = FreeShapAttributor("rbf", scoring="neg_log_loss", **params).fit(X, y)

    def values(k):
        part, X_test = split_attributor(attributor, SPLIT, k, 3)
        return part.attribute(X_test, y[SPLIT[1]])

    first, second, third = map(values, range(3))
    assert_array_equal(values(1), second)
    # Of the same rows, so that what differs is what was drawn.
    for one, other in ((first, second), (second, third), (first, third)):
        assert np.isclose(one, other, rtol=1e-6).mean() < 0.2
