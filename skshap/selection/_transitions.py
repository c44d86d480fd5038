"""Transitions: how probably a label is given, by the true one."""

import numpy as np

__all__ = ["end_of_path", "uniform_noise"]

# Largest ratio of a step to the one before that is taken to go on: of steps that shrink
# more slowly the end is far off, and a guess of it leads to another maximum.
MOST_LASTING = 0.8


def uniform_noise(rate, n_classes):
    """Transitions that go wrong at one rate, to all other classes alike."""
    transition = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(transition, 1 - rate)
    return transition


def end_of_path(first, second, third):
    """Where transitions end whose steps go on as the last two (Aitken's acceleration).

    Parameters
    ----------
    first, second, third : ndarray of shape (n_classes, n_classes)
        Transitions, before and after each of two steps.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Where all steps to come would be along the last one, in logarithms, each shorter
        than the one before by the same ratio. See Varadhan and Roland (2008,
        :doi:`10.1111/j.1467-9469.2007.00585.x`) for what it does for expectation
        maximization.
    """
    logs = np.log(np.maximum([first, second, third], 1e-300))
    before, last = np.diff(logs, axis=0)
    lasting = (before * last).sum() / max((before**2).sum(), 1e-300)
    lasting = np.clip(lasting, 0, MOST_LASTING)
    end = third * np.exp(last * lasting / (1 - lasting))
    return end / end.sum(1, keepdims=True)
