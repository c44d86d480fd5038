"""Ridge regressions on rows chosen one at a time, and what each row would add next.

When row i joins, predictions at x move by ``c_i(x) r_i / s_i`` with the kernel
``c_i(x)`` between i and x given the rows chosen so far, the residual ``r_i`` of its
target and its pivot ``s_i``, the kernel of i with itself given those rows plus alpha.
How much the squared error falls is known from ``sum_x c_i(x) e(x)`` and ``sum_x
c_i(x)^2``, with what predictions still miss, ``e(x)``. Both follow from those before
the last row j, by ``sum_x c_i(x) c_j(x)``, so that no ``c_i(x)`` is written anew.
"""

import torch

__all__ = ["FeatureGrowingRidges", "KernelGrowingRidges"]

DELAYED = 32  # rows chosen before the kernel given them is written
# Of a gain, or of the largest, what may be lost where sums follow from those before.
ROUNDED = 1e-8


class GrowingRidges:
    """Ridge regressions on rows chosen one at a time, none at first.

    Subclasses define ``choose(row)``, which trains the ridges that may use a row on it,
    and `_sum`, which computes sums anew.

    Parameters
    ----------
    diagonal : Tensor of shape (n,)
        The kernel of each training row with itself.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    is_candidate : Tensor of shape (n_ridges, n) of bool
        Which training rows each ridge may be trained on.
    wanted : list of Tensor of shape (m, n_outputs)
        By ridge, what should be predicted.
    alpha : float
        Strength of the ridge.
    """

    def __init__(self, diagonal, targets, is_candidate, wanted, alpha):
        n_ridges = len(is_candidate)
        self.is_candidate = is_candidate
        self._n_predicted = [len(part) for part in wanted]
        self.residuals = targets.repeat(n_ridges, 1, 1)
        self.pivots = (diagonal + alpha).repeat(n_ridges, 1)
        self._is_free = is_candidate.clone()
        self._largest_miss = max(float(torch.linalg.norm(part)) for part in wanted)
        self._start()

    def n_evaluated(self):
        """Count the rows predicted by the ridges that may use each row."""
        counts = zip(self.is_candidate, self._n_predicted, strict=True)
        return sum(may_use * count for may_use, count in counts)

    def gains(self):
        """Compute what each row would add if it were chosen next.

        Returns
        -------
        Tensor of shape (n,)
            Fall of the squared error, summed over the rows predicted by the ridges that
            may use it; without meaning for rows that were chosen.
        """
        gains = self._gains()
        if self._is_rounded(gains):
            self._start()
            gains = self._gains()
        return torch.where(self.is_candidate, gains, 0.0).sum(0)

    def _gains(self):
        step = self.residuals / self.pivots.unsqueeze(2)
        linear = (step * self._linear).sum(2)
        return 2 * linear - step.square().sum(2) * self._squares

    def _is_rounded(self, gains):
        """Whether what sums were before is so large that gains are rounded."""
        step = torch.linalg.vector_norm(self.residuals, dim=2) / self.pivots
        moved = step * self._squares_before.sqrt()
        lost = torch.finfo(gains.dtype).eps * moved * (moved + 2 * self._largest_miss)
        lost, gains = (torch.where(self._is_free, x, 0.0).sum(0) for x in (lost, gains))
        best = torch.where(self._is_free.any(0), gains, -torch.inf).amax()
        scale = torch.maximum(gains.abs(), best.abs())
        return bool((lost > ROUNDED * scale).any())

    def _start(self):
        """Compute the sums over rows predicted anew."""
        self._linear, self._squares = self._sum()
        self._squares_before = self._squares.clone()

    def _follow(self, row, kernel, products, square, missed):
        """Let sums, residuals and pivots follow a row that was chosen.

        Parameters
        ----------
        row : int
        kernel : Tensor of shape (n_ridges, n)
            Between each row and the one chosen, given those before; zero for a ridge
            that may not use it, as are the following.
        products : Tensor of shape (n_ridges, n)
            The same with the rows predicted, multiplied and summed over these.
        square : Tensor of shape (n_ridges,)
            Sum of squares of the kernel between the row chosen and those predicted.
        missed : Tensor of shape (n_ridges, n_outputs)
            Sum of that kernel times what predictions missed.

        Returns
        -------
        step : Tensor of shape (n_ridges, n_outputs)
            Weight of the row in predictions.
        """
        pivot = self.pivots[:, row].unsqueeze(1)
        share, square = kernel / pivot, square.unsqueeze(1)
        step = self.residuals[:, row] / pivot
        self.residuals.baddbmm_(kernel.unsqueeze(2), step.unsqueeze(1), alpha=-1)
        moved = missed - square * step
        self._linear.baddbmm_(products.unsqueeze(2), step.unsqueeze(1), alpha=-1)
        self._linear.baddbmm_(share.unsqueeze(2), moved.unsqueeze(1), alpha=-1)
        self._squares += share * (share * square - 2 * products)
        self.pivots -= share * kernel
        self._is_free[:, row] = False
        return step


