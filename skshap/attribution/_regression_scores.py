"""Scores of regressors: squared error, absolute error and callables."""

import numpy as np
import torch

from skshap.attribution._callable_score import CallableScore, check_by_row
from skshap.attribution._utility import Utility

__all__ = ["REGRESSION_SCORINGS", "regression_null", "regression_utility"]


class SquaredError(Utility):
    """Minus the squared error."""

    work = 100

    def __call__(self, decision):
        return -(decision[0] - self.y).square()

    def mean_gains(self, prediction):
        error = prediction - self.y

        def gains(cross, weight):
            # e^2 - (e + w c)^2 = -w (2 e c + w c^2): two products of matrix and vector.
            weight = weight.squeeze(1)
            slope = 2 * (cross @ error) + weight * cross.square().sum(1)
            return -weight * slope / len(error)

        return gains


class AbsoluteError(Utility):
    """Minus the absolute error."""

    work = 80

    def __call__(self, decision):
        return -(decision[0] - self.y).abs()

    def mean_gains(self, prediction):
        error = prediction - self.y
        before = error.abs().mean()

        def gains(cross, weight):
            return before - torch.addcmul(error, cross, weight).abs_().mean(1)

        return gains


class CallableError(CallableScore):
    """What a function of predictions and targets says, of a single output."""

    work = 500


REGRESSION_SCORINGS = {
    "neg_mean_squared_error": SquaredError,
    "neg_mean_absolute_error": AbsoluteError,
}


def regression_utility(scoring, y, device=None):
    """Return the utility that a scoring stands for.

    Parameters
    ----------
    scoring : {"neg_mean_squared_error", "neg_mean_absolute_error"} or callable
        The score of a row.
    y : ndarray of shape (m,)
        Targets.
    device : str, torch.device or None, default=None
        Where predictions lie.

    Returns
    -------
    Utility

    Raises
    ------
    ValueError
        If a callable does not score each row by itself.
    """
    if callable(scoring):
        check_by_row(scoring, y, scale=1 + np.abs(y).max())
        return CallableError(scoring, y, device)
    return REGRESSION_SCORINGS[scoring](scoring, y, device)


def regression_null(scoring, null_score, y):
    """Return the utility of no training row at all, the same for every row scored.

    Parameters
    ----------
    scoring : {"neg_mean_squared_error", "neg_mean_absolute_error"} or callable
        The score of a row.
    null_score : {"prior", "zero"} or float
        "prior": what predicting the mean of the training targets scores on average over
        those targets; "zero": the same for predicting zero; or the utility itself.
    y : ndarray of shape (n,)
        Training targets.

    Returns
    -------
    float
        In the units of `scoring`.
    """
    if not isinstance(null_score, str):
        return float(null_score)
    guess = y.mean() if null_score == "prior" else 0.0
    predictions = torch.tensor(np.full((1, len(y)), guess))
    return float(regression_utility(scoring, y)(predictions).mean())
