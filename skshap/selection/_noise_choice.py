"""Whether labels went wrong at one rate, or at one for each pair of classes."""

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
        Not fitted.
    """
    kinds = [noise]
    if noise == "auto":
        n_common = count_common(given[~is_clean])
        kinds = ["class-conditional", "symmetric"][: 1 + (n_common > 2)]
    return [NoiseModel(given, n_classes, is_clean, noise=kind) for kind in kinds]


def choose_model(models):
    """Return the model of one rate, unless others explain the labels much better.

    Parameters
    ----------
    models : list of NoiseModel
        Fitted, from `noise_models`.

    Returns
    -------
    NoiseModel

    Notes
    -----
    A rate of a pair of classes is one of many that might have been chosen to explain
    rows that are hard. It costs about the logarithm of the number of pairs, which it
    takes to say which pair it is, as in the extended Bayesian information criterion
    (Chen and Chen, 2008, :doi:`10.1093/biomet/asn034`); rates of pairs between which
    less than one label is expected to have gone explain nothing, and cost nothing.
    """
    if len(models) == 1:
        return models[0]
    by_class, by_one_rate = models
    k = count_common(by_class.given[~by_class.is_clean])
    gain = by_class.log_likelihood() - by_one_rate.log_likelihood()
    n_gone = by_class.expected_counts()
    np.fill_diagonal(n_gone, 0)  # labels that are right
    gain -= (n_gone >= 1).sum() * (np.log(k * (k - 1)) - DISCOUNT)
    return by_class if gain > LEAST_GAIN * n_gone.sum() else by_one_rate


def count_common(labels):
    """Return of how many classes there are two labels or more, two at least."""
    return max(int((np.bincount(labels) > 1).sum()), 2)
