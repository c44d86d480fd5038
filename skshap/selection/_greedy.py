"""Greedy choice of training rows: always the one that adds most to those chosen."""

from typing import NamedTuple

import numpy as np
import torch

from skshap.selection._draft import Draft
from skshap.selection._growing_ridges import FeatureGrowingRidges, KernelGrowingRidges
from skshap.utils._progress import progress_bar

__all__ = ["View", "choose_greedily", "make_ridges"]


class View(NamedTuple):
    """Rows that a choice is evaluated on, and the training rows that it may then use.

    Attributes
    ----------
    is_candidate : ndarray of shape (n,)
        Which training rows predict.
    rows : ndarray of shape (m, d) or (m, n)
        The rows predicted: their explicit features where training rows have such, else
        their kernel with training rows.
    y_index : ndarray of shape (m,)
        Index of the label of each of these.
    """

    is_candidate: np.ndarray
    rows: np.ndarray
    y_index: np.ndarray


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
    ridges = make_ridges(kernel, y_index, views, alpha, n_to_choose, device)
    n_evaluated = ridges.n_evaluated()
    draft = Draft(y_index, n_to_choose)
    gains = np.zeros(len(y_index))
    options = {"desc": "selection", "unit": "row", "verbose": verbose}
    with progress_bar(total=n_to_choose, **options) as bar:
        for k in range(n_to_choose + 1):
            mean = (ridges.gains() / n_evaluated).cpu().numpy()
            gains[draft.is_free] = mean[draft.is_free]
            if k == n_to_choose:
                break
            row = draft.choose(gains)
            ridges.choose(row)
            bar.update()
    return draft.order(gains), gains


def make_ridges(kernel, y_index, views, alpha, n_to_choose, device):
    """Return ridges, one for each view, on which no row is chosen yet."""
    n_classes = int(y_index.max()) + 1
    Y = np.eye(n_classes)[:, : 1 if n_classes == 2 else n_classes] - 1 / n_classes

    def tensor(array, dtype=torch.float64):
        return torch.tensor(array, dtype=dtype, device=device)

    values, diagonal = tensor(kernel.values), tensor(kernel.diagonal())
    is_explicit = kernel.is_explicit
    rows, wanted, may_use = [], [], []
    for view in views:  # one at a time, as each may be as large as its ridge
        rows.append(tensor(view.rows))
        wanted.append(tensor(Y[view.y_index]))
        may_use.append(tensor(view.is_candidate, torch.bool))
        del view
    may_use, targets = torch.stack(may_use), tensor(Y[y_index])
    options = {"wanted": wanted, "is_candidate": may_use, "alpha": alpha}
    n_predicted = sum(map(len, rows))
    if is_explicit and are_few(values.shape, len(rows), n_predicted, n_to_choose):
        return FeatureGrowingRidges(values, diagonal, targets, rows, **options)

    def kernel_row(i):  # but for its own entry, which is on the diagonal
        return values @ values[i] if is_explicit else values[i]

    cross = [values @ own.T if is_explicit else own.T for own in rows]
    options["n_steps"] = n_to_choose
    return KernelGrowingRidges(kernel_row, diagonal, targets, cross, **options)


def are_few(shape, n_ridges, n_predicted, n_to_choose):
    """Whether features are so few that ridges on them take less than by their kernel.

    Parameters
    ----------
    shape : tuple of int
        Number of training rows, and of features.
    n_ridges, n_predicted, n_to_choose : int
        How many ridges there are, rows that they predict together, and steps.
    """
    n, d = shape
    by_kernel = n * (d + 2 * n_predicted + n_ridges * n_to_choose / 2)
    return n_ridges * d * (2 * n + 4 * d) <= by_kernel
