"""Pairs of classes between which labels go wrong at a rate of their own."""

import numpy as np

from skshap.selection._noise_price import count_common, price_of_rates, worth

__all__ = ["prune"]

# Of log(k - 1) nats, which is what it tells of a wrong label that it always goes to the
# same of k classes: how much each must gain from the rate of its pair. Where classes
# overlap, rows on the wrong side gain a third of it or less.
LEAST_SHARE = 0.45
FIRST_SHARE = 0.5  # of the pairs whose rates do not pay, those dropped at once


def prune(model):
    """Leave rates of their own to those pairs of classes for which they pay.

    Pairs between which hardly a label went wrong go first, then the worse half of those
    that do not pay, and so on, the model fitted anew each time; fewer at once where it
    would be worth less without them.

    Parameters
    ----------
    model : NoiseModel
        Fitted.

    Returns
    -------
    NoiseModel
        Fitted; `model` itself if it is none by pair.
    """
    if model.noise != "by pair":
        return model
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
