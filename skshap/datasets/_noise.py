"""Wrong labels made on purpose."""

from numbers import Real

import numpy as np
from sklearn.utils import check_random_state

from skshap.utils._label_arrays import as_labels, check_labels
from skshap.utils._labels import find_classes

__all__ = ["flip_labels"]


def flip_labels(y, *, rate=0.1, random_state=None):
    """Flip a share of the labels to other classes.

    The rows are drawn without replacement, all with the same chance, and each drawn row
    gets one of the other classes present in `y`, all with the same chance. This is the
    uniform noise of [1]_, with an exact instead of an expected number of flips.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings, of two classes or more.
    rate : float, default=0.1
        Share of the rows to flip, above 0 and below 1. ``round(rate * n_samples)`` rows
        are flipped, which is none at all if `n_samples` is small enough.
    random_state : int, RandomState instance or None, default=None
        Draws the rows and their new classes. An int gives the same ones on every call.

    Returns
    -------
    y_noisy : ndarray of shape (n_samples,)
        A copy of `y` with some labels flipped, of the dtype that `y` has as an array.
    flipped : ndarray of shape (n_samples,) of bool
        True where `y_noisy` differs from `y`.

    Raises
    ------
    ValueError
        If `rate` is not a number between 0 and 1 or `y` has fewer than two classes, has
        missing entries, is not one-dimensional or is not a classification target.

    See Also
    --------
    skshap.detection_curve : How soon a score finds the flipped labels.

    References
    ----------
    .. [1] B. Frénay and M. Verleysen, "Classification in the presence of label noise: a
       survey", IEEE Transactions on Neural Networks and Learning Systems 25(5), 2014.
       :doi:`10.1109/TNNLS.2013.2292894`

    Examples
    --------
    >>> from skshap import flip_labels
    >>> y_noisy, flipped = flip_labels(["no", "yes"] * 10, rate=0.2, random_state=0)
    >>> int(flipped.sum())
    4
    >>> y_noisy[:6].tolist()
    ['no', 'no', 'no', 'yes', 'no', 'yes']
    """
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not (is_number and 0 < rate < 1):
        raise ValueError(f"rate must be a number above 0 and below 1, got {rate!r}.")
    y = as_labels(y)
    classes, codes = find_classes(check_labels(y, y))
    if len(classes) < 2:
        raise ValueError(
            f"y must have at least two classes to flip between, got {len(classes)}: "
            f"{classes.tolist()}."
        )
    rng = check_random_state(random_state)
    n_flips = round(rate * len(y))
    rows = rng.choice(len(y), size=n_flips, replace=False)
    # A step of 1 to n_classes - 1 around the circle of classes never stays in place.
    steps = rng.randint(1, len(classes), size=n_flips)
    y_noisy = y.copy()
    y_noisy[rows] = classes[(codes[rows] + steps) % len(classes)]
    flipped = np.zeros(len(y), dtype=bool)
    flipped[rows] = True
    return y_noisy, flipped
