"""Games: ridge regression on coalitions of players.

A game knows which rows players bring along, from which end coalitions of a size are
best reached, and how much work and memory that takes. Its arrays are plain numpy ones,
so that workers can share them.
"""

import warnings
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch

from skshap.attribution._players import Players

__all__ = ["PASS_WORK", "Game", "Route"]

# Of a move, which is written and read at each stop, in operations of a matrix product
# that take as long.
PASS_WORK = 50


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


class Game:
    """Ridge regression on coalitions of players.

    Subclasses say which ridges reach coalitions, and what that takes, by the methods of
    `KernelGame`. Here are those that a game may do without.

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
    def rows_of_players(self):
        """The training rows of each player, a list of Tensors."""
        one_each = np.arange(self.n_players)[:, None]
        return [self.players.arrange(player)[0] for player in one_each]

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
        Coalition
            Of players. Its tensors are overwritten by the next one.
        """
        rows, bounds = self.players.arrange(order)
        most = self.players.most_rows(route.ranges[-1][1])
        ridge = self._ridge(route.kind, most)
        row_stops = bounds[stops].tolist()
        is_growing = route.kind != "shrinking"
        coalitions = ridge.coalitions(rows, row_stops, choose)
        moves = partial(self.players.moves, alpha=self.alpha)
        for stop, coalition in zip(stops, coalitions, strict=True):
            moved = order[:stop], bounds[: stop + 1]
            others = order[stop:], bounds[stop:] - bounds[stop]
            members, outside = (moved, others) if is_growing else (others, moved)
            yield coalition._replace(
                size=len(members[0]),
                joining=moves(coalition.joining, *outside),
                leaving=moves(coalition.leaving, *members),
            )

    def nobody(self):
        """Return the empty coalition."""
        order = np.arange(self.n_players)
        return next(self.walk(Route("growing", [(0, 0)]), order, [0]))

    def everyone(self):
        """Return the coalition of all players."""
        route = self.to_everyone
        return next(self.walk(route, np.arange(self.n_players), [route.ranges[0][0]]))

    def with_inverse(self):
        """Return the same game with what large coalitions are reached from, if any."""
        return self

    def subsets_setup_flops(self):
        """Count the floating-point operations that `subsets` takes by itself."""
        return 0

    def subsets_setup_floats(self):
        """Count the floats that `subsets` keeps."""
        return 0

    def setup_flops(self):
        """Count the floating-point operations of `with_inverse`."""
        return 0

    def setup_floats(self):
        """Count the floats that `with_inverse` takes meanwhile, and afterwards."""
        return 0, 0


def as_tensor(array, device):
    """Return a tensor that shares memory with an array where it can."""
    if array.flags.writeable:
        return torch.from_numpy(array).to(device)
    with warnings.catch_warnings():
        # Arrays shared by processes are read-only; nothing writes to them. Filters
        # of warnings are those of all threads, whose arrays may be written to.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array).to(device)
