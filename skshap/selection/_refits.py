"""Noise models of leave-one-out predictions, which are refitted to what they say."""

from functools import partial
from typing import NamedTuple

import numpy as np

from skshap.kernel_ridge._alpha import choose_alpha
from skshap.selection._copies import (
    diagonal_of_copies,
    find_copies,
    find_recurring,
    least_recurring,
    mean_of_copies,
    number_rows,
)
from skshap.selection._noise_choice import choose_model, count_common
from skshap.utils._ridge import leave_one_out, with_ones

__all__ = ["Misses", "fit_by_attributor", "fit_by_leaving_out"]

N_REFITS = 2  # of the ridge, on what the labels are taken to be
# Nats that labels must be likelier by a second beginning: its ridges are others, so
# that less says little.
LEAST_GAIN = 1.0
N_SURE = 3  # ridges on predicted classes, after which wrong labels have no part in them


class Misses(NamedTuple):
    """Rows whose given label is not the one predicted, as shares of those judged.

    Attributes
    ----------
    at_first : float
        By the first ridge.
    surely : float
        By the last; each row counts by how probably its label is right, and by how sure
        the prediction is, from 0 where all classes are equally probable to 1.
    right_share : float
        The same as a share of rows that count by how sure the prediction is alone.
    """

    at_first: float
    surely: float
    right_share: float


def fit_by_attributor(models, attributor):
    """Fit noise models by the kernel of an attributor; see `fit_by_leaving_out`.

    Parameters
    ----------
    models : list of NoiseModel
    attributor : FreeShapAttributor
        Fitted on their rows. Its `alpha` is that of the ridges only where it was tuned.

    Returns
    -------
    model : NoiseModel
    misses : Misses
    """
    alpha = attributor.alpha_ if attributor.alpha == "auto" else None
    kernel, device = attributor._training_kernel, attributor.device
    return fit_by_leaving_out(models, kernel, alpha, device)


def fit_by_leaving_out(models, kernel, alpha=None, device=None):
    """Fit noise models to what ridges on the other rows predict of each.

    Copies of a row are left out with it, see `find_copies`. Rows that recur often with
    all kinds of labels, such as empty ones, are no part of it: their labels are judged
    by how often such rows have each.

    Parameters
    ----------
    models : list of NoiseModel
        Of the same labels, from `noise_models`.
    kernel : TrainingKernel
        Of their rows.
    alpha : float or None, default=None
        Strength of the ridge; None tunes it. It is tuned on one of each where there are
        copies, and on the others where rows recur.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    model : NoiseModel
        The one to go by, see `choose_model`.
    misses : Misses
        Of its ridges, among the rows not known to be clean.
    """
    number, first = number_rows(kernel), models[0]
    recurs = find_recurring(number, first.given, first.is_clean)
    least = least_recurring(len(number))
    if not recurs.any():
        return fit_to_others(models, kernel, number, least, alpha, device)
    rows = np.flatnonzero(~recurs)
    parts, others = [model.part(rows) for model in models], kernel.part(rows)
    part, misses = fit_to_others(parts, others, number[rows], least, None, device)
    first.take_over(part, rows, shares_by_number(number, first))
    return first, misses


def shares_by_number(number, model):
    """Return how often other rows that are the same have each label.

    One row more stands for what is not among them, with the shares of all rows.

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    labels = np.eye(model.n_classes)[model.given]
    counts = np.zeros((number.max() + 1, model.n_classes))
    np.add.at(counts, number, labels)
    others = counts[number] - labels + labels.mean(0)
    return others / others.sum(1, keepdims=True)


def fit_to_others(models, kernel, number, least, alpha, device):
    """Fit noise models to rows without those that recur; see `fit_by_leaving_out`.

    Parameters
    ----------
    number : ndarray of shape (n,)
        From `number_rows`.
    least : float
        See `find_copies`.

    Returns
    -------
    model : NoiseModel
    misses : Misses
    """
    labels = np.eye(models[0].n_classes)[models[0].given]
    copies = find_copies(number, models[0].given, models[0].is_clean, least)
    one = np.unique(copies, return_index=True)[1]
    if len(one) < len(kernel):
        shares = mean_of_copies(labels, copies)[one]
        alpha = choose_alpha(kernel.part(one), shares, device=device)
    elif alpha is None:
        alpha = choose_alpha(kernel, labels, device=device)
    factor = kernel.factorize(alpha, device)
    diagonal = diagonal_of_copies(factor.inverse_diagonal, copies, alpha + kernel.lost)
    predict = partial(leave_out, factor, copies, diagonal)
    decision = predict(labels)
    fit = partial(fit_and_refit, decision=decision, predict=predict)
    model, missed_at_first = choose_model(models, fit)
    model.judge_copies(copies)
    return model, misses_of(model, missed_at_first)


def fit_and_refit(model, decision, predict):
    """Fit a noise model to predictions, and these to what it takes labels to be.

    A model of two classes begins twice: by the given labels, and by rows that are
    surely of the class they are predicted as. Where labels of one class went wrong, its
    rows can look hard instead, which iterations do not get away from.

    Parameters
    ----------
    model : NoiseModel
    decision : ndarray of shape (n, n_classes)
        What the other rows predict of each, by the given labels.
    predict : callable
        What they predict by other targets: `leave_out` of the rest.

    Returns
    -------
    model : NoiseModel
        Of two beginnings the second, where it explains labels better and fewer rows are
        hard, else the first.
    missed_at_first : ndarray of shape (n,) of bool
        Whose given label is not the one predicted by the first ridge.
    """
    model.fit(decision)
    missed_at_first = model.predict() != model.given
    refit(model, predict)
    if count_common(model.given[~model.is_clean]) != 2:
        return model, missed_at_first
    for _ in range(N_SURE):
        decision = predict(np.eye(model.n_classes)[decision.argmax(1)])
    other = model.begun_by(decision)
    other.fit(decision)
    refit(other, predict)
    gain = other.log_likelihood() - model.log_likelihood()
    is_other = gain >= LEAST_GAIN and other.hard_share < model.hard_share
    return (other if is_other else model), missed_at_first


def refit(model, predict):
    """Fit a noise model to ridges on what it takes labels to be."""
    for _ in range(N_REFITS):
        model.fit(predict(model.posterior))


def misses_of(model, missed_at_first):
    """Count the misses of a model, see `Misses`, and those of its first ridge."""
    judged, chance = ~model.is_clean, 1 / model.n_classes
    sure = (model.probabilities.max(1) - chance) / (1 - chance)
    missed = ((model.predict() != model.given) * sure)[judged]
    surely = float((missed * model.quality()[judged]).mean())
    return Misses(
        at_first=float(missed_at_first[judged].mean()),
        surely=surely,
        right_share=surely / max(float(missed.mean()), 1e-300),
    )


def leave_out(factor, copies, diagonal, targets):
    """Predict each row from the others but its copies.

    Parameters
    ----------
    factor : RidgeFactor
        Of all rows.
    copies : ndarray of shape (n,)
        From `find_copies`.
    diagonal : ndarray of shape (n, 1)
        From `diagonal_of_copies`.
    targets : ndarray of shape (n, n_classes)

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    solved, _ = factor.solve(with_ones(targets))
    means, solved = (mean_of_copies(values, copies) for values in (targets, solved))
    # One prior for all rows: that of the others speaks against the given label.
    return leave_one_out(means, solved, diagonal, prior=targets.mean(0))
