"""The noise models that may be, and the one to go by."""

from itertools import product

import numpy as np

from skshap.selection._noise_model import NoiseModel
from skshap.selection._noise_price import count_common, price_of_matrix, worth
from skshap.selection._own_rates import prune

__all__ = ["choose_model", "noise_models"]

# How labels are judged where some pairs of classes have rates of their own: the weight
# of the model with rates of all pairs beside it, and then, of the model with one rate
# for all, by the share of rows that are hard and at most.
FULL_SHARE = 0.5
ALIKE_GROWTH = 2.0
ALIKE_SHARE = 0.1


def noise_models(given, n_classes, is_clean, noise="auto"):
    """List the models of how labels went wrong that are to be compared.

    Parameters
    ----------
    given, n_classes, is_clean
        See :class:`NoiseModel`.
    noise : {"auto", "class-conditional", "symmetric"}, default="auto"
        "auto": alike but for some pairs of classes, as `choose_model` finds them; of
        two classes, which have two rates, the first. Classes of which a single label is
        judged do not count: none of theirs is called wrong.

    Returns
    -------
    list of NoiseModel
        Not fitted, the simplest first. Of more than two classes each kind of noise is
        there with both scalings; of two a matrix says no more than two slopes.
    """
    kinds, scalings = [noise], ["vector", "matrix"]
    if noise == "auto":
        kinds = ["symmetric", "by pair"]
    if count_common(given[~is_clean]) == 2:
        scalings = ["vector"]
        if noise == "auto":
            kinds = ["class-conditional"]
    return [
        NoiseModel(given, n_classes, is_clean, noise=kind, scaling=scaling)
        for scaling, kind in product(scalings, kinds)
    ]


def choose_model(models, fit):
    """Fit models and return the one that explains labels best for what it costs.

    Parameters
    ----------
    models : list of NoiseModel
        From `noise_models`; those that could not be worth it are not fitted, nor pairs
        with a matrix that is not worth it without them.
    fit : callable
        Fits a model; returns it, or another fit of it, and what is returned for the
        one that is chosen.

    Returns
    -------
    place : int
        Of the model in the list, of equal ones the first.
    model : NoiseModel
        It. If it is one by pair, what `prune` leaves of it is compared, fitted anew, as
        what ridges are refitted to with too many rates would pass for evidence of few.
        It is drawn to the one with all rates, as those that are too small to pay are
        there too, and, the more rows are hard, to the one without, as hard rows look
        the more like wrong labels the higher the rate of their pair is.
    value : object
        The second of `fit`.
    """
    best, chosen, alike = -np.inf, None, {}  # alike: by scaling
    for place, model in enumerate(models):
        if -price_of_matrix(model) <= best:  # no likelihood is above one
            continue
        without = alike.get(model.scaling)  # rates of pairs; None if not looked at yet
        if without is not None and worth(without) < max(map(worth, alike.values())):
            continue
        model, value = fit(model)
        if model.noise == "symmetric":
            alike[model.scaling] = model
        full = model
        if model.noise == "by pair":
            model = prune(full)
            if not model.own.any():  # symmetric, like one before
                continue
            model, value = fit(model)
        if worth(model) > best:
            best = worth(model)
            if model is not full:
                model.draw_to(full, FULL_SHARE)
                share = min(ALIKE_SHARE, ALIKE_GROWTH * model.hard_share)
                model.draw_to(without, share)
            chosen = place, model, value
    return chosen
