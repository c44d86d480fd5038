"""What adding or removing any row does to a coalition's predictions, in closed form.

With S the members of a coalition, all from one Cholesky factor: a row i that joins
moves the prediction at x by ``c_i(x) r_i / s_i``, where s_i is its Schur complement,
c_i(x) its kernel with x that S does not explain and r_i its residual; a member i that
leaves moves it by ``-g_i(x) b_i / d_i``, where d is the diagonal of the inverse of
``K_SS + alpha I``, g that inverse times the kernel with x and b it times the targets.

Large coalitions are reached from the other end. With ``P = (K + alpha I)^-1``, taking a
set R out of all rows lowers the prediction by what ridge without penalty predicts from
R with kernel P, cross kernel ``P k(x)`` and targets ``P Y``: the same algebra with
joining and leaving exchanged, from one inverse for all permutations.
"""

from functools import partial

import torch

from skshap.attribution._moves import Coalition, Side
from skshap.utils._ridge import check_pivots

__all__ = ["GrowingCoalitions", "ShrinkingCoalitions", "invert_ridge"]


class GrowingCoalitions:
    """Kernel ridge regression on prefixes of a permutation, with all moves.

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
    largest : int or None, default=None
        Size of the largest coalition; None for all rows.
    block_size : int, default=192
        Rows that join in one step at most: enough for fast matrix products, few enough
        to keep small what is not one.

    Notes
    -----
    Growing to k of n rows takes about ``n k^2 - k^3 / 3 + 2 m n k`` floating-point
    operations, all in matrix products and however many coalitions are looked at.
    Buffers take ``8 (k n + k^2 + 3 n m)`` bytes and are made once.
    """

    def __init__(self, K, cross, targets, alpha, *, largest=None, block_size=192):
        self.K = K
        self.cross = cross
        self.targets = targets
        self.alpha = alpha
        self.block_size = block_size
        n = len(K)
        largest = n if largest is None else largest
        self._right = torch.cat([cross, targets], 1)
        self._diagonal = K.diagonal() + alpha
        self._factor = K.new_empty(largest, n)  # its transpose is the factor
        self._inverse = K.new_empty(largest, largest)  # of the factor
        self._unexplained = torch.empty_like(self._right)
        self._solved = torch.empty_like(self._right)

    def coalitions(self, order, sizes):
        """Grow a coalition along a permutation and stop at some sizes.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        sizes : list of int
            Increasing sizes, from 0 to `largest`.

        Yields
        ------
        Coalition
            At each size; rows on both sides as in the permutation. Its tensors are
            overwritten by the next one.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha is not positive definite; the message names alpha.
        """
        q = self.targets.shape[1]
        m = self.cross.shape[1]
        rest, solved = self._unexplained, self._solved
        torch.index_select(self._right, 0, order, out=rest)
        schur = self._diagonal[order]
        inverse_diagonal = torch.zeros_like(schur)
        decision = torch.zeros(q, m, dtype=schur.dtype, device=schur.device)
        spans, size = [], 0
        for target_size in sizes:
            while size < target_size:
                stop = min(size + self.block_size, target_size)
                self._grow(order, spans, size, stop, schur, inverse_diagonal, decision)
                spans.append((size, stop))
                size = stop
            check_pivots(
                schur[size:], 0, diagonal=self._diagonal[order[size:]], alpha=self.alpha
            )
            joining = Side(
                order[size:],
                rest[size:, :m],
                rest[size:, m:],
                schur[size:],
                partial(self._schur_block, order, size),
                1,
            )
            leaving = Side(
                order[:size],
                solved[:size, :m],
                solved[:size, m:],
                inverse_diagonal[:size],
                partial(self._inverse_block, size),
                -1,
            )
            yield Coalition(size, decision, joining, leaving)

    def _schur_block(self, order, size, start, stop):
        """What the members leave of the kernel between rows outside, with alpha."""
        start, stop = size + start, size + stop
        rows = order[start:stop]
        block = self.K.index_select(0, rows).index_select(1, rows)
        block.diagonal().add_(self.alpha)
        explained = self._factor[:size, start:stop]
        return block.addmm_(explained.T, explained, alpha=-1)

    def _inverse_block(self, size, start, stop):
        """The block of some members in the inverse of all members' kernel."""
        columns = self._inverse[start:size, start:stop].clone()
        # Above the diagonal of a triangle, where nothing was written.
        columns[: stop - start].tril_()
        return columns.T @ columns

    def _grow(self, order, spans, start, stop, schur, inverse_diagonal, decision):
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
        inverse_diagonal[:start] += new.square().sum(0)
        inverse_diagonal[start:stop] = corner.square().sum(0)


