"""Tests of the weights of semivalues."""

from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import beta

from skshap.attribution._semivalues import size_weights

KINDS = [
    *("shapley", "banzhaf", "loo", ("beta", 16, 1), ("beta", 1, 4), ("beta", 0.5, 2)),
    *(("beta", 1e5, 1e5), ("beta", 1e-100, 1e-100), ("beta", 1e-100, 1e5)),
]


@pytest.mark.parametrize("semivalue", KINDS)
@pytest.mark.parametrize("n", [1, 2, 7, 2000, 50_000])
def test_weights_add_up_to_one(semivalue, n):
    weights = size_weights(semivalue, n)
    assert weights.shape == (n,)
    assert (weights >= 0).all()
    assert_allclose(weights.sum(), 1, rtol=1e-9)


def test_weights_by_the_definitions():
    n = 6
    assert_allclose(size_weights("shapley", n), np.full(n, 1 / 6))
    coalitions = [comb(n - 1, size) / 2 ** (n - 1) for size in range(n)]
    assert_allclose(size_weights("banzhaf", n), coalitions)
    assert_allclose(size_weights("loo", n), [0, 0, 0, 0, 0, 1])
    assert_allclose(size_weights(("beta", 1, 1), n), np.full(n, 1 / 6))
    # Kwon and Zou, equation 5: the weight of a marginal at the j-th place.
    a, b = 2.0, 5.0
    j = np.arange(1, n + 1)
    weight = n * beta(j + b - 1, n - j + a) / beta(a, b)
    share = [weight[k - 1] * comb(n - 1, k - 1) / n for k in j]
    assert_allclose(size_weights(("beta", a, b), n), share)
    small = size_weights(("beta", 16, 1), n)
    assert (np.diff(small) < 0).all()


@pytest.mark.parametrize(
    "semivalue",
    [
        *("shapely", ("beta", 1), ("beta", 0, 1), ("beta", "a", 1), ("gamma", 1, 1)),
        *(("beta", 1e6, 1), ("beta", 1, 1e300)),  # of which no digits would be left
        *(("beta", 100_001, 1), ("beta", 1, 100_001)),
        *(("beta", 1e-308, 1e-308), ("beta", 1, 5e-324)),  # which would overflow
        *(("beta", 1e-101, 1), ("beta", 1, 1e-101)),
    ],
)
def test_unknown_semivalues(semivalue):
    with pytest.raises(ValueError, match=r"semivalue=.*is not known.*'banzhaf'"):
        size_weights(semivalue, 5)
