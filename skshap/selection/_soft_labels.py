"""Probabilities of classes by row: how sure they are, and shifted to a given mean."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

__all__ = ["tilted", "unsure_share"]

STEP = 0.2  # from all classes equally probable towards one that is sure


def unsure_share(soft):
    """Tell how far from sure predictions are, but for rows that say nothing.

    Parameters
    ----------
    soft : ndarray of shape (n, n_classes)
        Probabilities.

    Returns
    -------
    float
        Mean of 0 where a class is sure to 1 where all are equally probable. Of rows at
        that end only as many count as are a step nearer to sure: more of them are rows
        of another kind, such as empty ones, and tell nothing of how often the sure ones
        are wrong.
    """
    n_classes = soft.shape[1]
    unsure = (1 - soft.max(1)) * n_classes / (n_classes - 1)
    is_blank = unsure > 1 - STEP
    n_next = ((unsure > 1 - 2 * STEP) & ~is_blank).sum()
    weight = min(1.0, max(n_next, 1) / max(is_blank.sum(), 1))
    return float(np.average(unsure, weights=np.where(is_blank, weight, 1.0)))


def tilted(probabilities, c, believed):
    """Weigh class c against the others, so that it has a given mean probability.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
    c : int
    believed : float
        The mean.

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    own = logit(np.clip(probabilities[:, c], 1e-12, 1 - 1e-12))
    shift = brentq(lambda s: expit(own + s).mean() - believed, -100, 100)
    others = np.delete(probabilities, c, 1)
    others /= others.sum(1, keepdims=True)
    own = expit(own + shift)
    return np.insert(others * (1 - own[:, None]), c, own, axis=1)
