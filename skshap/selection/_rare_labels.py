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
            "without it the class would be empty. Look whether it is misspelt, or give "
            "the class more rows."
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
    found, first = {}, {}
    names = [" ".join(label.split()) for label in classes]
    order = np.argsort(-counts, kind="stable").tolist()
    for c in order:
        other = first.setdefault(names[c].lower(), c)
        if other != c:
            found[c] = other
    for c in (c for c in order if counts[c] <= RARE and c not in found):
        for other in (o for o in order if counts[o] >= RARER * counts[c]):
            if is_near(names[c], names[other]):
                found[c] = other
                break
    return found


def is_near(name, other):
    """Whether a word differs by one letter, or by two that have changed places.

    Not if it is short or holds digits, or is in capitals in both: codes are no words.
    """
    if abs(len(name) - len(other)) > 1:
        return False
    words, others = name.split(), other.split()
    if len(words) != len(others):
        return False
    differing = [pair for pair in zip(words, others, strict=True) if len(set(pair)) > 1]
    if len(differing) != 1:
        return False
    word, other = differing[0]
    is_code = not (word + other).isalpha() or (word + other).isupper()
    if is_code or min(len(word), len(other)) < SHORTEST:
        return False
    word, other = word.lower(), other.lower()
    for _ in range(2):  # what both begin with, then what both end with
        pairs = enumerate(zip(word, other, strict=False))
        shorter = min(len(word), len(other))
        same = next((i for i, (a, b) in pairs if a != b), shorter)
        word, other = word[same:][::-1], other[same:][::-1]
    return max(len(word), len(other)) == 1 or (len(word) == 2 and word == other[::-1])
