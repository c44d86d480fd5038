"""Ridge regression on every prefix of a permutation, from one Cholesky factor.

With ``L L'`` the factor of the permuted kernel plus alpha, ``A = L^-1 K[p, val]`` and
``Z = L^-1 Y[p]``, the prediction after k rows is ``sum_{j < k} A[j] Z[j]``: the leading
block of L is the factor of each prefix. The factor grows by blocks of rows, each from
those before it, so that a permutation can stop early.
"""

from typing import NamedTuple

import torch

from skshap.utils._ridge import blocks, factorize, take_columns

__all__ = ["JOINED", "TRIANGLE", "FeaturePrefixes", "KernelPrefixes"]

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

    Subclasses have `targets` and `blocks`, which yields :class:`Block`.
    """

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


class KernelPrefixes(Prefixes):
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


class FeaturePrefixes(Prefixes):
    """Ridge regression on every prefix of a permutation of the training rows.

    Parameters
    ----------
    F : Tensor of shape (n, d)
        Features of the training rows, float64.
    F_val : Tensor of shape (m, d)
        Features of the rows to predict.
    targets, alpha
        See `KernelPrefixes`.

    Notes
    -----
    Between blocks the members are summed up by their features; within a block the ridge
    is one with the kernel that they leave, ``alpha F A^-1 F'``. A whole permutation
    takes about ``4 n d (d + m)`` floating-point operations.
    """

    def __init__(self, F, F_val, targets, alpha):
        self.F = F
        self.F_val = F_val
        self.targets = targets
        self.alpha = alpha

    @staticmethod
    def count_floats(d, m, n_outputs):
        """Count the floats that are written on the way, by m rows to predict."""
        b = rows_a_step(d)
        rows = b * (2 * d + 3 * b + Prefixes.row_floats(m, n_outputs))
        return 5 * d * d + 3 * d * (m + n_outputs) + rows

    def blocks(self, order):
        """Grow the coalition along a permutation; see `KernelPrefixes`."""
        F, alpha = self.F, self.alpha
        d = F.shape[1]
        A = alpha * torch.eye(d, dtype=F.dtype, device=F.device)
        right = torch.cat([self.F_val.T, F.new_zeros(d, self.targets.shape[1])], 1)
        m = len(self.F_val)
        for rows in order.split(rows_a_step(d)):
            F_new, Y_new = F[rows], self.targets[rows]
            L = factorize(A, alpha=alpha)
            new = torch.linalg.solve_triangular(L, F_new.T, upper=False)
            whitened = torch.linalg.solve_triangular(L, right, upper=False)
            right[:, m:].addmm_(F_new.T, Y_new)
            A = A.addmm(F_new.T, F_new)
            local = alpha * (new.T @ new)
            local.diagonal().add_(alpha)
            corner = factorize(local, alpha=alpha)
            explained = new.T @ whitened
            explained[:, :m] *= alpha
            explained[:, m:] = Y_new - explained[:, m:]
            solved = torch.linalg.solve_triangular(corner, explained, upper=False)
            yield Block(rows, solved[:, :m], solved[:, m:], corner.diagonal())


def rows_a_step(d):
    """Return how many rows join in one step, of d features."""
    return max(JOINED, d // 2)
