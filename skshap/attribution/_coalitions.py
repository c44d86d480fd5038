"""Kernel ridge on growing coalitions, from one Cholesky factor a permutation.

With ``L L'`` the factor of the permuted kernel plus alpha, ``A = L^-1 K[p, val]`` and
``Z = L^-1 Y[p]``, the prediction after k rows is ``sum_{j < k} A[j] Z[j]``: the leading
block of L is the factor of each prefix. The factor grows by blocks of rows, each from
those before it, so that a permutation can stop early.
"""

from typing import NamedTuple

import torch

from skshap.utils._ridge import blocks, factorize, take_columns

__all__ = ["JOINED", "TRIANGLE", "Block", "PrefixRidge", "Prefixes"]

# Rows that join a coalition in one step: enough for fast matrix products, few enough
# for truncation to save some.
JOINED = 128
TRIANGLE = 0.6  # of a square that a triangle is written to, by whole pages


class Block(NamedTuple):
    """The rows that one step adds to a coalition.

    Attributes
    ----------
    rows : Tensor of shape (b,)
        Which training rows, in the order in which they join.
    A : Tensor of shape (b, m)
        Their rows of ``L^-1 K[p, val]``.
    Z : Tensor of shape (b, n_outputs)
        Their rows of ``L^-1 Y[p]``.
    diagonal : Tensor of shape (b,)
        Their part of the diagonal of L.
    """

    rows: torch.Tensor
    A: torch.Tensor
    Z: torch.Tensor
    diagonal: torch.Tensor


class Prefixes:
    """Ridge regression on every prefix of a permutation of the training rows.

    Subclasses have `targets` and `blocks`.
    """

    def blocks(self, order):
        """Grow the coalition along a permutation.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.

        Yields
        ------
        Block
            The next rows. Its tensors are overwritten by the next permutation.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha is not positive definite; the message names alpha.
        """
        raise NotImplementedError

    @staticmethod
    def row_floats(m, n_outputs):
        """Count the floats that predictions after one row, and their scores, take."""
        return (3 * n_outputs + 3) * m

    def decisions(self, order):
        """Predict with every prefix of a permutation.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.

        Yields
        ------
        rows : Tensor of shape (b,)
            The next training rows to join.
        decision : Tensor of shape (n_outputs, b, m)
            Decision values after each of them has joined.
        """
        total = 0.0
        for block in self.blocks(order):
            decision = block.A.unsqueeze(0) * block.Z.T.unsqueeze(2)
            decision[:, 0] += total
            torch.cumsum(decision, 1, out=decision)
            total = decision[:, -1].clone()
            yield block.rows, decision

    def prequential(self, order):
        """Predict each training row from those before it in a permutation.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Decision values, by training row; zero for the first of the permutation.
        """
        out = torch.empty_like(self.targets)
        for block in self.blocks(order):
            target = self.targets[block.rows]
            out[block.rows] = target - block.diagonal.unsqueeze(1) * block.Z
        return out


class PrefixRidge(Prefixes):
    """Kernel ridge regression on every prefix of a permutation of the training rows.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Kernel of the training rows, float64.
    cross : Tensor of shape (n, m)
        Kernel between training rows and the rows to predict.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    alpha : float
        Strength of the ridge.

    Notes
    -----
    A whole permutation takes ``n^3 / 3 + n^2 (m + n_outputs)`` floating-point
    operations, nearly all in matrix products. Buffers are made once.
    """

    def __init__(self, K, cross, targets, alpha):
        self.K = K
        self.cross = cross
        self.alpha = alpha
        self.targets = targets
        self._right = torch.cat([cross, targets], 1)
        self._L = torch.empty_like(K)
        self._solved = torch.empty_like(self._right)
        self._diagonal = K.diagonal() + alpha

    @staticmethod
    def count_floats(n, m, n_outputs):
        """Count the floats that are written on the way, by n rows and m to predict."""
        held = TRIANGLE * n * n + 2 * n * (m + n_outputs)
        return held + JOINED * (2 * n + Prefixes.row_floats(m, n_outputs))

    def blocks(self, order):
        """Grow the coalition along a permutation; see `Prefixes`."""
        L, solved = self._L, self._solved
        inverses = []  # of the diagonal blocks
        spans = blocks(0, len(order), JOINED)
        for start, stop in spans:
            rows = order[start:stop]
            new = take_columns(self.K.index_select(0, rows), order[:stop])
            new[:, start:].diagonal().add_(self.alpha)
            for (i, j), inverse in zip(spans, inverses, strict=False):
                # new[:, i:j] minus what the columns before it explain
                new[:, i:j].addmm_(L[start:stop, :i], L[i:j, :i].T, alpha=-1)
                L[start:stop, i:j] = new[:, i:j] @ inverse.T
            left = L[start:stop, :start]
            corner = torch.addmm(new[:, start:], left, left.T, alpha=-1)
            own = self._diagonal[rows]
            corner = factorize(corner, diagonal=own, alpha=self.alpha)
            L[start:stop, start:stop] = corner
            identity = torch.eye(stop - start, dtype=L.dtype, device=L.device)
            inverse = torch.linalg.solve_triangular(corner, identity, upper=False)
            inverses.append(inverse)
            right = self._right.index_select(0, rows)
            right.addmm_(left, solved[:start], alpha=-1)
            torch.mm(inverse, right, out=solved[start:stop])
            new = solved[start:stop]
            q = self.targets.shape[1]
            yield Block(rows, new[:, :-q], new[:, -q:], corner.diagonal())
