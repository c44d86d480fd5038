"""Moves: what players change in a coalition's predictions when they join or leave it.

Ridges tell of rows, on two sides of a coalition: those outside, which may join, and the
members, which may leave; `_players` makes them moves of players.
"""

from typing import NamedTuple

import torch

__all__ = [
    "Coalition",
    "JointMoves",
    "Moves",
    "Product",
    "Side",
]

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
        """Return rows that follow each other, not to be changed, or at some places."""
        if isinstance(rows, torch.Tensor):
            return self.left[rows] @ self.right
        start, stop, step = rows.indices(len(self))
        if step > 1:
            return self.left[rows] @ self.right
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
