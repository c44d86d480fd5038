"""Allocation: how often each size is visited, from variances and costs of a pilot.

A pilot tells the covariance of what the stops of a permutation contribute. Permutations
that stop early then leave work for more of them. Counts are fixed before the draws that
they are used for, and a stop visited by c permutations is divided by c, so no draw is
biased. Their mean is, if hardly: how many follow is a matter of the first ones, which
count as well.
"""

import numpy as np

from skshap.attribution._sweep import Sweep

__all__ = ["adapted", "allocate"]

MOST_WORK = 3.0  # of a draw, in units of one by the schedule that is given
MOST_STEPS = 100


def adapted(sweep, profiles):
    """Return a sweep with the schedule that its draws so far speak for.

    Parameters
    ----------
    sweep : Sweep
    profiles : list of (ndarray, ndarray)
        What each stop contributed, and the share of the rows to predict that it was
        scored on, of each part of some draws; see :meth:`Sweep.profile`.

    Returns
    -------
    Sweep
    """
    n_draws = len(profiles) // len(sweep.parts)
    indices = [part.route for part in sweep.parts] * n_draws
    covariances, kept = [], []
    for index in range(len(sweep.routes)):
        own = [p for i, p in zip(indices, profiles, strict=True) if i == index]
        stops, shares = zip(*own, strict=True)
        stacked = np.stack(stops)  # permutations, stops, outputs, entries
        stacked = stacked - stacked.mean(0)
        by_output = np.einsum("pioe,pjoe->oij", stacked, stacked) / (len(own) - 1)
        covariances.append(by_output)
        kept.append(np.mean(shares, 0))
    # Every output counts the same, whatever its unit.
    scale = sum(np.trace(c, axis1=1, axis2=2) for c in covariances)
    scale = np.where(scale > 0, scale, 1)
    covariances = [(c / scale[:, None, None]).sum(0) for c in covariances]
    known = Sweep(sweep.game, sweep.problem, sweep.counts, kept)
    costs = [known.stop_flops(index) for index in range(len(known.routes))]
    counts = allocate(covariances, costs, known.counts)
    return Sweep(sweep.game, sweep.problem, counts, kept)


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
