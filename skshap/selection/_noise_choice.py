"""How labels went wrong, at one rate or more, and how decision values are read."""

from itertools import product

import numpy as np

from skshap.selection._noise_model import NoiseModel

__all__ = ["choose_model", "noise_models"]

# Nats for each wrong label by which rates of their own must explain labels better. That
# it always goes to the same of k classes is worth log(k - 1); where classes overlap,
# rows on the wrong side gain some hundredths, though their labels are right.
LEAST_GAIN = 0.1
DISCOUNT = 0.5  # nats off what each such rate costs


def noise_models(given, n_classes, is_clean, noise="auto"):
    """List the models of how labels went wrong that are to be compared.

    Parameters
    ----------
    given, n_classes, is_clean
        See :class:`NoiseModel`.
    noise : {"auto", "class-conditional", "symmetric"}, default="auto"
        "auto": both, but of two classes, which have two rates, the first. Classes of
        which a single label is judged do not count: none of theirs is called wrong.

    Returns
    -------
    list of NoiseModel
        Not fitted, the simplest first. Of more than two classes each kind of noise is
        there with both scalings; of two a matrix says no more than two slopes.
    """
    kinds, scalings = [noise], ["vector", "matrix"]
    if noise == "auto":
        kinds = ["symmetric", "class-conditional"]
    if count_common(given[~is_clean]) == 2:
        kinds, scalings = kinds[-1:], scalings[:1]
    return [
        NoiseModel(given, n_classes, is_clean, noise=kind, scaling=scaling)
        for scaling, kind in product(scalings, kinds)
    ]


def choose_model(models):
    """Return the model that explains labels best for what it costs.

    Parameters
    ----------
    models : list of NoiseModel
        Fitted, from `noise_models`.

    Returns
    -------
    NoiseModel
        Of equal ones the first.
    """
    return max(models, key=lambda model: model.log_likelihood() - price(model))


def price(model):
    """Return the nats by which a model must explain labels better than the simplest.

    Notes
    -----
    A rate of a pair of classes is one of many that might have been chosen to explain
    rows that are hard. It costs about the logarithm of the number of pairs, which it
    takes to say which pair it is, as in the extended Bayesian information criterion
    (Chen and Chen, 2008, :doi:`10.1093/biomet/asn034`); rates of pairs between which
    less than one label is expected to have gone explain nothing, and cost nothing. A
    matrix of the link costs a nat a parameter, as in Akaike's information criterion
    (1974, :doi:`10.1109/TAC.1974.1100705`).
    """
    k, nats = count_common(model.given[~model.is_clean]), 0.0
    if model.noise == "class-conditional":
        n_gone = model.expected_counts()
        np.fill_diagonal(n_gone, 0)  # labels that are right
        nats += (n_gone >= 1).sum() * (np.log(k * (k - 1)) - DISCOUNT)
        nats += LEAST_GAIN * n_gone.sum()
    if model.scaling == "matrix":
        nats += k * (k - 1)
    return nats


def count_common(labels):
    """Return of how many classes there are two labels or more, two at least."""
    return max(int((np.bincount(labels) > 1).sum()), 2)
