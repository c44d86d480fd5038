"""How many rows to remove: what cross-validation of the estimator says."""

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.validation import column_or_1d

from skshap.utils._sklearn import safe_split, slice_params

__all__ = ["choose_share", "removal_order"]

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


def removal_order(values, y):
    """Order rows from the lowest value up, the best row of each class at the end.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Values.
    y : ndarray of shape (n,)
        Labels.

    Returns
    -------
    ndarray of shape (n,)
        Rows, those to remove first on top.
    """
    order = np.argsort(values, kind="stable")
    _, from_end = np.unique(y[order[::-1]], return_index=True)
    is_best = np.zeros(len(y), dtype=bool)
    is_best[len(y) - 1 - from_end] = True
    return np.concatenate([order[~is_best], order[is_best]])


def choose_share(estimator, X, y, splits, split_values, params, *, n_jobs):
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
    n_jobs : int or None
        How many splits are worked on at a time.

    Returns
    -------
    share : float
        The smallest one whose accuracy on all rows judged on is within one standard
        error of the best: that of the difference, over these rows.
    results : dict
        As of :class:`sklearn.feature_selection.RFECV`: `share_removed`,
        `mean_test_score`, `std_test_score` and, of split k, `split{k}_test_score`, each
        of shape (n_shares,).

    Warns
    -----
    FitFailedWarning
        If the estimator cannot be trained without some share; then neither that nor a
        larger one is chosen.
    """
    orders = [
        train[removal_order(v, y[train])]
        for (train, _), v in zip(splits, split_values, strict=True)
    ]
    n_classes, n_least = len(np.unique(y)), min(map(len, orders))
    shares = [s for s in SHARES if n_least - round(s * n_least) >= n_classes]
    found = Parallel(n_jobs=n_jobs)(
        delayed(score_shares)(estimator, X, y, order, test, shares, params)
        for order, (_, test) in zip(orders, splits, strict=True)
    )
    n_tried = min(len(hits) for hits, _ in found)
    if n_tried < len(shares):
        error = next(error for hits, error in found if len(hits) == n_tried)
        warnings.warn(
            f"The estimator cannot be trained without {shares[n_tried]:.0%} of the "
            f"rows, so that no more than {shares[n_tried - 1]:.0%} are removed. It "
            f"says: {error!r}",
            FitFailedWarning,
            stacklevel=4,
        )
    hits = [np.array(hits[:n_tried], dtype=float) for hits, _ in found]
    scores = np.array([split.mean(1) for split in hits])
    results = {
        "share_removed": np.array(shares[:n_tried]),
        "mean_test_score": scores.mean(0),
        "std_test_score": scores.std(0),
        **{f"split{k}_test_score": score for k, score in enumerate(scores)},
    }
    every = np.concatenate(hits, axis=1)
    behind = every[every.mean(1).argmax()] - every
    is_level = behind.mean(1) <= behind.std(1) / np.sqrt(every.shape[1])
    return shares[is_level.argmax()], results


def score_shares(estimator, X, y, order, test, shares, params):
    """Say which held-out rows are predicted right without each share of an order.

    Returns
    -------
    hits : list of ndarray of bool
        Of each share, up to the first without which the estimator cannot be trained.
    error : Exception or None
        What it says there.
    """
    hits = []
    for share in shares:
        kept = np.sort(order[round(share * len(order)) :])
        X_kept, y_kept = safe_split(estimator, X, y, kept)
        X_test, y_test = safe_split(estimator, X, y, test, kept)
        of_rows = slice_params(X, params, kept)
        try:
            model = clone(estimator).fit(X_kept, y_kept, **of_rows)
            predicted = model.predict(X_test)
        except Exception as error:
            if not hits:  # with all rows
                raise
            return hits, error
        hits.append(check_predictions(predicted, y_test, y) == y_test)
    return hits, None


def check_predictions(predicted, y_test, y):
    """Return predicted labels as an array, if they are labels of the rows."""
    predicted = column_or_1d(predicted)
    unknown = sorted(set(predicted.tolist()) - set(y.tolist()), key=str)
    if len(predicted) != len(y_test) or unknown:
        what = f"labels {unknown[:5]}, which y has not," if unknown else "labels"
        raise ValueError(
            f"estimator must predict a label of y for each of {len(y_test)} rows, got "
            f"{len(predicted)} {what}; a number of rows to remove works with any."
        )
    return predicted
