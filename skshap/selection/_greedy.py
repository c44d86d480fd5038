"""Greedy choice of training rows: always the one that adds most to those chosen.

When row i joins a ridge regression, predictions move by ``c_i(x) r_i / s_i`` with the
kernel ``c_i(x)`` between i and x given the rows chosen so far, the residual ``r_i`` of
its target and its pivot ``s_i``, the kernel of i with itself given those rows plus
alpha. One rank-one update of all three a row chosen gives the gain of every other row.
"""

from typing import NamedTuple

import numpy as np
import torch

from skshap.selection._draft import Draft
from skshap.utils._progress import progress_bar

__all__ = ["GrowingRidge", "View", "choose_greedily"]


class View(NamedTuple):
    """Rows that a choice is evaluated on, and the training rows that it may then use.

    Attributes
    ----------
    is_candidate : ndarray of shape (n,)
        Which training rows predict.
    cross : ndarray of shape (n, m)
        Kernel between training rows and the rows predicted.
    y_index : ndarray of shape (m,)
        Index of the label of each of these.
    """

    is_candidate: np.ndarray
    cross: np.ndarray
    y_index: np.ndarray


class GrowingRidge:
    """Kernel ridge regression on rows chosen one at a time, none at first.

    Parameters
    ----------
    kernel_row : callable
        Returns the kernel of a training row with all of them, shape (n,), float64;
        that with itself does not matter.
    diagonal : Tensor of shape (n,)
        The kernel of each with itself.
    cross : Tensor of shape (n, m)
        Kernel between training rows and the rows to predict; is overwritten.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    wanted : Tensor of shape (m, n_outputs)
        What should be predicted.
    alpha : float
        Strength of the ridge.
    n_steps : int
        How many rows may be chosen.

    Notes
    -----
    Step k takes ``n (5 m + 2 k)`` multiplications or so; memory is
    ``8 n (m + n_steps)`` bytes.
    """

    def __init__(self, kernel_row, diagonal, cross, targets, wanted, alpha, n_steps):
        self.kernel_row = kernel_row
        self.cross = cross
        self.residuals = targets.clone()
        # What should be predicted minus what is; by column, which multiplies faster.
        self.misses = wanted.T.clone(memory_format=torch.contiguous_format).T
        self.pivots = diagonal + alpha
        self._factor = diagonal.new_empty(n_steps, len(diagonal))
        self._n_chosen = 0

    def gains(self):
        """Compute what each row would add if it were chosen next.

        Returns
        -------
        Tensor of shape (n,)
            Fall of the squared error, summed over the rows predicted; without meaning
            for rows that were chosen.
        """
        step = self.residuals / self.pivots.unsqueeze(1)
        linear = (step * (self.cross @ self.misses)).sum(1)
        squares = torch.linalg.vector_norm(self.cross, dim=1).square()
        return 2 * linear - step.square().sum(1) * squares

    def choose(self, row):
        """Train on one more row."""
        k = self._n_chosen
        pivot = self.pivots[row].clone()
        factor = self._factor[:k]
        # Kernel between all rows and this one, given those chosen.
        kernel = torch.addmv(self.kernel_row(row), factor.T, factor[:, row], alpha=-1)
        cross, step = self.cross[row].clone(), self.residuals[row] / pivot
        self.misses.addr_(cross, step, alpha=-1)
        self.residuals.addr_(kernel, step, alpha=-1)
        self.cross.addr_(kernel / pivot, cross, alpha=-1)
        self._factor[k] = kernel / pivot.sqrt()
        self.pivots -= self._factor[k].square()
        self._n_chosen += 1


def choose_greedily(
    kernel, y_index, views, *, alpha, n_to_choose, device=None, verbose=0
):
    """Choose training rows one after another, by what each adds to those before it.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n training rows.
    y_index : ndarray of shape (n,)
        Index of each row's label, from 0 on, without gaps.
    views : iterable of View
        What choices are evaluated on. A row's gain is its mean over the rows predicted
        in the views where it may be used.
    alpha : float
        Strength of the ridge.
    n_to_choose : int
        From the number of classes to n.
    device : str, torch.device or None, default=None
        Where to compute.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    order : ndarray of shape (n,)
        Rows, in the order in which they were chosen; then the others, by gain.
    gains : ndarray of shape (n,)
        Fall of the Brier score when a row was chosen; for the others, the fall if they
        were chosen next.

    Notes
    -----
    The ridge regresses indicators minus the inverse of the number of classes, so that
    no row at all predicts all classes alike, and gains are those of the squared error;
    with two classes one of them is counted, as in
    :func:`sklearn.metrics.brier_score_loss`. Classes keep their shares: a row is taken
    from the class furthest below its share of the training rows, or from one that is
    nearer to it by half a row at most.
    """
    n, n_classes = len(y_index), int(y_index.max()) + 1
    Y = np.eye(n_classes)[:, : 1 if n_classes == 2 else n_classes] - 1 / n_classes

    def tensor(array):
        return torch.tensor(array, dtype=torch.float64, device=device)

    values, diagonal = tensor(kernel.values), tensor(kernel.diagonal())

    def kernel_row(i):  # but for its own entry, which is on the diagonal
        return values @ values[i] if kernel.is_explicit else values[i]

    ridges, n_evaluated = [], np.zeros(n)
    for view in views:  # one at a time, as each is as large as its ridge
        is_candidate = view.is_candidate
        columns = map(tensor, (view.cross, Y[y_index], Y[view.y_index]))
        n_steps = min(n_to_choose, is_candidate.sum())
        ridge = GrowingRidge(kernel_row, diagonal, *columns, alpha, n_steps)
        ridges.append((ridge, is_candidate))
        n_evaluated += is_candidate * len(view.y_index)
        del view
    draft = Draft(y_index, n_to_choose)
    gains = np.zeros(n)
    options = {"desc": "selection", "unit": "row", "verbose": verbose}
    with progress_bar(total=n_to_choose, **options) as bar:
        for k in range(n_to_choose + 1):
            total = np.zeros(n)
            for ridge, is_candidate in ridges:
                total += np.where(is_candidate, ridge.gains().cpu().numpy(), 0.0)
            gains[draft.is_free] = (total / n_evaluated)[draft.is_free]
            if k == n_to_choose:
                break
            row = draft.choose(gains)
            for ridge, is_candidate in ridges:
                if is_candidate[row]:
                    ridge.choose(row)
            bar.update()
    return draft.order(gains), gains
