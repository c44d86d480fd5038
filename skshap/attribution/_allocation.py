"""Allocation: which sizes to visit, and how often, from variances and costs.

A pilot tells the covariance of what the stops of a permutation contribute. Permutations
that stop early then leave work for more of them. Counts are fixed before the draws that
they are used for, and a stop visited by c permutations is divided by c, so no draw is
biased. Their mean is, if hardly: how many follow is a matter of the first ones, which
count as well.
"""

import numpy as np

__all__ = ["allocate", "size_bins"]

NEGLIGIBLE = 1e-15  # share of the semivalue of a size that is never visited
MOST_WORK = 3.0  # of a draw, in units of one by the schedule that is given
MOST_STEPS = 100


def size_bins(weights, largest_share, growth):
    """Cut the sizes of coalitions into bins, of each of which one size is drawn.

    Bins grow with the size, since marginals change with its logarithm, but hold only so
    much of the semivalue.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Share of each size in the semivalue.
    largest_share : float
        Of the semivalue, that a bin may hold.
    growth : float
        Of the sizes at the two ends of a bin, at most.

    Returns
    -------
    list of tuple of int
        First and last size of each bin, from 1 to n, in increasing order.
    """
    n = len(weights)
    # At size k, outsiders tell of coalitions of size k and members of size k - 1.
    mass = np.zeros(n + 1)
    mass[1:n] += weights[1:] / 2
    mass[2:] += weights[1:] / 2
    bins, first, held = [], None, 0.0
    for size in range(1, n + 1):
        if mass[size] <= NEGLIGIBLE:
            if first is not None:
                bins.append((first, size - 1))
            first, held = None, 0.0
            continue
        full = first is not None and (
            size >= growth * first or held + mass[size] > largest_share
        )
        if full:
            bins.append((first, size - 1))
        if full or first is None:
            first, held = size, 0.0
        held += mass[size]
    if first is not None:
        bins.append((first, n))
    return bins


def allocate(covariances, costs, counts):
    """Choose how many permutations of a draw go as far as each stop.

    Parameters
    ----------
    covariances : list of ndarray of shape (n_stops, n_stops)
        By route, of the contributions of the stops of one permutation, summed over
        entries.
    costs : list of ndarray of shape (n_stops,)
        By route, of each stop after the one before it.
    counts : list of ndarray of int, of shape (n_stops,)
        A schedule to begin with.

    Returns
    -------
    list of ndarray of int
        A schedule with a smaller product of variance and cost, if there is one nearby.
        By route, counts do not increase, and are at least one.

    Notes
    -----
    Stops i and j of a permutation meet in the fewer of their permutations, so that the
    variance of a draw is the sum of ``covariance[i, j] / max(counts[i], counts[j])`` if
    permutations are independent. This is an approximation: a sweep pairs permutations
    with their reverses and shares them between routes, and what these have in common is
    not counted. Only the choice of a schedule leans on it: means, and the standard
    errors of whole draws, hold whatever the counts are. Permutations are added,
    lengthened and shortened one at a time as long as that helps.
    """
    counts = [count.copy() for count in counts]
    variances = [_variance(c, k) for c, k in zip(covariances, counts, strict=True)]
    works = [float(cost @ count) for cost, count in zip(costs, counts, strict=True)]
    limit = MOST_WORK * sum(works)
    for _ in range(MOST_STEPS):
        least, step = sum(variances) * sum(works), None
        for r, count in enumerate(counts):
            for tried in _neighbours(count):
                variance, work = _variance(covariances[r], tried), costs[r] @ tried
                total = sum(works) - works[r] + work
                product = (sum(variances) - variances[r] + variance) * total
                # By a margin, so that rounding decides nothing.
                if product < least * (1 - 1e-6) and total <= limit:
                    least, step = product, (r, tried, variance, float(work))
        if step is None:
            break
        r, counts[r], variances[r], works[r] = step
    return counts


def _neighbours(count):
    """Schedules with one permutation more, or one that stops earlier."""
    for depth in range(1, len(count) + 1):
        more = count.copy()
        more[:depth] += 1
        yield more
    for start in range(len(count)):
        fewer = np.concatenate([count[:start], np.maximum(count[start:] - 1, 1)])
        if (fewer != count).any():
            yield fewer


def _variance(covariance, count):
    return float((covariance / np.maximum.outer(count, count)).sum())
