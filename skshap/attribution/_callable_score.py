"""Scores by functions of users, which are checked to score each row by itself."""

import numpy as np
import torch

from skshap.attribution._utility import Utility

__all__ = ["CallableScore", "call_scoring", "check_by_row"]

BY_ROW = (
    "It must compute each score from its own row alone: for weights of classes, index "
    "an array of them by label; for weights of rows, average the values of "
    "attribute(..., per_sample=True)."
)
TRIED = 32  # predictions that a callable is checked with, beside two a row
ROUNDING = 1e-6  # of scores, in units of their spread: a callable may work in float32
SINGLE, DOUBLE = 2.5e-7, 1e-12  # of float32 and float64, in units of the largest score


class CallableScore(Utility):
    """What a function of predictions and targets says."""

    is_smooth = False
    work = 250

    def __call__(self, decision):
        shape = decision.shape[1:]
        rows = decision.movedim(0, -1).reshape(-1, len(decision)).cpu().numpy().copy()
        rows = rows[:, 0] if len(decision) == 1 else rows
        y = self.y.expand(shape).reshape(-1).cpu().numpy().copy()
        return call_scoring(self.scoring, rows, y, shape).to(decision.device)


def call_scoring(scoring, predictions, y, shape):
    """Let a user's function score predictions, and check what it returns.

    Parameters
    ----------
    scoring : callable
        Of `predictions` and `y`.
    predictions : ndarray of shape (k, ...)
    y : ndarray of shape (k,)
    shape : torch.Size
        Of the result.

    Returns
    -------
    Tensor
        Float64.

    Raises
    ------
    ValueError
        If it fails, or does not return one finite score a row.
    """
    shapes = f"predictions of shape {predictions.shape}"
    try:
        returned = scoring(predictions, y)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"scoring failed on {shapes}, the rows of several coalitions: {error}. "
            f"{BY_ROW}"
        ) from error
    try:
        kind = np.asarray(returned).dtype
        if kind.kind not in "biufO":
            raise TypeError(f"of dtype {kind}")
        if np.ma.is_masked(returned):
            raise TypeError("with masked entries")
        scores = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "scoring must return one finite score a row, as real numbers, but it "
            f"returned {type(returned).__name__}: {error}"
        ) from error
    is_finite = np.isfinite(scores).all()
    if scores.shape != y.shape or not is_finite:
        raise ValueError(
            f"scoring must return one finite score a row: for {shapes} it returned an "
            f"array of shape {scores.shape}"
            f"{'' if is_finite else ' with NaN or infinity'}."
        )
    return torch.tensor(scores).reshape(shape)


def check_by_row(scoring, y, width=(), scale=1.0):
    """Raise if a user's function scores rows by what else is in their batch.

    Parameters
    ----------
    scoring : callable
        Of predictions and targets.
    y : ndarray of shape (m,)
        Targets, encoded.
    width : tuple of int, default=()
        Shape of the prediction of a row.
    scale : float, default=1.0
        Of predictions to try, positive ones.

    Raises
    ------
    ValueError
        If scores of all rows differ from those of parts in another order, or as in
        `call_scoring`.
    """
    y = np.tile(y, 2 + TRIED // len(y))  # as the rows of several coalitions
    predictions = scale * np.random.default_rng(0).random((len(y), *width))
    order = np.argsort(y, kind="stable")
    cut = np.count_nonzero(y == y[order[0]]) // 2  # amid a label: counts differ, shares
    whole, *parts = (
        call_scoring(scoring, predictions[rows], y[rows], (len(rows),))
        for rows in (np.arange(len(y)), order[:cut], order[cut:])
    )
    is_single = torch.equal(whole.float().double(), whole)
    spread, largest = whole.max() - whole.min(), whole.abs().max()
    rounding = ROUNDING * spread + (SINGLE if is_single else DOUBLE) * largest
    if (whole[order] - torch.cat(parts)).abs().max() > rounding:
        raise ValueError(
            f"scoring={scoring!r} gives a row another score where other rows are with "
            f"it, or each time. {BY_ROW}"
        )
