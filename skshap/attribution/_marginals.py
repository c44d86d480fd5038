"""What adding or removing any row does to a coalition's predictions, in closed form.

With S the members of a coalition, all from one Cholesky factor: a row i that joins
moves the prediction at x by ``c_i(x) r_i / s_i``, where s_i is its Schur complement,
c_i(x) its kernel with x that S does not explain and r_i its residual; a member i that
leaves moves it by ``-g_i(x) b_i / d_i``, where d is the diagonal of the inverse of
``K_SS + alpha I``, g that inverse times the kernel with x and b it times the targets.
"""

from typing import NamedTuple

import torch

from skshap.utils._validation import check_pivots

__all__ = ["Coalition", "SweepingRidge"]


class Coalition(NamedTuple):
    """A coalition and how every row would move its predictions.

    Attributes
    ----------
    size : int
        Number of members: the first rows of the permutation.
    decision : Tensor of shape (n_outputs, m)
        Decision values.
    outside : tuple of Tensor of shape (n - size, m) and (n - size, n_outputs)
        Row i, the next of the permutation on, moves the decision value c at x by
        ``outside[0][i, x] * outside[1][i, c]`` when it joins.
    inside : tuple of Tensor of shape (size, m) and (size, n_outputs)
        The same for each member when it leaves.
    """

    size: int
    decision: torch.Tensor
    outside: tuple
    inside: tuple


class SweepingRidge:
    """Kernel ridge regression on prefixes of a permutation, with all marginals.

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
    block_size : int, default=192
        Rows that join in one step at most: enough for fast matrix products, few enough
        to keep small what is not one.

    Notes
    -----
    A whole permutation takes about ``2 n^3 / 3`` floating-point operations for the
    factor and its inverse and ``3 n^2 m`` for the predictions, all in matrix products
    and however many coalitions are looked at. Buffers take ``8 n (2 n + 3 m)`` bytes
    and are made once.
    """

    def __init__(self, K, cross, targets, alpha, block_size=192):
        self.K = K
        self.cross = cross
        self.targets = targets
        self.alpha = alpha
        self.block_size = block_size
        self._right = torch.cat([cross, targets], 1)
        self._diagonal = K.diagonal() + alpha
        self._factor = torch.empty_like(K)  # upper: its transpose is the factor
        self._inverse = torch.empty_like(K)  # of the factor, lower
        self._unexplained = torch.empty_like(self._right)
        self._solved = torch.empty_like(self._right)

    def coalitions(self, order, sizes):
        """Grow a coalition along a permutation and stop at some sizes.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        sizes : list of int
            Increasing sizes, from 0 to n.

        Yields
        ------
        Coalition
            At each size. Its tensors are overwritten by the next one.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha is not positive definite; the message names alpha.
        """
        n, q = len(order), self.targets.shape[1]
        m = self.cross.shape[1]
        rest, solved = self._unexplained, self._solved
        torch.index_select(self._right, 0, order, out=rest)
        schur = self._diagonal[order]
        diagonal = torch.zeros(n, dtype=schur.dtype, device=schur.device)
        decision = torch.zeros(q, m, dtype=schur.dtype, device=schur.device)
        spans, size = [], 0
        for target_size in sizes:
            while size < target_size:
                stop = min(size + self.block_size, target_size)
                self._grow(order, spans, size, stop, schur, diagonal, decision)
                spans.append((size, stop))
                size = stop
            check_pivots(
                schur[size:], 0, diagonal=self._diagonal[order[size:]], alpha=self.alpha
            )
            outside = rest[size:, :m], rest[size:, m:] / schur[size:, None]
            inside = solved[:size, :m], -solved[:size, m:] / diagonal[:size, None]
            yield Coalition(size, decision, outside, inside)

    def _grow(self, order, spans, start, stop, schur, diagonal, decision):
        """Let the rows ``order[start:stop]`` join."""
        U, inverse, rest, solved = (
            self._factor, self._inverse, self._unexplained, self._solved,
        )  # fmt: skip
        m = self.cross.shape[1]
        panel = self.K.index_select(0, order[start:stop]).index_select(1, order[start:])
        width = stop - start
        panel[:, :width].diagonal().add_(self.alpha)
        panel.addmm_(U[:start, start:stop].T, U[:start, start:], alpha=-1)
        corner, info = torch.linalg.cholesky_ex(panel[:, :width])
        check_pivots(
            corner.diagonal().square(),
            info,
            diagonal=self._diagonal[order[start:stop]],
            alpha=self.alpha,
        )
        identity = torch.eye(width, dtype=corner.dtype, device=corner.device)
        corner = torch.linalg.solve_triangular(corner, identity, upper=False)
        U[start:stop, start:] = corner @ panel
        joined = corner @ rest[start:stop]
        decision.addmm_(joined[:, m:].T, joined[:, :m])
        later = U[start:stop, stop:]
        rest[stop:].addmm_(later.T, joined, alpha=-1)
        schur[stop:] -= later.square().sum(0)
        # The new rows of the inverse factor, then what they add to the products.
        new = torch.zeros(width, start, dtype=corner.dtype, device=corner.device)
        for i, j in spans:
            new[:, :j].addmm_(U[i:j, start:stop].T, inverse[i:j, :j])
        new = torch.mm(corner, new).neg_()
        inverse[start:stop, :start] = new
        inverse[start:stop, start:stop] = corner
        solved[:start].addmm_(new.T, joined)
        torch.mm(corner.T, joined, out=solved[start:stop])
        diagonal[:start] += new.square().sum(0)
        diagonal[start:stop] = corner.square().sum(0)
