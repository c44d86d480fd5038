"""A noise model of leave-one-out predictions, which are refitted to what it says."""

import numpy as np

from skshap.selection._copies import diagonal_of_copies, find_copies
from skshap.selection._tuned_ridge import tune_kernel
from skshap.utils._ridge import leave_one_out

__all__ = ["fit_by_leaving_out"]

N_REFITS = 2  # of the ridge, on what the labels are taken to be


def fit_by_leaving_out(model, kernel, alpha=None, device=None):
    """Fit a noise model to what ridges on the other rows predict of each.

    Copies of a row whose labels agree are left out with it, unless there are many.

    Parameters
    ----------
    model : NoiseModel
        Is fitted.
    kernel : TrainingKernel
        Of its rows.
    alpha : float or None, default=None
        Strength of the ridge; None tunes it. It is tuned, on one of each, where there
        are copies.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    ndarray of shape (2,)
        Shares of the rows not known to be clean whose given label is missed by the
        first ridge, and by the last.
    """
    # A clean row that is the same says something of the label.
    copies = find_copies(kernel, np.where(model.is_clean, -1, model.given))
    one = np.unique(copies, return_index=True)[1]
    if len(one) < len(kernel):
        alpha = tune_kernel(kernel.part(one), model.given[one], device)
    elif alpha is None:
        alpha = tune_kernel(kernel, model.given, device)
    targets = np.eye(model.n_classes)[model.given]
    missed = []
    for _ in range(1 + N_REFITS):
        decision = leave_out(kernel, targets, alpha, copies, device)
        targets = model.fit(decision)
        is_missed = decision.argmax(1) != model.given
        missed.append(is_missed[~model.is_clean].mean())
    return np.array([missed[0], missed[-1]])


def leave_out(kernel, targets, alpha, copies, device=None):
    """Predict each row from rows that are no copies of it, shape (n, n_classes)."""
    right = np.hstack([targets, np.ones((len(targets), 1))])
    solved, diagonal, _ = kernel.solve(right, alpha, device)
    diagonal = diagonal_of_copies(diagonal, copies, alpha + kernel.lost)
    # One prior for all rows: that of the others speaks against the given label.
    return leave_one_out(targets, solved, diagonal, prior=targets.mean(0))
