"""Warnings of labels so rare that they may be other labels, misspelt."""

import numpy as np

from skshap.utils._warn import warn_caller

__all__ = ["misspelt", "warn_of_labels"]

RARE = 5  # rows of a label that may be misspelt
RARER = 10  # times as many has the label that it may be
SHORTEST = 4  # letters of names in which one may be wrong
NAMED = 3  # labels that a warning names


def warn_of_labels(classes, given):
    """Warn of labels that look misspelt, and of those of a single row.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    given : ndarray of shape (n,) of int
        Class of each row.
    """
    labels, counts = classes.tolist(), np.bincount(given)
    first = np.unique(given, return_index=True)[1]
    likely = misspelt(classes, counts)
    if likely:
        names = [
            f"{labels[c]!r} (rows: {counts[c]}, the first: {first[c]}) for "
            f"{labels[other]!r}"
            for c, other in likely.items()
        ]
        warn_caller(
            f"labels look misspelt: {listed(names)}. They are taken for classes of "
            "their own; if they are not, correct y, or right labels may look wrong."
        )
    single = [c for c in np.flatnonzero(counts == 1) if c not in likely]
    if single:
        names = [f"{labels[c]!r} (row {first[c]})" for c in single]
        warn_caller(
            f"a class of a single row is never called wrong, as {listed(names)}: "
            "nothing tells whether its label is right. Look whether it is misspelt, or "
            "give the class more rows."
        )


def listed(names):
    """Name the first ones."""
    return ", ".join(names[:NAMED]) + " and others" * (len(names) > NAMED)


def misspelt(classes, counts):
    """Find labels that may be others, misspelt.

    They are the same but for case and space, or they are rare, and one letter is
    another, is missing, is too many, or has changed places with the next.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    counts : ndarray of shape (n_classes,)
        Rows of each.

    Returns
    -------
    dict
        From the index of a class to that of the one, with more rows, that it may be.
    """
    if classes.dtype.kind not in "OU":  # numbers
        return {}
    order = np.argsort(-counts, kind="stable").tolist()
    names = [" ".join(label.split()).casefold() for label in classes]
    found = {}
    for place, c in enumerate(order):
        for other in order[:place]:
            is_rare = counts[c] <= RARE and counts[other] >= RARER * counts[c]
            is_same = names[c] == names[other]
            if is_same or (is_rare and is_near(names[c], names[other])):
                found[c] = other
                break
    return found


def is_near(name, other):
    """Whether names differ by one letter, or by two that have changed places."""
    if min(len(name), len(other)) < SHORTEST:
        return False
    for _ in range(2):  # what both begin with, then what both end with
        pairs = enumerate(zip(name, other, strict=False))
        shorter = min(len(name), len(other))
        same = next((i for i, (a, b) in pairs if a != b), shorter)
        name, other = name[same:][::-1], other[same:][::-1]
    is_one = max(len(name), len(other)) == 1
    is_swap = len(name) == 2 and name == other[::-1]
    return (is_one or is_swap) and (name + other).isalpha()
