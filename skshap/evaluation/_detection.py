"""How soon a score finds the wrong labels."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import Bunch, column_or_1d

from skshap.utils._order import check_order
from skshap.utils._rows import check_real

__all__ = ["detection_curve"]


def detection_curve(is_noisy, scores):
    """Compute the share of wrong labels found against the share of rows inspected.

    Rows are inspected from the lowest score to the highest, as one does with the values
    of training rows [1]_, [2]_ or with label qualities. Rows with equal scores are
    inspected in random order, and the curve is the expectation over that order: a
    constant score gives the diagonal.

    Parameters
    ----------
    is_noisy : array-like of shape (n_samples,) of bool
        True (or 1) where the label is wrong.
    scores : array-like of shape (n_samples,)
        One real number a row, the lower the more suspicious. Only the order counts.
        Infinite scores are allowed, missing ones are not.

    Returns
    -------
    curve : Bunch
        Dictionary-like object with the attributes

        fraction_inspected : ndarray of shape (n_samples + 1,)
            Share of the rows inspected, from 0 to 1 by one row a step.
        fraction_found : ndarray of shape (n_samples + 1,)
            Expected share of the wrong labels among the rows inspected so far, from 0
            to 1.
        average_precision : float
            Average precision of finding the wrong labels, from 0 to 1.
        roc_auc : float
            Area under the ROC curve: the chance that a wrong label has a lower score
            than a right one, ties counted half.
        n_noisy : int
            Number of wrong labels.

    Raises
    ------
    ValueError
        If the two arrays differ in length or, by their indices, in order, `is_noisy` is
        not a mask or has no wrong or no right label, or `scores` are not real numbers.

    Warns
    -----
    UserWarning
        If the indices differ in order, but one of them only numbers its rows.

    See Also
    --------
    skshap.DetectionCurveDisplay : A picture of this curve.
    skshap.flip_labels : Wrong labels made on purpose.

    References
    ----------
    .. [1] A. Ghorbani and J. Zou, "Data Shapley: equitable valuation of data for
       machine learning", ICML 2019. :doi:`10.48550/arXiv.1904.02868`
    .. [2] J. T. Wang et al., "Helpful or harmful data? Fine-tuning-free Shapley
       attribution for explaining language model predictions", ICML 2024.
       :doi:`10.48550/arXiv.2406.04606`

    Examples
    --------
    >>> from skshap import detection_curve
    >>> is_noisy = [True, False, True, False]
    >>> curve = detection_curve(is_noisy, [-0.5, 0.1, 0.2, 0.3])
    >>> curve.fraction_found.tolist()
    [0.0, 0.5, 0.5, 1.0, 1.0]
    >>> curve.roc_auc
    0.75
    """
    check_order(scores, is_noisy, ("scores", "is_noisy"))
    is_noisy = _check_mask(is_noisy)
    scores = _check_scores(scores)
    if len(is_noisy) != len(scores):
        raise ValueError(
            f"is_noisy must have an entry for each of {len(scores)} scores, got "
            f"{len(is_noisy)}."
        )
    n, n_noisy = len(is_noisy), int(is_noisy.sum())
    if n_noisy in (0, n):
        raise ValueError(
            "is_noisy must have both True and False, "
            f"got {n_noisy} True among {n} rows."
        )
    # Ranks in place of scores: whole numbers, so that infinity needs no special case.
    _, rank, tied = np.unique(scores, return_inverse=True, return_counts=True)
    noisy = np.bincount(rank, weights=is_noisy).astype(np.int64)  # in each tie
    start = np.cumsum(tied) - tied
    found = np.cumsum(noisy) - noisy  # before each tie
    # After row k the expectation is found + (k - start) * noisy / tied. One division of
    # whole numbers rounds once, so that a constant score gives the diagonal exactly.
    k = np.arange(1, n + 1)
    tie = np.repeat(np.arange(len(tied)), tied)
    share = found[tie] * tied[tie] + (k - start[tie]) * noisy[tie]
    share = share / (tied[tie] * n_noisy)
    return Bunch(
        fraction_inspected=np.arange(n + 1) / n,
        fraction_found=np.concatenate([[0.0], share]),
        average_precision=float(average_precision_score(is_noisy, -rank)),
        roc_auc=float(roc_auc_score(is_noisy, -rank)),
        n_noisy=n_noisy,
    )


def _of_numbers(array, name):
    """Return an array of objects as what they are, if that is one type."""
    if np.ma.is_masked(array):
        raise ValueError(
            f"{name} must not be missing, but {np.ma.count_masked(array)} entries are "
            "masked; drop these rows."
        )
    check_real(array, name)
    array = column_or_1d(array)
    return np.array(array.tolist()) if array.dtype.kind == "O" else array


def _check_mask(is_noisy):
    is_noisy = _of_numbers(is_noisy, "is_noisy")
    if is_noisy.dtype.kind not in "biuf" or not np.isin(is_noisy, [0, 1]).all():
        raise ValueError(
            "is_noisy must be a mask: True (or 1) where the label is wrong, False (or "
            "0) elsewhere, one entry a row. For the rows as indices, make the mask "
            "first: mask = np.zeros(n_samples, dtype=bool); mask[indices] = True."
        )
    return is_noisy.astype(bool)


def _check_scores(scores):
    scores = _of_numbers(scores, "scores")
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"scores must be real numbers, got dtype {scores.dtype}.")
    missing = np.isnan(scores)
    if missing.any():
        raise ValueError(
            f"scores must not be missing, got NaN in {missing.sum()} of {len(scores)} "
            f"rows, the first at row {missing.argmax()}."
        )
    return scores
