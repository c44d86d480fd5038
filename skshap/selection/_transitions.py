"""Transitions: how probably a label is given, by the true one."""

import numpy as np

__all__ = [
    "PRIOR_RATE",
    "end_of_path",
    "expected_transition",
    "shares_of_targets",
    "uniform_noise",
]

PRIOR_RATE = 0.2  # of wrong labels; where the search for the true one starts
PRIOR_WEIGHT = 0.01  # of that, as a share of the rows
# Of the same rate for all classes, as a share of the rows of each, or of their mean
# number if that is less: as much for every class would leave a rare one no rate of its
# own, and more for a common one draws its rate to that of the rare one.
SYMMETRY_WEIGHT = 0.1
RARE = 0.05  # of the mean number of labels, where a class has no labels to look wrong
# A class that is nearly clean has at most this share of the wrong labels that noise
# alike would give it; and nats, and the logarithm of the number of classes, which says
# which it is, by which labels must be likelier if it has.
FEWER = 0.3
PRICE_OF_FEWER = 1.0
LEAST_RIGHT = 1e-3  # share of the labels of a class
# Largest ratio of a step to the one before that is taken to go on: of steps that shrink
# more slowly the end is far off, and a guess of it leads to another maximum.
MOST_LASTING = 0.8


def uniform_noise(rate, n_classes):
    """Transitions that go wrong at one rate, to all other classes alike."""
    transition = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(transition, 1 - rate)
    return transition


def expected_transition(counts, n_given, own, untold):
    """Transitions of counted labels, by true class (row) and given one.

    They are drawn towards the same rate for all. Those that have no rates of their own,
    see `NoiseModel`, are a share of one rate, as large as the share of the classes that
    labels may go to: none go to those that rows do not tell, and fewer to those that
    far fewer are expected to have gone to.
    """
    k, a_class = len(counts), n_given.mean()
    counts = counts + PRIOR_WEIGHT * a_class * uniform_noise(PRIOR_RATE, k)
    same, rate = np.eye(k, dtype=bool), 1 - np.trace(counts) / counts.sum()
    weight = SYMMETRY_WEIGHT * np.minimum(counts.sum(1, keepdims=True), a_class)
    drawn = counts + weight * uniform_noise(rate, k)
    kept = np.where(own, drawn, 0) / drawn.sum(1, keepdims=True)

    # Of more than two, classes of too few labels for any to be wrong: noise alike in
    # all turns as many labels into these as into others.
    is_rare = (n_given < RARE * a_class) & (k > 2)
    may, alike = ~untold & ~is_rare, ~own & ~same
    # Beside rates of pairs that of all others is one.
    weights = may if own.any() else shares_of_targets(counts, may)
    others = np.where(same, 0, weights)  # that labels may go to
    others = others / np.maximum(others.sum(1, keepdims=True), 1e-300)
    n_alike = counts.sum(1) @ (1 - (others * own).sum(1))
    rate = counts[alike & (others > 0)].sum() / max(n_alike, 1e-300)
    transition = kept + rate * np.where(own, 0, others)
    transition[:, untold] = 0
    right = 1 - transition.sum(1)
    np.fill_diagonal(transition, np.maximum(right, LEAST_RIGHT))
    return transition / transition.sum(1, keepdims=True)


def shares_of_targets(counts, may):
    """Tell how many labels noise alike turns into each class, of as many as into most.

    If these had to be as many for a class that is nearly clean, as a rare one that is
    added to others can be, no noise at all would explain labels better: all rows would
    be taken for hard ones.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_classes)
        Expected labels, by true class (row) and given one.
    may : ndarray of shape (n_classes,) of bool
        Whether any label is turned into a class.

    Returns
    -------
    ndarray of shape (n_classes,)
        One, but for those of more than two classes that surely have far fewer.
    """
    shares = may.astype(float)
    if may.sum() <= 2:
        return shares
    pairs = may & ~np.eye(len(may), dtype=bool)
    n_wrong = np.where(pairs, counts, 0).sum(0)
    n_may = np.where(pairs, counts.sum(1, keepdims=True), 0).sum(0)
    is_fewer = np.zeros(len(may), dtype=bool)
    for _ in range(2):  # against all, then against those that have no fewer
        rest = may & ~is_fewer
        n_alike = n_may * n_wrong[rest].sum() / max(n_may[rest].sum(), 1e-300)
        ratio = n_wrong / np.maximum(n_alike, 1e-300)
        # What a Poisson variable of the one mean is likelier by than of the other.
        gain = n_alike - n_wrong + n_wrong * np.log(np.maximum(ratio, 1e-300))
        surely = gain > np.log(len(may)) + PRICE_OF_FEWER
        is_fewer = may & (ratio < FEWER) & surely
    shares[is_fewer] = ratio[is_fewer]
    return shares


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
