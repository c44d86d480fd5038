"""How many rows to remove: what cross-validation of the estimator says."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from skshap.utils._sklearn import safe_split, slice_params

__all__ = ["choose_share"]

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


def choose_share(estimator, X, y, splits, known, values, params, *, n_jobs):
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
    known : list of ndarray
        For each split the values of the rows that it trains on, in their order, as far
        as they are known without the rows that it judges on.
    values : ndarray of shape (n,)
        Of all rows.
    params : dict
        Of the estimator's `fit`; those with an entry a row are cut down.
    n_jobs : int or None
        How many splits are worked on at a time.

    Returns
    -------
    share : float
        The smallest of those with the best mean score.
    results : dict
        As of :class:`sklearn.feature_selection.RFECV`: `share_removed`,
        `mean_test_score`, `std_test_score` and, of split k, `split{k}_test_score`, each
        of shape (n_shares,): accuracy on rows judged on, as a share of them. There are
        no shares that would leave no row of a class, in a split or in all rows.
    """
    orders = [
        train[np.argsort(v, kind="stable")]
        for (train, _), v in zip(splits, known, strict=True)
    ]
    every = np.argsort(values, kind="stable")
    shares = [share for share in SHARES if keeps_classes(share, y, [every, *orders])]
    scores = Parallel(n_jobs=n_jobs)(
        delayed(score_shares)(estimator, X, y, order, test, shares, params)
        for order, (_, test) in zip(orders, splits, strict=True)
    )
    scores = np.array(scores)
    results = {
        "share_removed": np.array(shares),
        "mean_test_score": scores.mean(0),
        "std_test_score": scores.std(0),
        **{f"split{k}_test_score": score for k, score in enumerate(scores)},
    }
    return shares[results["mean_test_score"].round(12).argmax()], results


def keeps_classes(share, y, orders):
    """Whether in all orders the rows kept hold every label."""
    n_classes = len(np.unique(y))
    kept = (y[order[round(share * len(order)) :]] for order in orders)
    return all(len(np.unique(labels)) == n_classes for labels in kept)


def score_shares(estimator, X, y, order, test, shares, params):
    """Accuracy on held-out rows without each share of the rows lowest in an order."""
    scores = []
    for share in shares:
        kept = np.sort(order[round(share * len(order)) :])
        X_kept, y_kept = safe_split(estimator, X, y, kept)
        model = clone(estimator).fit(X_kept, y_kept, **slice_params(X, params, kept))
        X_test, y_test = safe_split(estimator, X, y, test, kept)
        scores.append(np.mean(np.asarray(model.predict(X_test)) == y_test))
    return scores