class ShrinkingCoalitions:
    """Kernel ridge regression on all rows but some, with all moves.

    Parameters
    ----------
    P : Tensor of shape (n, n)
        ``(K + alpha I)^-1``, from `invert_ridge`.
    cross : Tensor of shape (n, m)
        ``P`` times the kernel between training rows and the rows to predict.
    weights : Tensor of shape (n, n_outputs)
        ``P`` times the targets.
    decision : Tensor of shape (n_outputs, m)
        What the ridge on all rows predicts.
    most : int
        How many rows are taken out at most.
    block_size : int, default=192
        See :class:`GrowingCoalitions`.

    Notes
    -----
    Taking out k of n rows takes what growing to k rows takes.
    """

    def __init__(self, P, cross, weights, decision, *, most, block_size=192):
        self._decision = decision
        self._taken = GrowingCoalitions(
            P, cross, weights, 0.0, largest=most, block_size=block_size
        )

    def coalitions(self, order, numbers):
        """Take rows out along a permutation and stop at some numbers of them.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        numbers : list of int
            Increasing numbers of rows taken out, from 0 to `most`.

        Yields
        ------
        Coalition
            Of the other rows, each time; rows on both sides as in the permutation. Its
            tensors are overwritten by the next one.
        """
        for taken in self._taken.coalitions(order, numbers):
            yield Coalition(
                len(order) - taken.size,
                self._decision - taken.decision,
                taken.leaving._replace(sign=-taken.leaving.sign),
                taken.joining._replace(sign=-taken.joining.sign),
            )


def invert_ridge(K, alpha, block_size=512):
    """Return ``(K + alpha I)^-1``.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Kernel of the training rows.
    alpha : float
        Strength of the ridge.
    block_size : int, default=512
        Columns that are worked on at a time, so that an interrupt is seen soon.

    Returns
    -------
    Tensor of shape (n, n)

    Notes
    -----
    About ``n^3`` floating-point multiplications, and as many additions.
    """
    n = len(K)
    L = K.clone()  # its lower triangle becomes the factor, then the factor's inverse
    L.diagonal().add_(alpha)
    diagonal = L.diagonal().clone()
    spans = [(i, min(i + block_size, n)) for i in range(0, n, block_size)]
    for i, j in spans:
        L[i:, i:j].addmm_(L[i:, :i], L[i:j, :i].T, alpha=-1)
        corner, info = torch.linalg.cholesky_ex(L[i:j, i:j])
        pivots = corner.diagonal().square()
        check_pivots(pivots, info, diagonal=diagonal[i:j], alpha=alpha)
        L[i:j, i:j] = corner
        solved = torch.linalg.solve_triangular(corner, L[j:, i:j].T, upper=False)
        L[j:, i:j] = solved.T
    L.tril_()
    for i, j in spans:
        identity = torch.eye(j - i, dtype=L.dtype, device=L.device)
        corner = torch.linalg.solve_triangular(L[i:j, i:j], identity, upper=False)
        left = corner @ L[i:j, :i]
        L[i:j, :i] = torch.mm(left, L[:i, :i]).neg_()
        L[i:j, i:j] = corner
    out = torch.empty_like(K)
    for i, j in spans:
        block = L[i:, i:j].T @ L[i:, :j]
        out[i:j, :j] = block
        out[:j, i:j] = block.T
    return out
