"""A schedule of a sweep that suits what a pilot of a few draws has seen."""

import numpy as np

from skshap.attribution._allocation import allocate
from skshap.attribution._sweep import Sweep

__all__ = ["adapted"]


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
