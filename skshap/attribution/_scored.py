"""The choice of which rows to predict a coalition is scored on.

Most predictions are so far from where their score jumps that no training row flips
them, but take as much work as the others. What a row scored tells is foreseen from the
predictions, which take little work; rows that tell little are kept with a small
probability, and what they say is divided by it, so that nothing is biased.
"""

from typing import NamedTuple

import numpy as np
import torch

from skshap.attribution._schedule import stop_costs

__all__ = ["Scored", "keep_probabilities", "keep_rows", "make_choice"]

LEAST = 0.02  # probability of a row scored
LEAST_FLOPS = 1e8  # of a route's rows to predict, for which choosing them is worth it
ROUNDS = 8  # towards the best scale of probabilities
FARTHEST = 1e6  # from a jump, in steps of players: a finite number


class Scored(NamedTuple):
    """The rows to predict that a coalition is scored on.

    Attributes
    ----------
    index : Tensor of shape (c,)
        Which of the m rows to predict.
    weights : Tensor of shape (c,)
        One over the probability with which each was kept.
    """

    index: torch.Tensor
    weights: torch.Tensor


class KeptRows(NamedTuple):
    """The rows to predict that are kept along a permutation, fewer at each stop.

    Attributes
    ----------
    index : Tensor of shape (c,)
        Which of the m rows, those kept longest first.
    counts : list of int, of length n_stops
        How many of these are kept at each stop.
    weights : Tensor of shape (n_stops, c)
        One over the probability with which each was kept until there.
    """

    index: torch.Tensor
    counts: list
    weights: torch.Tensor

    def at(self, t):
        """Return what is kept at a stop."""
        count = self.counts[t]
        return Scored(self.index[:count], self.weights[t, :count])

    def all_weights(self):
        """Return the weights, zero where a row is no longer kept."""
        counts = torch.tensor(self.counts, device=self.index.device).unsqueeze(1)
        places = torch.arange(len(self.index), device=self.index.device)
        return torch.where(places < counts, self.weights, 0.0)


def keep_probabilities(gains, costs, fixed):
    """Choose how likely each row to predict is kept until each stop.

    Parameters
    ----------
    gains : Tensor of shape (n_stops, m)
        Second moment of what a row scored says at a stop, up to a factor: finite.
    costs : Tensor of shape (n_stops,)
        Of carrying one row scored to a stop from the one before.
    fixed : float
        What all stops cost however many rows are scored.

    Returns
    -------
    Tensor of shape (n_stops, m)
        From `LEAST` to 1, not increasing along stops; of small product of the variance
        of a permutation, ``sum(gains / p)``, and its cost, ``fixed + sum(costs * p)``.

    Notes
    -----
    Without the bounds, p is proportional to the root of gains over costs, averaged over
    the stops that a row is best carried through together.
    """
    largest = gains.max()
    if not largest > 0:
        return torch.ones_like(gains)
    gains = gains / largest  # or what is left of tiny numbers would not be finite
    n_stops = len(gains)
    ratio = torch.empty_like(gains)
    for t in range(n_stops):
        total = gains[t:].cumsum(0) / costs[t:].cumsum(0).unsqueeze(1)
        ratio[t] = total.amax(0)
    root = ratio.cummin(0).values.sqrt_()
    p, costs = torch.ones_like(root), costs.unsqueeze(1)
    for _ in range(ROUNDS):
        work = fixed + float((costs * p).sum())
        variance = float((gains / p).sum())
        p = (root * (work / variance) ** 0.5).clamp_(LEAST, 1)
    return p


def keep_rows(p, draws):
    """Keep rows to predict with given probabilities.

    Parameters
    ----------
    p : Tensor of shape (n_stops, m)
        Probabilities, not increasing along stops.
    draws : Tensor of shape (m,)
        Uniform between 0 and 1.

    Returns
    -------
    KeptRows
        Perhaps none.
    """
    is_kept = draws < p
    lasting = is_kept.sum(0)  # at how many stops each is kept
    index = torch.argsort(lasting, descending=True, stable=True)
    index = index[: int((lasting > 0).sum())]
    return KeptRows(index, is_kept.sum(1).tolist(), 1 / p[:, index])


def make_choice(game, problem, route, shares, rng):
    """Return what chooses rows to predict, or None where all are needed.

    Parameters
    ----------
    game : KernelGame or FeatureGame
    problem : Problem
    route : Route
    shares : ndarray of shape (n_stops,)
        Weights of the stops in a draw.
    rng : numpy.random.Generator

    Returns
    -------
    callable or None
        As `choose` of :class:`GrowingCoalitions`; None also where there is too little
        work to save.
    """
    if not problem.samples_rows:
        return None
    m = problem.n_scored
    fixed, by_row = stop_costs(game, problem, route)
    if m * by_row.sum() < LEAST_FLOPS:
        return None
    moved = np.array(route.ranges).mean(1).astype(int)
    sizes = moved if route.kind != "shrinking" else game.n_players - moved
    weights = problem.weights.mean(0)[np.minimum(sizes, game.n_players - 1)]
    device = problem.device
    # Squares of what a jump at each stop weighs in the values.
    scale = torch.from_numpy(shares * weights).to(device).square_().unsqueeze(1)
    costs = torch.from_numpy(by_row).to(device)
    draws = torch.from_numpy(rng.random(m)).to(device)

    def choose(decisions, reach):
        """Keep rows the more, the nearer the steps of players are to a jump."""
        reach = reach * (game.n_rows / game.n_players)
        reach = reach.clamp_min(np.finfo(float).tiny).unsqueeze(1)
        # In logarithms: where all are far from a jump, some still are nearer.
        nearness = [
            -(utility.distances(decisions.transpose(0, 1)) / reach).clamp_max(FARTHEST)
            for utility in problem.utilities
        ]
        nearness = torch.logsumexp(torch.stack(nearness), 0)
        gains = (nearness - nearness.max()).exp_()
        p = keep_probabilities(gains * scale, costs, float(fixed.sum()))
        return keep_rows(p, draws)

    return choose
