"""The noise models that may be, what they are worth, and the one to go by."""

from itertools import product

import numpy as np

from skshap.selection._noise_model import NoiseModel

__all__ = ["choose_model", "count_common", "noise_models"]

# Nats for each wrong label by which rates of their own must explain labels better. That
# it always goes to the same of k classes is worth log(k - 1); where classes overlap,
# rows on the wrong side gain some hundredths, though their labels are right.
LEAST_GAIN = 0.1
DISCOUNT = 0.5  # nats off what each such rate costs
# How many rates more it costs that there are any: where many classes overlap, some pair
# of them looks as if labels had gone wrong.
COST_OF_ANY = 2
# Nats that each weight of a matrix costs. It is one in Akaike's information criterion
# (1974, :doi:`10.1109/TAC.1974.1100705`), and half the logarithm of the number of rows,
# some three, in that of Schwarz: a matrix may pass wrong labels of two classes for
# their overlap.
MATRIX_PRICE = 1.5
# Of log(k - 1) nats, which is what it tells of a wrong label that it always goes to the
# same of k classes: how much each must gain from the rate of its pair. Where classes
# overlap, rows on the wrong side gain a third of it or less.
LEAST_SHARE = 0.45
FIRST_SHARE = 0.5  # of the pairs whose rates do not pay, those dropped at once
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
    model : NoiseModel
        Of equal ones the first. If it is one by pair, what `prune` leaves of it is
        compared, fitted anew, as what ridges are refitted to with too many rates would
        pass for evidence of few. It is drawn to the one with all rates, as those that
        are too small to pay are there too, and, the more rows are hard, to the one
        without, as hard rows look the more like wrong labels the higher the rate of
        their pair is.
    value : object
        The second of `fit`.
    """
    best, chosen, alike = -np.inf, None, {}  # alike: by scaling
    for model in models:
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
            chosen = model, value
    return chosen


def prune(model):
    """Leave rates of their own to those pairs of classes for which they pay.

    Of a fitted model, pairs between which hardly a label went wrong go first, then the
    worse half of those that do not pay, and so on, the model fitted anew each time;
    fewer at once where it would be worth less without them.
    """
    model, share = model.restrict(model.own), FIRST_SHARE
    while True:
        margin, n_gone = margins(model)
        bad = model.own & (margin <= 0)
        if not bad.any():
            return model
        empty = bad & (n_gone < 1)
        dropped = empty
        if not empty.any():
            worst = np.argsort(np.where(bad, margin, np.inf), axis=None)
            dropped = np.zeros_like(bad)
            dropped.flat[worst[: int(np.ceil(share * bad.sum()))]] = True
        fewer = model.restrict(model.own & ~dropped)
        if empty.any() or worth(fewer) >= worth(model):
            model = fewer
        elif dropped.sum() == 1:
            return model
        else:
            share /= 2


def margins(model):
    """Tell how far the rates of pairs of classes pay, one by one.

    Parameters
    ----------
    model : NoiseModel

    Returns
    -------
    margin : ndarray of shape (n_classes, n_classes)
        Of each pair with a rate of its own, by true label (row) and given one (column):
        nats that labels would lose if it had that of all others, and other labels of
        its class were given in proportion, less what they must gain. Minus infinity for
        pairs between which less than one label is expected to have gone.
    n_gone : ndarray of shape (n_classes, n_classes)
        How many labels are expected to have gone wrong from class to class.
    """
    judged = ~model.is_clean
    p, given, T = model.probabilities[judged], model.given[judged], model.transition
    n_gone, k = model.expected_counts(), count_common(given)
    others = ~model.own & ~np.eye(model.n_classes, dtype=bool)
    # Where none is left, as if all labels that went wrong had gone alike.
    n_wrong = n_gone.sum() - np.trace(n_gone)
    rate = T[others].max() if others.any() else n_wrong / len(given) / (k - 1)
    share = p / (p * T[:, given].T).sum(1, keepdims=True)  # by likelihood
    margin = np.full(T.shape, -np.inf)
    for a, b in np.argwhere(model.own & (n_gone >= 1)):
        less = max(T[a, b] - rate, 0)
        step = np.where(given == b, -1, T[a, given] / max(1 - T[a, b], 1e-9))
        lost = -np.log1p(np.maximum(less * step * share[:, a], 1e-12 - 1)).sum()
        least = LEAST_SHARE * np.log(k - 1) * n_gone[a, b]
        margin[a, b] = lost - max(price_of_rates(1, n_gone[a, b], k), least)
    return margin, n_gone


def worth(model):
    """Return the log-likelihood of a fitted model, less what it costs, in nats."""
    k = count_common(model.given[~model.is_clean])
    n_gone = model.expected_counts()[model.own]
    n_rates = (n_gone >= 1).sum() + COST_OF_ANY * model.own.any()
    nats = price_of_rates(n_rates, n_gone.sum(), k) + price_of_matrix(model)
    return model.log_likelihood() - nats


def price_of_matrix(model):
    """Return the nats that the matrix of a model's link costs, zero without one."""
    k = count_common(model.given[~model.is_clean])
    return MATRIX_PRICE * k * (k - 1) * (model.scaling == "matrix")


def price_of_rates(n_rates, n_gone, k):
    """Return the nats by which rates of their own must explain labels better.

    Each is the rate of one of the pairs of k classes, any of which might have been
    chosen to explain rows that are hard. It costs about the logarithm of the number of
    pairs, which it takes to say which pair it is, as in the extended Bayesian
    information criterion (Chen and Chen, 2008, :doi:`10.1093/biomet/asn034`), and more
    for each of the `n_gone` labels that are expected to have gone wrong by them. Pairs
    between which less than one is explain nothing, and cost nothing.
    """
    return n_rates * (np.log(k * (k - 1)) - DISCOUNT) + LEAST_GAIN * n_gone


def count_common(labels):
    """Return of how many classes there are two labels or more, two at least."""
    return max(int((np.bincount(labels) > 1).sum()), 2)
