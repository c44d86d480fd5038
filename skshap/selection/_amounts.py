"""How many rows are kept or removed: as asked, and no more than classes can spare."""

from numbers import Integral

import numpy as np

__all__ = ["as_count", "count_doubted", "spare_classes"]


def as_count(number, n):
    """Turn a number or a share of n rows into a number, the nearest; halves to even.

    Parameters
    ----------
    number : int or float
        Rows, or a share of them from 0 to 1.
    n : int
        How many there are.

    Returns
    -------
    int
    """
    return int(number) if isinstance(number, Integral) else round(number * n)


def count_doubted(chances, share):
    """Count the rows, of rising chances to be right, of which a share is right at most.

    None of them is more probably right than wrong.
    """
    expected = np.cumsum(chances) / np.arange(1, len(chances) + 1)  # never falls
    return int(((expected <= share) & (chances < 0.5)).sum())


def spare_classes(order, y):
    """Move the last half of each class to the end of an order of rows.

    Half of the rows of a class, rounded down, are left to it, and one at least.

    Parameters
    ----------
    order : ndarray of shape (n,)
        Rows, the one to remove first on top.
    y : ndarray of shape (n,)
        Labels.

    Returns
    -------
    order : ndarray of shape (n,)
        The same with these rows last.
    n_removable : int
        How many of these may be removed: those not among the halves.
    """
    is_spared = np.zeros(len(order), dtype=bool)
    for label in np.unique(y):
        places = np.flatnonzero(y[order] == label)
        is_spared[places[-max(1, len(places) // 2) :]] = True
    order = np.concatenate([order[~is_spared], order[is_spared]])
    return order, int((~is_spared).sum())
