"""Whether to remove rows: what cross-validation of the estimator says."""

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from skshap.selection._choice import spare_classes
from skshap.selection._class_values import class_values
from skshap.utils._sklearn import safe_split, slice_params
from skshap.utils._warn import warn_caller

__all__ = ["compare_without"]

LOG_SCALES = (-8.0, 8.0)  # of values whose median is 1
LARGEST = 20.0  # of these; a single wild one would decide the factor


def compare_without(
    estimator, X, y, splits, split_values, params, *, labels, share, n_jobs
):
    """Say whether an estimator predicts others better without a share of the rows.

    Better by their true labels: given ones that went wrong in one way more than in
    others are predicted best by a model that has learned how they do.

    Parameters
    ----------
    estimator : classifier
        Clones are fitted on what is kept of the rows that a split trains on.
    X : indexable
        Rows.
    y : ndarray of shape (n,)
        Their labels.
    splits : list of (ndarray, ndarray)
        Positions of the rows trained on, and of the rows evaluated on.
    split_values : list of ndarray
        Of the rows that each split trains on, in their order, from what is not
        evaluated on its rows; the lowest are removed.
    params : dict
        Of the estimator's `fit`; those with an entry a row are cut down.
    labels : ndarray of shape (n, n_classes)
        Probability of each true label, by row.
    share : float
        Of the rows that a split trains on, to remove; half of a class stays.
    n_jobs : int or None
        How many splits are worked on at a time.

    Returns
    -------
    is_better : bool
        Whether the score without them is ahead by more than a standard error, of the
        difference over the rows evaluated on.
    results : dict
        As of :class:`sklearn.feature_selection.RFECV`, with all rows and without the
        share: `share_removed`, `mean_test_score`, `std_test_score` and, of split k,
        `split{k}_test_score`, each of shape (2,), in nats: see `log_probabilities`.

    Warns
    -----
    FitFailedWarning
        If the estimator cannot be trained, or does not predict, without the share; it
        is then no better, and the results are those with all rows, of shape (1,).
    """
    classes = np.unique(y)
    kept = []
    for (train, _), values in zip(splits, split_values, strict=True):
        order, n_removable = spare_classes(np.argsort(values, kind="stable"), y[train])
        n_removed = min(round(share * len(order)), n_removable)
        kept.append(np.sort(train[order[n_removed:]]))
    # All results are needed at once, so that any of joblib's backends will do.
    found = Parallel(n_jobs=n_jobs)(
        delayed(predict_twice)(estimator, X, y, classes, train, rows, test, params)
        for (train, test), rows in zip(splits, kept, strict=True)
    )
    everyone, without, errors = zip(*found, strict=True)
    rows = np.concatenate([test for _, test in splits])
    scores = [log_probabilities(np.concatenate(everyone), labels[rows])]
    failed = [error for error in errors if error is not None]
    if failed:
        warn_caller(
            f"The estimator cannot be used without {share:.0%} of the rows, so that "
            f"none are removed. It says: {failed[0]!r}",
            FitFailedWarning,
        )
    else:
        scores.append(log_probabilities(np.concatenate(without), labels[rows]))
    ends = np.cumsum([len(test) for _, test in splits])[:-1]
    by_split = np.array([part.mean(1) for part in np.split(np.array(scores), ends, 1)])
    results = {
        "share_removed": np.array([0.0, share][: len(scores)]),
        "mean_test_score": by_split.mean(0),
        "std_test_score": by_split.std(0),
        **{f"split{k}_test_score": score for k, score in enumerate(by_split)},
    }
    return not failed and is_ahead(scores[1] - scores[0], rows), results


def predict_twice(estimator, X, y, classes, train, kept, test, params):
    """Predict held-out rows by all rows to train on, and by those that are kept.

    Returns
    -------
    everyone : ndarray of shape (n_test, n_classes)
    without : ndarray of shape (n_test, n_classes) or None
        None if the estimator cannot be used.
    error : Exception or None
        What it then says.
    """
    everyone = predict_by(estimator, X, y, classes, train, test, params)
    try:
        without = predict_by(estimator, X, y, classes, kept, test, params)
    except Exception as error:
        return everyone, None, error
    return everyone, without, None


def predict_by(estimator, X, y, classes, rows, test, params):
    """Predict held-out rows by some rows."""
    X_train, y_train = safe_split(estimator, X, y, rows)
    X_test, _ = safe_split(estimator, X, y, test, rows)
    model = clone(estimator).fit(X_train, y_train, **slice_params(X, params, rows))
    return class_values(model, X_test, classes)


def is_ahead(gains, rows):
    """Say whether a mean gain is larger than its standard error.

    Parameters
    ----------
    gains : ndarray of shape (n_evaluated,)
        Of rows evaluated on.
    rows : ndarray of shape (n_evaluated,)
        Which; some, perhaps, by several splits.
    """
    _, place, count = np.unique(rows, return_inverse=True, return_counts=True)
    gain = np.bincount(place, gains) / count
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def log_probabilities(values, labels):
    """Score rows by the log probability of their label, as it is expected.

    Parameters
    ----------
    values : ndarray of shape (n, n_classes)
        From `class_values`.
    labels : ndarray of shape (n, n_classes)
        Probability of each label, by row.

    Returns
    -------
    ndarray of shape (n,)
        In nats, of the softmax of the values times the factor, one for all rows, with
        which it is largest on average (temperature scaling, Guo et al. (2017),
        https://arxiv.org/abs/1706.04599); values more than 20 times as far from the
        mean of their row as the median is are cut. Of indicators the mean rises with
        the expected accuracy, once that is above chance.
    """
    values = values / (np.abs(values).max() or 1.0)  # so that no square overflows
    values = values - values.mean(1, keepdims=True)
    size = np.median(np.abs(values)) or np.abs(values).max() or 1.0
    unit = np.clip(values / size, -LARGEST, LARGEST)

    def scaled(log_scale):
        return (labels * log_softmax(np.exp(log_scale) * unit, axis=1)).sum(1)

    best = minimize_scalar(
        lambda log_scale: -scaled(log_scale).mean(), bounds=LOG_SCALES, method="bounded"
    )
    return scaled(best.x)