class KernelGrowingRidges(GrowingRidges):
    """Such ridges by their kernel.

    Parameters
    ----------
    kernel_row : callable
        Returns the kernel of a training row with all of them, shape (n,), float64;
        that with itself does not matter.
    diagonal, targets, wanted, is_candidate, alpha
        See `GrowingRidges`.
    cross : list of Tensor of shape (n, m)
        By ridge, kernel between training rows and the rows to predict; are overwritten.
    n_steps : int
        How many rows may be chosen.

    Notes
    -----
    Step k takes ``n (2 m + k n_ridges)`` multiplications or so, with m rows predicted
    by all ridges together; memory is ``8 n (m + n_steps n_ridges)`` bytes.
    """

    def __init__(
        self,
        kernel_row,
        diagonal,
        targets,
        cross,
        *,
        wanted,
        is_candidate,
        alpha,
        n_steps,
    ):
        self.kernel_row = kernel_row
        self.cross = cross
        # What should be predicted minus what is; by column, which multiplies faster.
        self.misses = [
            part.T.clone(memory_format=torch.contiguous_format).T for part in wanted
        ]
        self._factor = diagonal.new_empty(len(cross), n_steps, len(diagonal))
        self._n_chosen = self._n_written = 0
        # What rows of the factor after those are multiplied by, to be taken from cross.
        self._unwritten = [part.new_zeros(DELAYED, part.shape[1]) for part in cross]
        super().__init__(diagonal, targets, is_candidate, wanted, alpha)

    def choose(self, row):
        k, start = self._n_chosen, self._n_written
        own, roots = self.kernel_row(row), self.pivots[:, row].sqrt()
        kernel, products = self.residuals.new_zeros(2, *self.pivots.shape)
        square = torch.zeros_like(roots)
        missed = torch.zeros_like(self.residuals[:, row])
        for i in self.is_candidate[:, row].nonzero().flatten().tolist():
            before = self._factor[i, :k]
            torch.addmv(own, before.T, before[:, row], alpha=-1, out=kernel[i])
            late, unwritten = before[start:], self._unwritten[i][: k - start]
            cross = torch.addmv(self.cross[i][row], unwritten.T, late[:, row], alpha=-1)
            torch.mv(self.cross[i], cross, out=products[i])
            products[i].addmv_(late.T, unwritten @ cross, alpha=-1)
            square[i], missed[i] = cross @ cross, cross @ self.misses[i]
            step = self.residuals[i, row] / self.pivots[i, row]
            self.misses[i].addr_(cross, step, alpha=-1)
            self._unwritten[i][k - start] = cross / roots[i]
        self._factor[:, k] = kernel / roots.unsqueeze(1)  # zero for other ridges
        self._follow(row, kernel, products, square, missed)
        self._n_chosen += 1
        if self._n_chosen - start == DELAYED:
            self._start()

    def _sum(self):
        start, self._n_written = self._n_written, self._n_chosen
        linear, squares = [], []
        for i, cross in enumerate(self.cross):
            late = self._factor[i, start : self._n_chosen]
            cross.addmm_(late.T, self._unwritten[i][: len(late)], alpha=-1)
            linear.append(cross @ self.misses[i])
            squares.append(torch.linalg.vector_norm(cross, dim=1).square())
        return torch.stack(linear), torch.stack(squares)


class FeatureGrowingRidges(GrowingRidges):
    """Such ridges on explicit features.

    Parameters
    ----------
    F : Tensor of shape (n, d)
        Features of the training rows.
    diagonal, targets, wanted, is_candidate, alpha
        See `GrowingRidges`.
    rows : list of Tensor of shape (m, d)
        By ridge, features of the rows to predict.

    Notes
    -----
    A step takes ``n_ridges d (2 n + 4 d)`` multiplications or so; memory is
    ``16 n_ridges d^2`` bytes. The kernel given the rows chosen is ``F A F'``, of A that
    is alpha, with what features lack, times the inverse of the sum of that and of the
    outer products of those rows.
    """

    def __init__(self, F, diagonal, targets, rows, *, wanted, is_candidate, alpha):
        self.F = F
        eye = torch.eye(F.shape[1], dtype=F.dtype, device=F.device)
        self._left = eye.repeat(len(rows), 1, 1)  # A
        self._second = torch.stack([own.T @ own for own in rows])
        self._missed = torch.stack(  # by feature
            [own.T @ part for own, part in zip(rows, wanted, strict=True)]
        )
        super().__init__(diagonal, targets, is_candidate, wanted, alpha)

    def choose(self, row):
        may_choose = self.is_candidate[:, row].unsqueeze(1)
        solved = torch.where(may_choose, self._left @ self.F[row], 0.0)
        summed = (self._second @ solved.unsqueeze(2)).squeeze(2)
        product = (self._left @ summed.unsqueeze(2)).squeeze(2)
        both = torch.cat([solved, product]) @ self.F.T
        kernel, products = both.split(len(solved))
        square = (solved * summed).sum(1)
        missed = (solved.unsqueeze(2) * self._missed).sum(1)
        pivot = self.pivots[:, row].reshape(-1, 1, 1).clone()
        step = self._follow(row, kernel, products, square, missed)
        column = solved.unsqueeze(2)
        self._left.baddbmm_(column / pivot, column.mT, alpha=-1)
        self._missed.baddbmm_(summed.unsqueeze(2), step.unsqueeze(1), alpha=-1)

    def _sum(self):
        linear, squares = [], []
        for left, second, missed in zip(
            self._left, self._second, self._missed, strict=True
        ):
            linear.append(self.F @ (left @ missed))
            weighted = self.F @ left
            squares.append((weighted @ second).mul_(weighted).sum(1))
        return torch.stack(linear), torch.stack(squares).clamp_(min=0)
