"""What coalitions are trained on, and what they predict."""

from typing import NamedTuple

import numpy as np
import torch

from skshap.attribution._kernel_game import KernelGame
from skshap.utils._ridge import multiply

__all__ = ["Data"]


class Data(NamedTuple):
    """What a game is made of.

    Attributes
    ----------
    rows : ndarray of shape (n, n) or (n, d)
        Kernel of the training rows, or their features.
    to_predict : ndarray of shape (m, n) or (m, d)
        The same of the rows to predict.
    targets : ndarray of shape (n, n_outputs)
        What is regressed on.
    alpha : float
        Strength of the ridge.
    is_explicit : bool
        Whether `rows` are features.
    groups : ndarray of shape (n,) or None
        Player of each row, from 0 on; None if every row is one.
    device : str, torch.device or None
        Where to compute.
    """

    rows: np.ndarray
    to_predict: np.ndarray
    targets: np.ndarray
    alpha: float
    is_explicit: bool
    groups: np.ndarray | None
    device: object

    @property
    def n_players(self):
        """Number of rows or of groups."""
        return len(self.rows) if self.groups is None else int(self.groups.max()) + 1

    def outline(self, kind):
        """Return a game of the right shapes that holds no numbers."""
        n, m, d = len(self.rows), len(self.to_predict), self.rows.shape[1]
        shapes = [(n, n), (n, m)] if kind is KernelGame else [(n, d), (m, d)]
        shapes.append(self.targets.shape)
        nothing = tuple(np.broadcast_to(0.0, shape) for shape in shapes)
        return kind(nothing, self.alpha, self.groups, self.device)

    def game(self, kind):
        """Return the game by kernel or by features."""
        # Tensors begin where vector instructions like it, so that bits do not depend
        # on where numpy put the arrays.
        rows, others, targets = (torch.tensor(array) for array in self[:3])
        if kind is KernelGame and self.is_explicit:
            others = multiply(rows, others.T)
            rows = multiply(rows, rows.T)
        elif kind is KernelGame:
            others = others.T.contiguous()
        arrays = tuple(array.numpy() for array in (rows, others, targets))
        return kind(arrays, self.alpha, self.groups, self.device)
