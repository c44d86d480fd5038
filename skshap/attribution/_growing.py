"""What adding or removing any row does to a coalition's predictions, in closed form.

With S the members of a coalition, all from one Cholesky factor: a row i that joins
moves the prediction at x by ``c_i(x) r_i / s_i``, where s_i is its Schur complement,
c_i(x) its kernel with x that S does not explain and r_i its residual; a member i that
leaves moves it by ``-g_i(x) b_i / d_i``, where d is the diagonal of the inverse of
``K_SS + alpha I``, g that inverse times the kernel with x and b it times the targets.

The factor alone tells the weights, so the predictions, of all coalitions on the way.
Moves, which take most of the work, are then carried only for those rows to predict that
are chosen by their predictions.
"""

from functools import partial

import torch

from skshap.attribution._moves import Coalition, Side
from skshap.attribution._prefixes import JOINED, TRIANGLE
from skshap.utils._ridge import blocks, check_pivots, factorize, take_columns

__all__ = ["GrowingCoalitions"]


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
    most : int
        Size of the largest coalition.

    Notes
    -----
    Growing to k of n rows takes about ``n k^2 - k^3 / 3`` floating-point operations,
    and predictions and moves for m rows to predict ``2 n k m`` more, and ``2 b^2 m``
    for each step of b rows from one coalition to the next, all in matrix products. To
    choose among the rows to predict takes ``2 n m`` for each coalition and output.
    Buffers are made once, but for those of rows that are chosen.
    """

    def __init__(self, K, cross, targets, alpha, *, most):
        self.K = K
        self.cross = cross
        self.targets = targets
        self.alpha = alpha
        self._right = torch.cat([targets, cross], 1)
        self._diagonal = K.diagonal() + alpha
        self._factor = K.new_empty(most, len(K))  # its transpose is the factor
        self._inverse = K.new_zeros(most, most)  # of the factor; triangular
        q, width = targets.shape[1], self._right.shape[1]
        # Factor's inverse times targets, which rows to predict are chosen by.
        self._whitened = K.new_empty(most, q)
        self._unexplained = K.new_empty(len(K), width)
        self._solved = K.new_empty(most, width)

    @staticmethod
    def count_floats(n, m, q, most, *, n_chosen_at):
        """Count the floats that are written on the way.

        Parameters
        ----------
        n : int
            Rows.
        m : int
            Rows to predict.
        q : int
            Outputs.
        most : int
            Size of the largest coalition.
        n_chosen_at : int
            At how many sizes rows to predict are chosen.

        Returns
        -------
        kept, passing : float
            In buffers, and at most in what is made anew for each permutation.
        """
        k, width, is_chosen = most, m + q, n_chosen_at > 0
        factor = n * k - (1 - TRIANGLE) * k * k
        kept = factor + k * k + k * q + (n + k) * width + n * width * (not is_chosen)
        passing = 3 * min(k, JOINED) * n + 2 * n * width * is_chosen
        return kept, passing + 2 * n_chosen_at * q * (n + m)

    def coalitions(self, order, sizes, choose=None):
        """Grow a coalition along a permutation and stop at some sizes.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        sizes : list of int
            Increasing sizes, from 0 to `most`.
        choose : callable or None, default=None
            Of the predictions at all stops, (n_stops, n_outputs, m), and of how far a
            row moves them there, (n_stops,); returns `KeptRows`, or None for all.

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
        self._factorize(order, sizes[-1] if len(sizes) else 0)
        kept = None if choose is None else choose(*self._predict(order, sizes))
        rest = self._unexplained
        if kept is None:
            torch.index_select(self._right, 0, order, out=rest)
        else:
            index = torch.cat([torch.arange(q, device=order.device), q + kept.index])
            # Rows and columns in one pass, by their places in memory.
            rows = self._right.shape[1] * order
            rest = self._right.take(rows.unsqueeze(1) + index)
        decision = rest.new_zeros(q, rest.shape[1] - q)
        schur = self._diagonal[order]
        inverse_diagonal = torch.zeros_like(schur)
        grown = 0
        for t, size in enumerate(sizes):
            scored = None if kept is None else kept.at(t)
            width = rest.shape[1] if scored is None else q + len(scored.index)
            decision = decision[:, : width - q]
            if size > grown:
                joined = self._move(rest[:, :width], grown, size)
                decision.addmm_(joined[:, :q].T, joined[:, q:])
                schur[size:] -= self._factor[grown:size, size:].square().sum(0)
                new = self._inverse[grown:size, :size]
                inverse_diagonal[:size] += new.square().sum(0)
                grown = size
            own = self._diagonal[order[size:]]
            check_pivots(schur[size:], diagonal=own, alpha=self.alpha)
            joining = Side(
                order[size:],
                rest[size:, q:width],
                rest[size:, :q],
                schur[size:],
                partial(self._schur_block, order, size),
                1,
            )
            leaving = Side(
                order[:size],
                self._solved[:size, q:width],
                self._solved[:size, :q],
                inverse_diagonal[:size],
                partial(self._inverse_block, size),
                -1,
            )
            yield Coalition(size, decision, joining, leaving, scored)

    def _schur_block(self, order, size, places):
        """What the members leave of the kernel between rows outside, with alpha."""
        rows = order[size + places]
        block = self.K[rows.unsqueeze(2), rows.unsqueeze(1)]
        block.diagonal(dim1=1, dim2=2).add_(self.alpha)
        return block.sub_(columns_product(self._factor[:size], size + places))

    def _inverse_block(self, size, places):
        """The block of some members in the inverse of all members' kernel."""
        return columns_product(self._inverse[:size], places)

    def _factorize(self, order, size):
        """Grow the factor, its inverse and the targets whitened by it."""
        done = []
        for start, stop in blocks(0, size, JOINED):
            self._join(order, done, start, stop)
            done.append((start, stop))

    def _predict(self, order, sizes):
        """Predict at each stop, and tell how far a row moves predictions there.

        They move by a step with each row that joins: the root mean square of those on
        the way to a stop, if the steps went either way. What is solved for is written
        over by `_move`.

        Returns
        -------
        decisions : Tensor of shape (n_stops, n_outputs, m)
        reach : Tensor of shape (n_stops,)
        """
        (n, m), q = self.cross.shape, self.targets.shape[1]
        weights = self.K.new_zeros(len(sizes), q, n)
        added = self.K.new_ones(len(sizes))
        solved = self._solved[:, :q]
        grown = 0
        for t, size in enumerate(sizes):
            if size > grown:
                self._solve(solved, self._whitened[grown:size], grown, size)
                added[t], grown = size - grown, size
            weights[t, :, order[:size]] = solved[:size].T
        decisions = (weights.flatten(0, 1) @ self.cross).unflatten(0, (-1, q))
        steps = decisions.diff(dim=0, prepend=decisions.new_zeros(1, q, m))
        return decisions, (steps.square().mean((1, 2)) / added).sqrt_()

    def _join(self, order, done, start, stop):
        """Add the rows ``order[start:stop]`` to the factor and what goes with it."""
        U, inverse, whitened = self._factor, self._inverse, self._whitened
        rows = order[start:stop]
        panel = take_columns(self.K.index_select(0, rows), order[start:])
        width = stop - start
        panel[:, :width].diagonal().add_(self.alpha)
        panel.addmm_(U[:start, start:stop].T, U[:start, start:], alpha=-1)
        own = self._diagonal[rows]
        corner = factorize(panel[:, :width], diagonal=own, alpha=self.alpha)
        identity = torch.eye(width, dtype=corner.dtype, device=corner.device)
        corner = torch.linalg.solve_triangular(corner, identity, upper=False)
        torch.mm(corner, panel, out=U[start:stop, start:])
        targets = self.targets.index_select(0, rows)
        targets.addmm_(U[:start, start:stop].T, whitened[:start], alpha=-1)
        whitened[start:stop] = corner @ targets
        new = corner.new_zeros(width, start)
        for i, j in done:
            new[:, :j].addmm_(U[i:j, start:stop].T, inverse[i:j, :j])
        torch.mm(corner.neg(), new, out=inverse[start:stop, :start])
        inverse[start:stop, start:stop] = corner

    def _move(self, rest, start, stop):
        """Let rows that join explain those outside, and be solved for.

        Of the joining rows, `rest` holds targets and kernel columns, less what the
        members explain; these are returned whitened by the factor.
        """
        joined = self._inverse[start:stop, start:stop] @ rest[start:stop]
        rest[stop:].addmm_(self._factor[start:stop, stop:].T, joined, alpha=-1)
        self._solve(self._solved[:, : joined.shape[1]], joined, start, stop)
        return joined

    def _solve(self, solved, joined, start, stop):
        """Add rows that join to what the members' kernel solves."""
        solved[:start].addmm_(self._inverse[start:stop, :start].T, joined)
        solved[start:stop] = self._inverse[start:stop, start:stop].T @ joined


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
