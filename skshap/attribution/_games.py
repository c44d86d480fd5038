"""Games: ridge regression on coalitions of players, by kernel or by features.

A game knows which rows players bring along, from which end coalitions of a size are
best reached, and how many operations that takes. Its arrays are plain numpy ones, so
that workers can share them.
"""

import warnings
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from skshap.attribution._coalitions import PrefixRidge
from skshap.attribution._features import FeatureCoalitions, FeaturePrefixes
from skshap.attribution._marginals import (
    GrowingCoalitions,
    ShrinkingCoalitions,
    invert_ridge,
)
from skshap.attribution._moves import Players
from skshap.utils._ridge import multiply

__all__ = ["FeatureGame", "KernelGame", "PlayerCoalition", "Route"]


class Route(NamedTuple):
    """Sizes of coalitions that one permutation visits.

    Attributes
    ----------
    kind : {"growing", "shrinking", "direct"}
        Whether players join nobody step by step, are taken out of all step by step, or
        join nobody at once.
    ranges : list of tuple of int
        First and last number of players that have joined, or been taken out, at each
        stop; in increasing order.
    """

    kind: str
    ranges: list


class PlayerCoalition(NamedTuple):
    """A coalition of players and how each one would move its predictions.

    Attributes
    ----------
    size : int
        Number of members.
    decision : Tensor of shape (n_outputs, m)
        Predictions.
    joining, leaving : Moves or JointMoves
        Of the players outside, and of the members.
    scored : Scored or None
        Which of the m rows to predict all these are for; None for all.
    """

    size: int
    decision: torch.Tensor
    joining: tuple
    leaving: tuple
    scored: object


class Game:
    """Ridge regression on coalitions of players.

    Parameters
    ----------
    arrays : tuple of ndarray
        See the subclasses; the third holds the targets, (n_rows, n_outputs).
    alpha : float
        Strength of the ridge.
    groups : ndarray of shape (n_rows,) or None, default=None
        Player of each row, from 0 on; None if every row is a player.
    device : str, torch.device or None, default=None
        Where to compute.
    """

    def __init__(self, arrays, alpha, groups=None, device=None):
        self.arrays = arrays
        self.alpha = alpha
        self.groups = groups
        self.device = device
        self.n_rows, self.n_outputs = arrays[2].shape
        self.players = Players(groups, self.n_rows, device)
        self.n_players = self.players.n
        self._ridges = {}

    @cached_property
    def tensors(self):
        """The arrays, as tensors."""
        return [as_tensor(array, self.device) for array in self.arrays]

    @property
    def options(self):
        """What makes the same game again, besides its arrays."""
        return {"alpha": self.alpha, "groups": self.groups, "device": self.device}

    def walk(self, route, order, stops, choose=None):
        """Visit coalitions along a permutation of the players.

        Parameters
        ----------
        route : Route
            Its kind says from where.
        order : ndarray of shape (n_players,)
            The permutation.
        stops : list of int
            Increasing numbers of players that have joined, or been taken out.
        choose : callable or None, default=None
            Chooses rows to predict; see :class:`GrowingCoalitions`.

        Yields
        ------
        PlayerCoalition
            Its tensors are overwritten by the next one.
        """
        rows, bounds = self.players.arrange(order)
        most = self.players.most_rows(route.ranges[-1][1])
        ridge = self._ridge(route.kind, most)
        row_stops = [bounds[stop] for stop in stops]
        is_growing = route.kind != "shrinking"
        coalitions = ridge.coalitions(rows, row_stops, choose)
        for stop, coalition in zip(stops, coalitions, strict=True):
            moved = order[:stop], bounds[: stop + 1]
            start = bounds[stop]
            others = order[stop:], [bound - start for bound in bounds[stop:]]
            members, outside = (moved, others) if is_growing else (others, moved)
            yield PlayerCoalition(
                len(members[0]),
                coalition.decision,
                self.players.moves(coalition.joining, *outside, alpha=self.alpha),
                self.players.moves(coalition.leaving, *members, alpha=self.alpha),
                coalition.scored,
            )

    def nobody(self):
        """Return the empty coalition."""
        order = np.arange(self.n_players)
        return next(self.walk(Route("growing", [(0, 0)]), order, [0]))

    def everyone(self):
        """Return the coalition of all players."""
        raise NotImplementedError


