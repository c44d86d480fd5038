"""Whether labels went wrong at one rate, or at one for each pair of classes."""

import numpy as np

from skshap.selection._noise_model import NoiseModel

__all__ = ["choose_model", "noise_models"]

# Nats for each wrong label by which rates of their own must explain labels better. That
# it always goes to the same of k classes is worth log(k - 1); where classes overlap,
# rows on the wrong side gain some hundredths, though their labels are right.
LEAST_GAIN = 0.15


def noise_models(given, n_classes, is_clean, noise="auto"):
    """List the models of how labels went wrong that are to be compared.

    Parameters
    ----------
    given, n_classes, is_clean
        See :class:`NoiseModel`.
    noise : {"auto", "class-conditional", "symmetric"}, default="auto"
        "auto": both, but of two classes, which have two rates, the first.

    Returns
    -------
    list of NoiseModel
        Not fitted.
    """
    kinds = [noise]
    if noise == "auto":
        kinds = ["class-conditional", "symmetric"][: 1 + (n_classes > 2)]
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
    Each parameter that nothing depends on raises the log-likelihood by 1/2 on average
    (Wilks, 1938, :doi:`10.1214/aoms/1177732360`), which is taken off; no more of them
    than there are labels expected to be wrong, as rates of pairs of classes that no
    label went between raise nothing. So is what it takes to say which pair it is, the
    logarithm of their number, or a few hard rows would do.
    """
    if len(models) == 1:
        return models[0]
    by_class, by_one_rate = models
    k, judged = by_class.n_classes, ~by_class.is_clean
    gain = by_class.log_likelihood() - by_one_rate.log_likelihood()
    right = by_class.posterior[np.arange(len(judged)), by_class.given]
    n_wrong = (1 - right)[judged].sum()
    n_pairs = k * (k - 1)
    gain -= min(n_pairs - 1, n_wrong) / 2 + np.log(n_pairs)
    return by_class if gain > LEAST_GAIN * n_wrong else by_one_rate
