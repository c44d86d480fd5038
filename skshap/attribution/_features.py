"""Kernel ridge regression on coalitions when the kernel has few explicit features.

With ``K = F F'``, F of d columns, a coalition S is summed up by the matrix
``A = F_S' F_S + alpha I`` of d x d and by ``F_S' Y_S``: with ``h_i = f_i' A^-1 f_i``
and the residual r_i of the prediction at row i, a row that joins moves the prediction
at x by ``f_i' A^-1 f_x r_i / (1 + h_i)``, and by minus that over ``1 - h_i`` if it
leaves. No matrix of n x n is formed, and a coalition of any size is reached directly.
"""

from functools import partial

import torch

from skshap.attribution._moves import Coalition, Product, Side
from skshap.utils._ridge import check_pivots, factorize

__all__ = ["FeatureCoalitions"]

ROWS = 1 << 13  # worked on at a time, so that an interrupt is seen soon
LOOKED_AT = 32  # rows of a side, to see how far rows move predictions


class FeatureCoalitions:
    """Ridge regression on coalitions of any size, with all moves.

    Parameters
    ----------
    F : Tensor of shape (n, d)
        Features of the training rows, float64.
    F_val : Tensor of shape (m, d)
        Features of the rows to predict.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    alpha : float
        Strength of the ridge.

    Notes
    -----
    A coalition of k rows takes about ``d^2 (2 k + n) + 2 n d m`` floating-point
    operations, the latter when moves are looked at.
    """

    def __init__(self, F, F_val, targets, alpha):
        self.F = F
        self.F_val = F_val
        self.targets = targets
        self.alpha = alpha

    @staticmethod
    def count_floats(n, d, m):
        """Count the floats that are written on the way, by n rows and m to predict."""
        # Of rows, as they are and whitened; then squared, and once these are gone,
        # the products of both sides.
        rows = 2 * n * d + max(n * d, 2 * Product.count_floats(n, m))
        return rows + 5 * d * d + 2 * d * m

    def coalitions(self, order, sizes, choose=None):
        """Look at prefixes of a permutation.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        sizes : list of int
            Increasing sizes.
        choose : callable or None, default=None
            See :class:`GrowingCoalitions`; asked at each size on its own.

        Yields
        ------
        Coalition
            At each size; rows on both sides as in the permutation.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha is not positive definite; the message names alpha.
        """
        d = self.F.shape[1]
        A = self.alpha * torch.eye(d, dtype=self.F.dtype, device=self.F.device)
        right = self.F.new_zeros(d, self.targets.shape[1])
        start = 0
        for size in sizes:
            members, others = order[:size], order[size:]
            for new in order[start:size].split(ROWS):
                F_new = self.F[new]
                A = A.addmm(F_new.T, F_new)
                right = right.addmm(F_new.T, self.targets[new])
            start = size
            L = factorize(A, alpha=self.alpha)
            inverse = torch.cholesky_inverse(L)
            weights = inverse @ right
            decision = (self.F_val @ weights).T
            solved = inverse @ self.F_val.T
            joining = self._side(others, L, solved, weights, 1)
            leaving = self._side(members, L, solved, weights, -1)
            scored = None
            if choose is not None:
                reach = self._reach(joining, leaving)
                scored = choose(decision.unsqueeze(0), reach.unsqueeze(0)).at(0)
                decision = decision[:, scored.index]
                kept = solved[:, scored.index]
                joining, leaving = (
                    side._replace(cross=Product(side.cross.left, kept))
                    for side in (joining, leaving)
                )
            yield Coalition(size, decision, joining, leaving, scored)

    def _side(self, rows, L, solved, weights, sign):
        F = self.F[rows]
        white = torch.empty_like(F).T
        for new, out in zip(F.T.split(ROWS, 1), white.split(ROWS, 1), strict=True):
            out.copy_(torch.linalg.solve_triangular(L, new, upper=False))
        pivots = 1 + sign * white.square().sum(0)
        check_pivots(pivots, diagonal=torch.ones_like(pivots), alpha=self.alpha)
        residual = self.targets[rows].addmm_(F, weights, alpha=-1)
        block = partial(self._block, white, sign)
        return Side(rows, Product(F, solved), residual, pivots, block, sign)

    @staticmethod
    def _block(white, sign, places):
        """The kernel between some rows that others leave, in units of alpha."""
        rows = white.T[places]
        block = (rows @ rows.mT).mul_(sign)
        block.diagonal(dim1=1, dim2=2).add_(1)
        return block

    @staticmethod
    def _reach(*sides):
        """How far a row moves predictions, from some of them."""
        squares = []
        for side in sides:
            some = slice(None, None, max(1, len(side.rows) // LOOKED_AT))
            weight = side.residual[some] / side.diagonal[some, None]
            squares.append(weight.square().mean(1) * side.cross[some].square().mean(1))
        return torch.cat(squares).mean().sqrt()
