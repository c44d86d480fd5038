"""Parts of draws of small problems, many of which are computed as one.

Where rows are few, calls take longer than the arithmetic that they ask for, most of all
on a GPU. Parts that go as far along the same route then share the calls: each has its
whole factor, out of which masks cut its coalitions, as permutations stop at sizes of
their own. That takes more arithmetic than to grow coalitions step by step.
"""

from typing import NamedTuple

import numpy as np
import torch

from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._schedule import stop_shares
from skshap.attribution._scored import make_choice
from skshap.attribution._sweep import Sweep
from skshap.utils._ridge import check_pivots, factorize

__all__ = ["count_together", "is_small", "run_together"]


class Limits(NamedTuple):
    """Up to where parts are computed together.

    Attributes
    ----------
    flops : float
        Floating-point operations of a stop that take as long as the calls for it.
    floats : int
        Of the largest tensor.
    parts : int
        That are computed together: more gain little, and leave less to other workers.
    """

    flops: float
    floats: int
    parts: int


# On a CPU, from where together takes half the time; on a GPU by count, some 30 calls of
# 10 microseconds each against a million million operations a second.
CPU = Limits(flops=6e5, floats=1 << 17, parts=64)
GPU = Limits(flops=3e8, floats=1 << 24, parts=1024)


class Moved(NamedTuple):
    """One coalition of each of B permutations, and how rows would move predictions.

    If row i of permutation b changes sides, output c at x changes by ``cross[b, i, x] *
    weight[c, b, i]``.

    Attributes
    ----------
    is_member : Tensor of shape (B, n) of bool
    cross : Tensor of shape (B, n, m)
    weight : Tensor of shape (n_outputs, B, n)
    """

    is_member: torch.Tensor
    cross: torch.Tensor
    weight: torch.Tensor


class Permuted:
    """Ridge regression on coalitions along several permutations of the rows.

    Parameters
    ----------
    game : KernelGame
        Of rows; with its inverse, where rows are taken out.
    route : Route
    orders : Tensor of shape (B, n)
        The permutations.
    """

    def __init__(self, game, route, orders):
        self._is_growing = route.kind == "growing"
        (K, cross, targets), alpha = game.tensors[:3], game.alpha
        if not self._is_growing:  # what is taken out: see `ShrinkingCoalitions`
            K, cross, targets, self._everyone = game.tensors[3:]
            alpha = 0.0
        self.n, self._q = targets.shape
        self._most = most = route.ranges[-1][1]
        first = orders[:, :most]
        rows = K[first.unsqueeze(2), orders.unsqueeze(1)]
        rows.diagonal(dim1=1, dim2=2).add_(alpha)
        self._diagonal = own = (K.diagonal() + alpha)[orders]
        L = factorize(rows[:, :, :most], alpha=alpha)
        identity = torch.eye(most, dtype=K.dtype, device=K.device)
        self._inverse = torch.linalg.solve_triangular(L, identity, upper=False)
        self._upper = self._inverse @ rows
        schur = own[:, most:] - self._upper[:, :, most:].square().sum(1)
        check_pivots(schur, diagonal=own[:, most:], alpha=alpha)
        self._right = torch.cat([targets, cross], 1)[orders]
        self._whitened = self._inverse @ self._right[:, :most]

    def size(self, stops):
        """Return how many members there are once so many rows have moved."""
        return stops if self._is_growing else self.n - stops

    def predict(self, stops):
        """Predict with coalitions, and tell how far a row moves predictions there.

        Parameters
        ----------
        stops : Tensor of shape (B, n_stops)
            How many rows have joined, or been taken out.

        Returns
        -------
        decisions : Tensor of shape (B, n_stops, n_outputs, m)
        reach : Tensor of shape (B, n_stops)
            Root mean square of the steps on the way there, see `GrowingCoalitions`.
        """
        q, width = self._q, self._whitened.shape[2]
        targets, cross = self._whitened.split([q, width - q], 2)
        joined = self._have_moved(stops).unsqueeze(2) * targets.mT.unsqueeze(1)
        moved = (joined.flatten(1, 2) @ cross).unflatten(1, joined.shape[1:3])
        steps, added = (
            part.diff(dim=1, prepend=torch.zeros_like(part[:, :1]))
            for part in (moved, stops)
        )
        reach = (steps.square().mean((2, 3)) / added.clamp_(min=1)).sqrt_()
        return moved if self._is_growing else self._everyone - moved, reach

    def moves(self, stops):
        """Return how rows move predictions at one stop each.

        Parameters
        ----------
        stops : Tensor of shape (B,)

        Returns
        -------
        Moved
        """
        gone = self._have_moved(stops.unsqueeze(1)).squeeze(1)
        column, most = gone.unsqueeze(2), self._most
        joined = self._whitened * column
        pivots = self._diagonal - (self._upper.square() * column).sum(1)
        rest = self._right - self._upper.mT @ joined
        own = (self._inverse.square() * column).sum(1)
        solved = self._inverse.mT @ joined
        rest[:, :most] = torch.where(column, solved, rest[:, :most])
        pivots[:, :most] = torch.where(gone, own, pivots[:, :most])
        is_member = torch.zeros_like(pivots, dtype=torch.bool)
        is_member[:, :most] = gone
        is_member = is_member if self._is_growing else ~is_member
        step = torch.where(is_member, -1 / pivots, 1 / pivots)
        weight = (rest[:, :, : self._q] * step.unsqueeze(2)).movedim(2, 0)
        return Moved(is_member, rest[:, :, self._q :], weight)

    def _have_moved(self, stops):
        """Tell which rows of the first ones have, shape (..., most)."""
        return torch.arange(self._most, device=stops.device) < stops.unsqueeze(-1)


