"""Semivalues: how much each size of coalition counts in the value of a row."""

from numbers import Real

import numpy as np
from scipy.stats import betabinom, binom

__all__ = ["size_weights"]

SMALLEST = 1e-100  # parameter, below which beta functions overflow
LARGEST = 1e5  # parameter, beyond which log-gamma functions lose digits


def size_weights(semivalue, n):
    """Return the share of each size of coalition in a semivalue.

    The value of a row is the sum over sizes s of ``weights[s]`` times the mean of what
    the row adds to a random coalition of s other rows.

    Parameters
    ----------
    semivalue : {"shapley", "banzhaf", "loo"} or tuple ("beta", a, b)
        Shapley: all sizes alike; Banzhaf: all coalitions alike; leave-one-out: all
        other rows at once; Beta Shapley with parameters a and b from 1e-100 to 100,000,
        where ``("beta", 1, 1)`` is Shapley and a larger a puts weight on small
        coalitions.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,)
        Adds up to 1.

    Raises
    ------
    ValueError
        If `semivalue` is none of these.

    References
    ----------
    Kwon and Zou, "Beta Shapley: a Unified and Noise-reduced Data Valuation Framework
    for Machine Learning", AISTATS 2022. :arxiv:`2110.14049`
    """
    sizes = np.arange(n)
    named = {
        "shapley": lambda: np.full(n, 1 / n),
        "banzhaf": lambda: binom.pmf(sizes, n - 1, 0.5),
        "loo": lambda: (sizes == n - 1).astype(np.float64),
    }
    if isinstance(semivalue, str) and semivalue in named:
        return named[semivalue]()
    if isinstance(semivalue, tuple) and len(semivalue) == 3:
        name, *parameters = semivalue
        if name == "beta" and all(
            isinstance(p, Real) and not isinstance(p, bool) and SMALLEST <= p <= LARGEST
            for p in parameters
        ):
            a, b = parameters
            # The size, as the number of successes in n - 1 trials, is beta-binomial.
            return betabinom.pmf(sizes, n - 1, b, a)
    raise ValueError(
        f"semivalue={semivalue!r} is not known; use 'shapley', 'banzhaf', 'loo' or "
        f"('beta', a, b) with numbers a and b from {SMALLEST:g} to {LARGEST:g}."
    )
