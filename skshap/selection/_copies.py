"""Copies of rows, which would speak for, or against, each other's labels."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import logsumexp, softmax

from skshap.utils._warn import warn_caller

__all__ = [
    "diagonal_of_copies",
    "find_copies",
    "find_recurring",
    "judge_together",
    "least_recurring",
    "mean_of_copies",
    "number_rows",
    "warn_of_copies",
]

# Squared distance of rows that are the same, as a share of what they are, and of what
# they are apart from what all have in common, such as a column far from zero.
SAME = 1e-8
ROUNDING = 64 * np.finfo(float).eps  # of kernel values
MOST = 0.2  # share of the rows that may be copies: with more, cells of a table recur
# Share of rows that differ, where rows may have been sampled: in tables cells recur.
DISTINCT = 0.05
FEWEST = 50  # rows that are worth a warning
OFTEN, OFTEN_SHARE = 10, 0.01  # rows that are the same, from which on they recur
# Nats by which labels must be likelier if copies have one true label: cells of a table
# may be the same by chance.
LEAST_GAIN = 3.0
BLOCK = 256  # rows looked at at a time


def number_rows(kernel):
    """Number the rows so that those that are the same have the same number.

    Parameters
    ----------
    kernel : TrainingKernel
        Rows are the same if their distance by it is zero.

    Returns
    -------
    ndarray of shape (n,)
        From 0 on.
    """
    n = len(kernel)
    pairs = np.arange(n), same_rows(kernel)
    graph = coo_array((np.ones(n, dtype=bool), pairs), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def find_copies(number, given, is_clean, least):
    """Number the rows so that those that say nothing of each other have one number.

    Parameters
    ----------
    number : ndarray of shape (n,)
        From `number_rows`.
    given : ndarray of shape (n,)
        Index of each label.
    is_clean : ndarray of shape (n,) of bool
        True where the label is known to be right: such a row says something of others
        that are the same.
    least : float
        From how many rows that are the same on they recur often, see `least_recurring`.

    Returns
    -------
    ndarray of shape (n,)
        From 0 on, the same for copies. Rows that recur often and have more than one
        label have numbers of their own: they may be a class, some of whose labels are
        wrong. So have all rows where more than a fifth of them have copies before them:
        a table of few distinct rows says what it says by how often.
    """
    n = len(number)
    if is_table(number):
        return np.arange(n)
    _, first, copies = np.unique(
        2 * number + is_clean, return_index=True, return_inverse=True
    )
    differ = np.bincount(copies, given != given[first][copies]) > 0
    counts_alone = differ[copies] & (np.bincount(number)[number] >= least)
    copies = np.where(counts_alone, len(first) + np.arange(n), copies)
    return np.unique(copies, return_inverse=True)[1]


def least_recurring(n):
    """Return from how many of n rows on the same row recurs often."""
    return max(OFTEN, OFTEN_SHARE * n)


def mean_of_copies(values, number):
    """Replace values of copies by their mean.

    Parameters
    ----------
    values : ndarray of shape (n, n_values)
    number : ndarray of shape (n,)
        From `find_copies`.

    Returns
    -------
    ndarray of shape (n, n_values)
    """
    count = np.bincount(number)
    if len(count) == len(number):
        return values
    sums = np.zeros((len(count), values.shape[1]))
    np.add.at(sums, number, values)
    return (sums / count[:, None])[number]


def judge_together(probabilities, transition, given, copies, least=LEAST_GAIN):
    """Judge labels of copies that differ as those of one row, of which one is true.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
        Of the true label, the same for copies.
    transition : ndarray of shape (n_classes, n_classes)
        Probability of each given label (column) by true label (row).
    given : ndarray of shape (n,)
        Index of each label.
    copies : ndarray of shape (n,)
        From `find_copies`.
    least : float, default=LEAST_GAIN
        Nats by which labels of all copies must be likelier if those of a row have one
        true label than if each has its own.

    Returns
    -------
    rows : ndarray of int
        Copies with more than one label; none, unless labels are so much likelier.
    posterior : ndarray of shape (n_rows, n_classes)
        Of the true label of each.
    """
    _, first = np.unique(copies, return_index=True)
    with np.errstate(divide="ignore"):  # of labels that are never given
        prior, evidence = np.log(probabilities), np.log(transition.T[given])
    joint = prior[first]
    np.add.at(joint, copies, evidence)
    together, apart = logsumexp(joint, axis=1), logsumexp(prior + evidence, axis=1)
    rows = np.flatnonzero(np.bincount(copies, given != given[first][copies])[copies])
    if together.sum() - apart.sum() < least:
        rows = rows[:0]
    return rows, softmax(joint[copies[rows]], axis=1)


def is_table(number):
    """Whether many rows are copies of others."""
    return len(number) - len(np.unique(number)) > MOST * len(number)


def warn_of_copies(number, given):
    """Warn of copies that are too many to be left out, and all have the same labels.

    So it is where rows were sampled with replacement. In a table of few distinct rows
    a wrong label is another than those of the same rows.

    Parameters
    ----------
    number : ndarray of shape (n,)
        From `number_rows`, of the rows not known to be clean.
    given : ndarray of shape (n,)
        Index of each label.
    """
    n = len(number)
    _, first, of_rows = np.unique(number, return_index=True, return_inverse=True)
    if n < FEWEST or not is_table(number) or len(first) < DISTINCT * n:
        return
    if (given == given[first][of_rows]).all():
        warn_caller(
            f"{n - len(first)} of {n} rows of X are copies of others, with the same "
            "labels. If rows were sampled with replacement, wrong labels vouch for "
            "each other and are not found: look for them before, or drop copies."
        )


def find_recurring(number, given, is_clean):
    """Find rows that recur often with all kinds of labels, as empty ones do.

    They say nothing of their labels, and what the others say of them is not how often
    each label is right. Rows that recur with one label, as a class of them may, are not
    among them.

    Parameters
    ----------
    number : ndarray of shape (n,)
        From `number_rows`.
    given : ndarray of shape (n,)
        Index of each label.
    is_clean : ndarray of shape (n,) of bool
        True where the label is known to be right.

    Returns
    -------
    ndarray of shape (n,) of bool
        None, where the other rows are a table of few distinct ones as well, or no two
        of their labels may be wrong.
    """
    counts = np.bincount(number)
    recurs = counts[number] >= least_recurring(len(number))
    base = np.bincount(given) / len(given)
    shares = np.zeros((len(counts), len(base)))
    np.add.at(shares, (number, given), 1 / counts[number])
    # Nearer to the labels of all rows than to a single one.
    says_little = shares.max(1) <= (1 + base[shares.argmax(1)]) / 2
    recurs &= says_little[number]
    judged = given[~recurs & ~is_clean]
    if is_table(number[~recurs]) or len(np.unique(judged)) < 2:
        return np.zeros(len(number), dtype=bool)
    return recurs


def same_rows(kernel):
    """Return for each row one that is the same, or itself."""
    n, sizes = len(kernel), replace(kernel, lost=0.0).diagonal()
    own = np.abs(sizes)  # of kernels that are no products, some are negative
    least = SAME * np.minimum(own, centred_sizes(kernel, sizes)) + ROUNDING * own
    order, along, reach = np.arange(n), np.zeros(n), 0.0
    if kernel.is_explicit:  # rows that are the same are near along any direction
        direction = np.random.default_rng(0).normal(size=kernel.values.shape[1])
        along = kernel.values @ (direction / np.linalg.norm(direction))
        order, reach = np.argsort(along, kind="stable"), np.sqrt(2 * least.max())
        along = along[order]
    same = np.empty(n, dtype=int)
    for start in range(0, n, BLOCK):
        some = order[start : start + BLOCK]
        first, last = along[start], along[min(start + BLOCK, n) - 1]
        near = order[(along >= first - reach) & (along <= last + reach)]
        sums = sizes[some, None] + sizes[near]
        distances = np.abs(sums - 2 * kernel.between(some, near))
        is_same = distances <= least[some, None] + least[near]
        is_same |= some[:, None] == near  # whatever rounding says
        same[some] = near[is_same.argmax(1)]
    return same


def centred_sizes(kernel, sizes):
    """Return squared distances of rows from the mean row."""
    means = kernel.values.mean(0)
    if kernel.is_explicit:
        means = kernel.values @ means
    return np.maximum(sizes - 2 * means + means.mean(), 0)


def diagonal_of_copies(inverse_diagonal, number, alpha):
    """Return what stands for the diagonal where copies are left out together.

    Parameters
    ----------
    inverse_diagonal : ndarray of shape (n, 1)
        Diagonal of ``(K + alpha I)^-1``.
    number : ndarray of shape (n,)
        From `find_copies`.
    alpha : float
        Of the ridge.

    Returns
    -------
    ndarray of shape (n, 1)
        For :func:`skshap.utils._ridge.leave_one_out`, of the means of copies.

    Notes
    -----
    Of s copies, the block of the inverse is ``(I - J / s) / alpha + c J / s``, J being
    ones throughout: differences between copies are left to alpha. Of what the others
    predict only means are left, and of these only c counts, which the diagonal tells.
    """
    count = np.bincount(number)[number, None]
    return count * inverse_diagonal - (count - 1) / alpha