def is_small(sampler, limits=CPU):
    """Whether parts of draws are best computed together, by default on a CPU."""
    game = sampler.game
    if type(game) is not KernelGame or not isinstance(sampler, Sweep):
        return False
    work = game.n_players**2 * (sampler.problem.n_scored + game.n_outputs)
    return game.groups is None and work <= limits.flops


def count_together(sampler):
    """Return how many parts of draws are best computed together; 1 if none are."""
    problem = sampler.problem
    limits = CPU if problem.device.type == "cpu" else GPU
    if not is_small(sampler, limits):
        return 1
    n, m = sampler.game.n_players, problem.n_scored
    fitting = limits.floats // (n * max(n, sampler.game.n_outputs * m))
    return max(1, min(fitting, limits.parts))


def run_together(sweep, units):
    """Compute parts of draws as :meth:`Sweep.run` does, but for rounding.

    Parameters
    ----------
    sweep : Sweep
        Of rows, by their kernel.
    units : sequence of int
        Of draws times their number of parts, plus which part of it.

    Returns
    -------
    list of Tensor
        One a unit.
    """
    drawn, alike = [sweep.draw(*divmod(unit, len(sweep.parts))) for unit in units], {}
    for i, (route, *_) in enumerate(drawn):
        alike.setdefault((route.kind, len(route.ranges)), []).append(i)
    out = [None] * len(drawn)
    for places in alike.values():
        values = _add_marginals(sweep, *zip(*(drawn[i] for i in places), strict=True))
        for i, own in zip(places, values.cpu(), strict=True):
            out[i] = own
    return out


def _add_marginals(sweep, routes, counts, orders, stops, rngs):
    """Compute parts that go as far along the same route; see `Sweep.add_marginals`.

    Returns
    -------
    Tensor of shape (B, *shape), `shape` that of values
    """
    game, problem, route = sweep.game, sweep.problem, routes[0]
    B, n = len(orders), game.n_players
    device = problem.device
    orders = torch.from_numpy(np.stack(orders)).to(device)
    stops = torch.tensor(stops, device=device)
    shares = stop_shares(route, counts[0], n)
    ridges = Permuted(game, route, orders)
    decisions, reach = ridges.predict(stops)
    choices = [make_choice(game, problem, route, shares, rng) for rng in rngs]
    rows = _row_weights(choices, decisions, reach)
    weights = torch.from_numpy(problem.weights).to(device)
    out = torch.stack([problem.zeros()] * B, 2)  # by rows as in their permutations
    for t, share in enumerate(shares):
        moved, size = ridges.moves(stops[:, t]), ridges.size(stops[:, t]).unsqueeze(1)
        # The empty coalition has a term of its own.
        sign = torch.where(moved.is_member, -(size > 1).double(), 1.0)
        stratum = (size - moved.is_member.long()).clamp_(0, n - 1)
        share = share * sign * weights[:, stratum]
        before = decisions[:, t].transpose(0, 1)
        after = before.unsqueeze(2) + moved.weight.unsqueeze(3) * moved.cross
        for s, utility in enumerate(problem.utilities):
            gains = utility.score(after) - utility.score(before).unsqueeze(1)
            if problem.per_sample:
                out[:, s] += share.unsqueeze(3) * gains
            else:
                out[:, s] += share * (gains @ rows[:, t].unsqueeze(2)).squeeze(2)
    players = orders.reshape(B, n, *[1] * (out.ndim - 4)).expand_as(out)
    return torch.empty_like(out).scatter_(3, players, out).movedim(2, 0)


def _row_weights(choices, decisions, reach):
    """Return what each row to predict counts at each stop, shape (B, n_stops, m).

    Parameters
    ----------
    choices : list of callable or None
        By permutation.
    decisions, reach
        See :meth:`Permuted.predict`.
    """
    B, n_stops, _, m = decisions.shape
    if choices[0] is None:
        return decisions.new_full((B, n_stops, m), 1 / m)
    out = decisions.new_zeros(B, n_stops, m)
    for own, choose, *predicted in zip(out, choices, decisions, reach, strict=True):
        kept = choose(*predicted)
        own[:, kept.index] = kept.all_weights() / m
    return out
