"""How well rows are predicted, by what is said of each class and of their labels."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

__all__ = ["log_probabilities"]

LOG_SCALES = (-8.0, 8.0)  # of values whose median is 1
LARGEST = 20.0  # of these; a single wild one would decide the factor


def log_probabilities(values, labels):
    """Score rows by the log probability of their label, as it is expected.

    Parameters
    ----------
    values : ndarray of shape (n, n_classes)
        From `class_values`.
    labels : ndarray of shape (n, n_classes)
        Probability of each label, by row.

    Returns
    -------
    ndarray of shape (n,)
        In nats, of the softmax of the values times the factor, one for all rows, with
        which it is largest on average (temperature scaling [1]_); values more than 20
        times as far from the mean of their row as the median is are cut. Of indicators
        the mean rises with the expected accuracy, once that is above chance.

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017. https://arxiv.org/abs/1706.04599
    """
    values = values / (np.abs(values).max() or 1.0)  # so that no square overflows
    values = values - values.mean(1, keepdims=True)
    size = np.median(np.abs(values)) or np.abs(values).max() or 1.0
    unit = np.clip(values / size, -LARGEST, LARGEST)

    def scaled(log_scale):
        return (labels * log_softmax(np.exp(log_scale) * unit, axis=1)).sum(1)

    best = minimize_scalar(
        lambda log_scale: -scaled(log_scale).mean(), bounds=LOG_SCALES, method="bounded"
    )
    return scaled(best.x)
