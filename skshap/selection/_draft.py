"""Choosing rows one after another, while classes keep their shares."""

import numpy as np

__all__ = ["Draft", "open_classes", "order_by_class"]

# Rows by which a class may be nearer to its share than the class furthest below, and
# yet be chosen from.
SLACK = 0.5


class Draft:
    """Chooses rows one after another, while classes keep their shares.

    Parameters
    ----------
    y_index : ndarray of shape (n,)
        Index of each row's label, from 0 on, without gaps.
    n_to_choose : int
        From the number of classes to n.
    """

    def __init__(self, y_index, n_to_choose):
        self.y_index = y_index
        self.n_to_choose = n_to_choose
        self.chosen = []
        self.is_free = np.ones(len(y_index), dtype=bool)
        self._sizes = np.bincount(y_index)
        self._counts = np.zeros(len(self._sizes), dtype=int)

    def choose(self, scores):
        """Choose the free row of largest score among the classes that are open."""
        n_left = self.n_to_choose - len(self.chosen)
        is_open = open_classes(self._counts, self._sizes, n_left)[self.y_index]
        row = int(np.where(self.is_free & is_open, scores, -np.inf).argmax())
        self.chosen.append(row)
        self.is_free[row] = False
        self._counts[self.y_index[row]] += 1
        return row

    def order(self, scores):
        """Return all rows: those chosen, then the others by score."""
        rest = np.flatnonzero(self.is_free)
        return np.append(self.chosen, rest[np.argsort(-scores[rest], kind="stable")])


def order_by_class(scores, y_index, n_to_choose):
    """Order rows by score while classes keep their shares.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        The larger, the sooner.
    y_index : ndarray of shape (n,)
        Index of each row's label, from 0 on, without gaps.
    n_to_choose : int
        Among how many there must be a row of every class.

    Returns
    -------
    ndarray of shape (n,)
        All rows; after `n_to_choose` by score alone.
    """
    draft = Draft(y_index, n_to_choose)
    for _ in range(n_to_choose):
        draft.choose(scores)
    return draft.order(scores)


def open_classes(counts, sizes, n_left):
    """Say which classes the next row may come from.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Rows chosen so far.
    sizes : ndarray of shape (n_classes,)
        Rows there are, none of them zero.
    n_left : int
        Rows still to choose, this one included.

    Returns
    -------
    ndarray of shape (n_classes,)
        Booleans. One of these classes at least has rows left.
    """
    is_empty = counts == 0
    if is_empty.sum() >= n_left:  # the last rows belong to classes without any
        return is_empty
    behind = sizes / sizes.sum() * (counts.sum() + 1) - counts
    return behind >= behind.max() - SLACK