class KernelGame(Game):
    """A game on the kernel matrix.

    Small coalitions are grown, from nobody, and large ones are reached by taking
    players out of all, along other permutations.

    Parameters
    ----------
    arrays : tuple of ndarray
        Kernel of the training rows, (n, n); kernel between them and the m rows to
        predict, (n, m); targets; and, if large coalitions are visited, what `inverse`
        returns.
    alpha, groups, device
        See `Game`.
    """

    def with_inverse(self):
        """Return the same game with what large coalitions are reached from."""
        K, cross, targets = self.tensors[:3]
        P = invert_ridge(K, self.alpha)
        weights = P @ targets
        extra = (P, multiply(P, cross), weights, weights.T @ cross)
        extra = [part.cpu().numpy() for part in extra]
        return KernelGame((*self.arrays[:3], *extra), **self.options)

    def routes(self, bins):
        """Return how bins of sizes, of players, are visited."""
        n = self.n_players
        small = [(first, last) for first, last in bins if 2 * last <= n]
        large = [(n - last, n - first) for first, last in bins if 2 * last > n]
        routes = [Route("growing", small)] if small else []
        return [*routes, Route("shrinking", large[::-1])] if large else routes

    def prefixes(self):
        """Return the ridge on every prefix of a permutation of rows."""
        if "prefixes" not in self._ridges:
            self._ridges["prefixes"] = PrefixRidge(*self.tensors[:3], self.alpha)
        return self._ridges["prefixes"]

    def everyone(self):
        order = np.arange(self.n_players)
        return next(self.walk(Route("shrinking", [(0, 0)]), order, [0]))

    def _ridge(self, kind, most):
        ridge, size = self._ridges.get(kind, (None, -1))
        if size < most:
            if kind == "growing":
                game = (*self.tensors[:3], self.alpha)
                ridge = GrowingCoalitions(*game, largest=most)
            else:
                ridge = ShrinkingCoalitions(*self.tensors[3:], most=most)
            self._ridges[kind] = ridge, most
        return ridge

    def walk_flops(self, route):
        """Count what reaching each stop of a route takes after the one before it.

        Parameters
        ----------
        route : Route

        Returns
        -------
        fixed, by_row : ndarray of shape (n_stops,)
            Floating-point operations, on average: whatever rows to predict are kept,
            and for each of these.
        """
        n, m = self.arrays[1].shape
        k = np.array(route.ranges).mean(1) * n / self.n_players
        totals = n * k**2 - k**3 / 3 + m * k**2, 2 * n * k - k**2
        return tuple(np.diff(total, prepend=0.0) for total in totals)

    def prefix_flops(self):
        """Count the floating-point operations of all prefixes of a permutation."""
        n, m = self.arrays[1].shape
        return n**3 / 3 + n**2 * (m + self.n_outputs)

    def setup_flops(self):
        """Count the floating-point operations of `with_inverse`."""
        n, m = self.arrays[1].shape
        return 2 * n**3 + 2 * n**2 * m


class FeatureGame(Game):
    """A game on explicit features, of which the kernel is the inner product.

    A coalition of any size is reached directly, so that each has a permutation of its
    own and errors at different sizes are independent.

    Parameters
    ----------
    arrays : tuple of ndarray
        Features of the training rows, (n, d), and of the rows to predict, (m, d);
        targets.
    alpha, groups, device
        See `Game`.
    """

    def with_inverse(self):
        """Return the game: large coalitions need nothing."""
        return self

    def routes(self, bins):
        """Return how bins of sizes, of players, are visited."""
        return [Route("direct", [sizes]) for sizes in bins]

    def prefixes(self):
        """Return the ridge on every prefix of a permutation of rows."""
        return FeaturePrefixes(*self.tensors, self.alpha)

    def everyone(self):
        n = self.n_players
        return next(self.walk(Route("direct", [(n, n)]), np.arange(n), [n]))

    def _ridge(self, kind, most):
        return FeatureCoalitions(*self.tensors, self.alpha)

    def walk_flops(self, route):
        """Count what reaching each stop of a route takes after the one before it.

        Parameters
        ----------
        route : Route

        Returns
        -------
        fixed, by_row : ndarray of shape (n_stops,)
            Floating-point operations, on average: whatever rows to predict are kept,
            and for each of these.
        """
        n, d = self.arrays[0].shape
        k = np.array(route.ranges).mean(1) * n / self.n_players
        return d**2 * (2 * k + n + 2 * d), np.full(len(k), 2.0 * d * (n + d))

    def prefix_flops(self):
        """Count the floating-point operations of all prefixes of a permutation."""
        n, d = self.arrays[0].shape
        return 4 * n * d * (d + len(self.arrays[1]))

    def setup_flops(self):
        """Count the floating-point operations of `with_inverse`."""
        return 0


def as_tensor(array, device=None):
    """Return a tensor that shares memory with an array where it can."""
    with warnings.catch_warnings():
        # Shared arrays may be read-only; nothing writes to them.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array).to(device)
