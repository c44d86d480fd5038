"""Moves: what players change in a coalition's predictions when they join or leave it.

Ridges tell of rows, on two sides of a coalition: those outside, which may join, and the
members, which may leave. A player is a row, or a group of rows that moves as one.
"""

from typing import NamedTuple

import numpy as np
import torch

from skshap.utils._ridge import factorize

__all__ = [
    "Coalition",
    "JointMoves",
    "Moves",
    "Players",
    "Product",
    "Side",
    "columns_product",
]

N_DRAWN = 200  # coalitions that tell how many rows they have
AHEAD = 262_144  # numbers of a product computed at a time: each time reads a factor


class Product:
    """The matrix product of two factors, computed block by block when asked for.

    Blocks that follow each other are computed together.

    Parameters
    ----------
    left : Tensor of shape (n, d)
    right : Tensor of shape (d, m)
    """

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.shape = torch.Size([len(left), right.shape[1]])
        self._start, self._rows = 0, left.new_empty(0, self.shape[1])

    @staticmethod
    def count_floats(n, m):
        """Count the floats of an (n, m) product that are held at a time."""
        return m * min(n, rows_ahead(m))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Return a slice of rows, not to be changed, or those at some places."""
        if isinstance(rows, torch.Tensor):
            return self.left[rows] @ self.right
        start, stop, step = rows.indices(len(self))
        if step > 1:
            return self.left[rows] @ self.right
        stop = max(start, stop)
        if not self._start <= start <= stop <= self._start + len(self._rows):
            n_ahead = rows_ahead(self.shape[1])
            self._start = start
            self._rows = self.left[start : max(stop, start + n_ahead)] @ self.right
        return self._rows[start - self._start : stop - self._start]


def rows_ahead(m):
    """Return how many rows of m columns a product computes at a time."""
    return max(1, AHEAD // max(1, m))


class Side(NamedTuple):
    """The rows on one side of a coalition, and how they would move its predictions.

    If row ``rows[i]`` changes sides, output c at x changes by ``sign * cross[i, x] *
    residual[i, c] / diagonal[i]``; rows p together by ``sign * cross[p].T @
    inv(block(p)) @ residual[p]``.

    Attributes
    ----------
    rows : Tensor of shape (k,)
        Which training rows.
    cross : Tensor or Product of shape (k, m)
    residual : Tensor of shape (k, n_outputs)
    diagonal : Tensor of shape (k,)
    block : callable
        Of positions, a Tensor of shape (G, s), returns blocks of shape (G, s, s).
    sign : int
        1 or -1.
    """

    rows: torch.Tensor
    cross: torch.Tensor
    residual: torch.Tensor
    diagonal: torch.Tensor
    block: callable
    sign: int


class Coalition(NamedTuple):
    """A coalition of rows, or of players, and those on its two sides.

    Attributes
    ----------
    size : int
        Number of members.
    decision : Tensor of shape (n_outputs, m)
        What the ridge trained on the members predicts.
    joining, leaving : Side, or Moves or JointMoves
        Of those outside, and of the members: of rows, or of players.
    scored : Scored or None
        Which of the m rows to predict predictions and moves are for; None for all.
    """

    size: int
    decision: torch.Tensor
    joining: tuple
    leaving: tuple
    scored: object = None


class Moves(NamedTuple):
    """What each of some players changes, as products.

    Player ``players[i]`` moves output c at x by ``cross[i, x] * weight[i, c]``.

    Attributes
    ----------
    players : Tensor of shape (k,)
    cross : Tensor or Product of shape (k, m)
    weight : Tensor of shape (k, n_outputs)
    """

    players: torch.Tensor
    cross: torch.Tensor
    weight: torch.Tensor

    def changes(self, part):
        """Return the changes by a slice of the players, (n_outputs, b, m)."""
        return self.weight[part].T.unsqueeze(2) * self.cross[part]

    def margins(self):
        """Return the moves of the second of two outputs minus the first."""
        return self._replace(weight=self.weight[:, 1:] - self.weight[:, :1])


class JointMoves(NamedTuple):
    """What each of some players changes, by output.

    Attributes
    ----------
    players : Tensor of shape (k,)
    table : Tensor of shape (n_outputs, k, m)
    """

    players: torch.Tensor
    table: torch.Tensor

    def changes(self, part):
        """Return the changes by a slice of the players, (n_outputs, b, m)."""
        return self.table[:, part].clone()

    def margins(self):
        """Return the moves of the second of two outputs minus the first."""
        table = self.table[1] - self.table[0]
        ones = torch.ones_like(table[:, :1])
        return Moves(self.players, table, ones)


class Players:
    """Who joins coalitions: single rows, or groups of rows.

    Parameters
    ----------
    groups : ndarray of shape (n,) or None
        Player of each row, from 0 on; None if every row is one.
    n_rows : int
        Number of rows, n.
    device : str, torch.device or None, default=None
        Where orders of rows are put.
    """

    def __init__(self, groups, n_rows, device=None):
        self.n_rows = n_rows
        self.device = device
        self.rows = None
        self.n = n_rows
        if groups is not None:
            groups = torch.as_tensor(groups)
            self.n = int(groups.max()) + 1
            counts = torch.bincount(groups, minlength=self.n).tolist()
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


def columns_product(A, places):
    """Multiply some columns of a matrix with each other.

    Parameters
    ----------
    A : Tensor of shape (k, n)
    places : Tensor of shape (G, s)

    Returns
    -------
    Tensor of shape (G, s, s)
    """
    columns = A.index_select(1, places.flatten()).unflatten(1, places.shape)
    return torch.einsum("kgs,kgt->gst", columns, columns)


def _alike(bounds, width):
    """Yield players with as many rows each, and the places of these rows.

    As many at a time as take `AHEAD` numbers, of so many each row.

    Yields
    ------
    some : ndarray of shape (G,)
    places : ndarray of shape (G, s)
    """
    counts = np.diff(bounds)
    for count in np.unique(counts):
        players = np.flatnonzero(counts == count)
        step = max(1, AHEAD // (count * width))
        for start in range(0, len(players), step):
            some = players[start : start + step]
            yield some, bounds[some, None] + np.arange(count)
