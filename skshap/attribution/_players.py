"""Players: who joins coalitions, single rows or groups of rows that move as one."""

import numpy as np
import torch

from skshap.attribution._moves import JointMoves, Moves
from skshap.utils._ridge import factorize

__all__ = ["Players"]

N_DRAWN = 200  # coalitions that tell how many rows they have
AT_ONCE = 1 << 20  # numbers that groups of as many rows are worked on with together


class Players:
    """Who joins coalitions: single rows, or groups of rows.

    Parameters
    ----------
    groups : ndarray of shape (n,) or None
        Player of each row, from 0 on; None if every row is one.
    n_rows : int
        Number of rows, n.
    device : str, torch.device or None
        Where orders of rows are put.
    """

    def __init__(self, groups, n_rows, device):
        self.n_rows = n_rows
        self.device = device
        self.rows = None
        self.n = n_rows
        if groups is not None:
            groups = torch.as_tensor(groups)
            counts = torch.bincount(groups).tolist()
            self.n = len(counts)
            by_group = torch.argsort(groups, stable=True)
            self.rows = by_group.split(counts)
            self._largest_first = sorted(counts, reverse=True)

    def most_rows(self, n_players):
        """Return how many rows so many players have at most."""
        return n_players if self.rows is None else sum(self._largest_first[:n_players])

    def block_sums(self):
        """Return sums of the squares and of the cubes of the rows that move as one."""
        if self.rows is None:
            return 0.0, 0.0
        counts = np.array(self._largest_first, dtype=float)
        return (counts**2).sum(), (counts**3).sum()

    def usual_rows(self, n_players):
        """Return how many rows so many players have, of some drawn at random."""
        if self.rows is None:
            return np.array([n_players])
        counts = np.tile(self._largest_first, (N_DRAWN, 1))
        counts = np.random.default_rng(0).permuted(counts, axis=1)
        return counts[:, :n_players].sum(1)

    def arrange(self, order):
        """Put the rows of players one after the other.

        Parameters
        ----------
        order : ndarray of shape (n_players,)
            Players.

        Returns
        -------
        rows : Tensor of shape (n_rows,)
            Training rows.
        bounds : ndarray of shape (n_players + 1,)
            Number of rows of the first 0, 1, ... players.
        """
        if self.rows is None:
            rows = torch.from_numpy(order).to(self.device)
            return rows, np.arange(len(order) + 1)
        parts = [self.rows[player] for player in order]
        bounds = np.cumsum([0, *map(len, parts)])
        return torch.cat(parts).to(self.device), bounds

    def moves_floats(self, m, n_outputs):
        """Count the floats that moves take, where they are no products."""
        return 0 if self.rows is None else (n_outputs + 1) * self.n * m

    def moves(self, side, order, bounds, *, alpha):
        """Return how players move predictions, from how their rows do.

        Parameters
        ----------
        side : Side
            Rows as `arrange` puts them.
        order : ndarray of shape (k,)
            The players on this side.
        bounds : ndarray of shape (k + 1,)
            Where the rows of each begin and end on this side.
        alpha : float
            Named if the kernel is not positive definite.

        Returns
        -------
        Moves or JointMoves
        """
        if self.rows is None:
            weight = side.residual * (side.sign / side.diagonal).unsqueeze(1)
            return Moves(side.rows, side.cross, weight)
        m, q = side.cross.shape[1], side.residual.shape[1]
        table = side.residual.new_empty(q, len(order), m)
        for some, places in _alike(bounds, self.n_rows + m):
            places = torch.from_numpy(places).to(table.device)
            own = side.diagonal[places]
            L = factorize(side.block(places), diagonal=own, alpha=alpha)
            right = torch.cat([side.cross[places], side.residual[places]], 2)
            solved = torch.linalg.solve_triangular(L, right, upper=False)
            moved = solved[..., m:].mT @ solved[..., :m]
            table[:, some] = moved.mul_(side.sign).transpose(0, 1)
        players = torch.from_numpy(order).to(table.device)
        if q == 1:
            ones = torch.ones_like(table[0, :, :1])
            return Moves(players, table[0], ones)
        return JointMoves(players, table)


def _alike(bounds, width):
    """Yield players with as many rows each, and the places of these rows.

    As many at a time as take `AT_ONCE` numbers, of so many each row.

    Yields
    ------
    some : ndarray of shape (G,)
    places : ndarray of shape (G, s)
    """
    counts = np.diff(bounds)
    for count in np.unique(counts):
        players = np.flatnonzero(counts == count)
        step = max(1, AT_ONCE // (count * width))
        for start in range(0, len(players), step):
            some = players[start : start + step]
            yield some, bounds[some, None] + np.arange(count)
