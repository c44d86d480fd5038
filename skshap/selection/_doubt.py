"""Which rows are better left out, by how probably their labels are right."""

import numpy as np

from skshap.selection._choice import Choice, spare_classes
from skshap.utils._warn import warn_caller

__all__ = ["doubted_rows", "warn_of_doubt"]

# Probability below which a label is not trusted. A right one that is doubted so much is
# worth less to a model than a wrong one costs.
TRUSTED = 2 / 3
FEW = 10  # rows of a class, of fewer of which none is doubted


def doubted_rows(quality, y_index):
    """Choose the rows whose labels are not trusted.

    Parameters
    ----------
    quality : ndarray of shape (n,)
        Probability that each label is right.
    y_index : ndarray of shape (n,)
        Index of each label, from 0 on, without gaps.

    Returns
    -------
    Choice
        Half of each class is left, and all of a class of few rows or whose labels look
        mostly wrong: it cannot be told whether they are only hard.
    """
    counts = np.bincount(y_index)
    is_hard = (counts < FEW) | (np.bincount(y_index, quality) < counts / 2)
    order = np.lexsort((quality, is_hard[y_index]))
    order, n_removable = spare_classes(order, y_index)
    is_doubted = (quality < TRUSTED) & ~is_hard[y_index]
    return Choice(quality, order, int(is_doubted[order[:n_removable]].sum()))


def warn_of_doubt(judged, n_removed):
    """Warn of a removal by labels that cannot be told from those of hard rows.

    Parameters
    ----------
    judged : JudgedLabels
    n_removed : int
        How many rows are removed.

    Warns
    -----
    UserWarning
        If wrong labels cannot be told from rows that are hard to predict.
    """
    if judged.are_told and not judged.say_little:
        return
    done, advice = "none is", "If labels are wrong, try a share, such as 0.1"
    if n_removed:
        done = f"{n_removed} {'is' if n_removed == 1 else 'are'}"
        advice = "Labels of those removed may be right"
    warn_caller(
        f'n_samples_to_remove="auto": of {len(judged.given)} rows {done} removed, but '
        f"{judged.misses.at_first:.0%} of labels are not what other rows predict: "
        "wrong labels cannot be told from rows that are hard to predict. "
        f"{advice}; compare with 0 by cross-validation."
    )
