"""How many rows to remove: what cross-validation of the estimator says."""

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from skshap.selection._class_values import class_values
from skshap.selection._row_scores import log_probabilities
from skshap.utils._sklearn import safe_split, slice_params

__all__ = ["choose_share", "spare_classes"]

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


def spare_classes(order, y):
    """Move the last half of each class to the end of an order of rows.

    Half of the rows of a class, rounded down, are left to it, and one at least.

    Parameters
    ----------
    order : ndarray of shape (n,)
        Rows, the lowest value first.
    y : ndarray of shape (n,)
        Labels.

    Returns
    -------
    order : ndarray of shape (n,)
        Rows, those to remove first on top.
    n_removable : int
        How many of these may be removed: those not among the halves.
    """
    is_spared = np.zeros(len(order), dtype=bool)
    for label in np.unique(y):
        places = np.flatnonzero(y[order] == label)
        is_spared[places[-max(1, len(places) // 2) :]] = True
    order = np.concatenate([order[~is_spared], order[is_spared]])
    return order, int((~is_spared).sum())


def choose_share(
    estimator, X, y, splits, split_values, params, *, shares=SHARES, n_jobs
):
    """Choose the share of rows without which an estimator predicts others best.

    Parameters
    ----------
    estimator : classifier
        Clones are fitted on what is kept of the rows that a split trains on.
    X : indexable
        Rows.
    y : ndarray of shape (n,)
        Their labels.
    splits : list of (ndarray, ndarray)
        Positions of the rows trained on, and of the rows judged on.
    split_values : list of ndarray
        Of the rows that each split trains on, in their order, from what is not judged
        on its rows.
    params : dict
        Of the estimator's `fit`; those with an entry a row are cut down.
    shares : sequence of float, default=SHARES
        What is tried, from zero up.
    n_jobs : int or None
        How many splits are worked on at a time.

    Returns
    -------
    share : float
        The one of best score, if that is ahead of removing nothing by more than a
        standard error, of the difference over the rows judged on; else zero.
    results : dict
        As of :class:`sklearn.feature_selection.RFECV`: `share_removed`,
        `mean_test_score`, `std_test_score` and, of split k, `split{k}_test_score`, each
        of shape (n_shares,), in nats: see `log_probabilities`.

    Warns
    -----
    FitFailedWarning
        If the estimator cannot be trained, or does not predict, without some share;
        then neither that nor a larger one is chosen.
    """
    y_index = np.unique(y, return_inverse=True)[1]
    orders = []
    for (train, _), values in zip(splits, split_values, strict=True):
        order, n_removable = spare_classes(np.argsort(values, kind="stable"), y[train])
        orders.append(train[order])
        shares = [s for s in shares if round(s * len(order)) <= n_removable]
    found = Parallel(n_jobs=n_jobs)(
        delayed(predict_without)(estimator, X, y, order, test, shares, params)
        for order, (_, test) in zip(orders, splits, strict=True)
    )
    n_tried = min(len(predicted) for predicted, _ in found)
    if n_tried < len(shares):
        error = next(error for tried, error in found if len(tried) == n_tried)
        warnings.warn(
            f"The estimator cannot be used without {shares[n_tried]:.0%} of the "
            f"rows, so that no more than {shares[n_tried - 1]:.0%} are removed. It "
            f"says: {error!r}",
            FitFailedWarning,
            stacklevel=4,
        )
    rows = np.concatenate([test for _, test in splits])
    scores = np.empty((n_tried, len(rows)))
    for j in range(n_tried):
        values = np.concatenate([of_split[j] for of_split, _ in found])
        scores[j] = log_probabilities(values, y_index[rows])
    ends = np.cumsum([len(test) for _, test in splits])[:-1]
    by_split = np.array([part.mean(1) for part in np.split(scores, ends, axis=1)])
    results = {
        "share_removed": np.array(shares[:n_tried]),
        "mean_test_score": by_split.mean(0),
        "std_test_score": by_split.std(0),
        **{f"split{k}_test_score": score for k, score in enumerate(by_split)},
    }
    return shares[best_share(scores, rows)], results


def predict_without(estimator, X, y, order, test, shares, params):
    """Predict held-out rows without each share of an order.

    Returns
    -------
    predicted : list of ndarray of shape (n_test, n_classes)
        Of each share, up to the first without which the estimator cannot be used.
    error : Exception or None
        What it says there.
    """
    classes, predicted = np.unique(y), []
    for share in shares:
        kept = np.sort(order[round(share * len(order)) :])
        X_kept, y_kept = safe_split(estimator, X, y, kept)
        X_test, _ = safe_split(estimator, X, y, test, kept)
        of_rows = slice_params(X, params, kept)
        try:
            model = clone(estimator).fit(X_kept, y_kept, **of_rows)
            predicted.append(class_values(model, X_test, classes))
        except Exception as error:
            if not predicted:  # with all rows
                raise
            return predicted, error
    return predicted, None


def best_share(scores, rows):
    """Return the place of the best share, zero if it is not clearly ahead of that.

    Parameters
    ----------
    scores : ndarray of shape (n_shares, n_judgements)
        Of rows judged on; without removal first.
    rows : ndarray of shape (n_judgements,)
        Which; some, perhaps, by several splits.
    """
    _, place, count = np.unique(rows, return_inverse=True, return_counts=True)
    by_row = np.array([np.bincount(place, score) / count for score in scores])
    best = by_row.mean(1).argmax()
    gain = by_row[best] - by_row[0]
    return best if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)) else 0
