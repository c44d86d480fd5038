"""Some rows of many, which stand for all where the work grows with their cube."""

import numpy as np

__all__ = ["MOST_ROWS", "some_rows"]

MOST_ROWS = 1000


def some_rows(along, y_index):
    """Return at most `MOST_ROWS` or so, sorted, with classes at about their shares.

    Of each class there is one at least. Its rows are those at equal steps along some
    measure: it matters neither in which order they come nor what classes are called.

    Parameters
    ----------
    along : ndarray of shape (n,)
        Measure of rows.
    y_index : ndarray of shape (n,) of int
        Their classes.

    Returns
    -------
    ndarray of int
        Positions.
    """
    share, some = min(1.0, MOST_ROWS / len(y_index)), []
    for label in np.unique(y_index):
        of_class = np.flatnonzero(y_index == label)
        of_class = of_class[np.argsort(along[of_class], kind="stable")]
        n_some = max(1, int(share * len(of_class)))
        steps = np.linspace(0, len(of_class) - 1, n_some).round().astype(int)
        some.append(of_class[steps])
    return np.sort(np.concatenate(some))
