"""How probably each of many values is negative, by their errors and all of them."""

import numpy as np
from scipy.special import ndtr

__all__ = ["probability_negative"]

N_CENTRES = 61  # of the normal distributions that the values' one is mixed from
N_ITERATIONS = 300
SMALLEST_WEIGHT = 1e-9  # of a normal distribution, in rows
SMALLEST_ERROR = 1e-9  # as a share of the largest value


def probability_negative(values, errors, suspicion):
    """Compute how probably each of many values is negative.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Estimates.
    errors : ndarray of shape (n,)
        Their standard errors.
    suspicion : ndarray of shape (n,)
        Probability of each row that it belongs to a group whose values are distributed
        otherwise than those of the rest; zeros: there is one distribution.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities. A row without error has 0 or 1, or 0.5 if its value is zero.

    Notes
    -----
    Empirical Bayes, as in Stephens (2017), :doi:`10.1093/biostatistics/kxw041`: the
    true values of either group are drawn from a mixture of normal distributions on a
    grid, whose weights fit the estimates best, by expectation maximization.
    """
    scale = np.abs(values).max(initial=0) or 1.0
    variance = np.maximum(errors, SMALLEST_ERROR * scale)[:, None] ** 2
    centres, width = np.linspace(values.min(), values.max(), N_CENTRES, retstep=True)
    spread = max(width, SMALLEST_ERROR * scale) ** 2
    total = variance + spread
    log_likelihood = -0.5 * (values[:, None] - centres) ** 2 / total
    likelihood = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
    group = np.column_stack([1 - suspicion, suspicion])
    weights = np.full((2, N_CENTRES), 1 / N_CENTRES)
    for _ in range(N_ITERATIONS):
        prior = group @ weights
        ratio = likelihood / (likelihood * prior).sum(1, keepdims=True)
        share = ratio * prior
        weights = weights * (group.T @ ratio) + SMALLEST_WEIGHT
        weights /= weights.sum(1, keepdims=True)
    mean = (spread * values[:, None] + variance * centres) / total
    return (share * ndtr(-mean / np.sqrt(spread * variance / total))).sum(1)
