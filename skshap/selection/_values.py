"""Values of training rows, evaluated on rows that had no part in training."""

from copy import copy
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from skshap.attribution._split import split_attributor

__all__ = [
    "combine",
    "evaluate_splits",
    "values_from_others",
    "values_on",
]

# Of the mean variance of all rows in that of each, in degrees of freedom: a few rows
# evaluated on often lack those that a row matters for, and its variance is too low. Of
# hundreds it weighs little.
PRIOR_FREEDOM = 20


class RowValues(NamedTuple):
    """Values of training rows.

    Attributes
    ----------
    mean : ndarray of shape (n,)
        Values, in the units of the attributor's scoring.
    error : ndarray of shape (n,) or None
        Standard errors: over the rows evaluated on, as a sample of those to come, and
        over permutations. The variance over the former is drawn towards the mean of
        all training rows, as if this had `PRIOR_FREEDOM` degrees of freedom: moderated
        as in Smyth (2004), :doi:`10.2202/1544-6115.1027`, but by a fixed weight.
    """

    mean: np.ndarray
    error: np.ndarray | None


class Sums(NamedTuple):
    """What values over several sets of rows are made of."""

    total: np.ndarray
    squares: np.ndarray | float
    sampling: np.ndarray | float
    n_evaluated: int
    n_distinct: float  # each a share of one that counts in several splits


def values_on(attributor, X_val, y_val, *, with_error):
    """Compute the values of a fitted attributor's rows for given rows.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted.
    X_val, y_val : rows and labels
        As `attribute` takes them.
    with_error : bool
        Whether standard errors are wanted, which takes memory for a value a row and
        row evaluated on.

    Returns
    -------
    RowValues
    """
    attributor = copy(attributor)
    attributor._names_of_own = "X_val", "y_val"
    sums = evaluate(attributor, X_val, y_val, with_error=with_error)
    every = np.arange(len(sums.total))
    return combine(len(every), [(every, sums)], with_error=with_error)


def evaluate_splits(attributor, splits, *, with_error, n_jobs):
    """Value the rows that each split trains on, on the rows that it evaluates on.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted on all rows. Its kernel, which knows no labels, serves for every split.
    splits : list of (ndarray, ndarray)
        From `make_splits`.
    with_error : bool
        See `values_on`.
    n_jobs : int or None
        How many splits are worked on at a time.

    Returns
    -------
    list of (ndarray, Sums)
        Of each split, the rows trained on and the sums of their values.
    """
    # All results are needed at once, so that any of joblib's backends will do.
    parts = Parallel(n_jobs=n_jobs)(
        delayed(evaluate_split)(attributor, splits, k, with_error)
        for k in range(len(splits))
    )
    n_splits = np.bincount(np.concatenate([test for _, test in splits]))
    return [
        (train, part._replace(n_distinct=float((1 / n_splits[test]).sum())))
        for (train, test), part in zip(splits, parts, strict=True)
    ]


def evaluate_split(attributor, splits, k, with_error):
    """Train on a part of the rows and evaluate these on another."""
    part, M_test = split_attributor(attributor, splits[k], k, len(splits))
    y_test = attributor.classes_[attributor._y[splits[k][1]]]
    return evaluate(part, M_test, y_test, with_error=with_error)


def evaluate(attributor, X, y, *, with_error):
    """Sum the values of training rows over the rows evaluated on."""
    if not with_error:
        values = attributor.attribute(X, y)
        return Sums(values * len(y), 0.0, 0.0, len(y), len(y))
    values, errors = attributor.attribute(X, y, per_sample=True, return_std=True)
    # Errors of sampling are common to all rows evaluated on: at worst they add up.
    return Sums(values.sum(0), (values**2).sum(0), errors.sum(0), len(y), len(y))


def combine(n, parts, *, with_error):
    """Turn sums over splits into values.

    Parameters
    ----------
    n : int
        Number of rows.
    parts : iterable of (ndarray, Sums)
        From `evaluate_splits`.
    with_error : bool
        Whether the sums are such that there are standard errors.

    Returns
    -------
    RowValues
        Means over the rows evaluated on in all parts in which a row was trained on.
        Rows that count in several parts, as with repeated folds, are one each to the
        error.
    """
    total, squares, sampling, count, distinct = np.zeros((5, n))
    for rows, sums in parts:
        total[rows] += sums.total
        squares[rows] += sums.squares
        sampling[rows] += np.square(sums.sampling)
        count[rows] += sums.n_evaluated
        distinct[rows] += sums.n_distinct
    mean = total / count
    if not with_error:
        return RowValues(mean, None)
    freedom = np.maximum(distinct - 1, 1)
    variance = np.maximum(squares / count - mean**2, 0) * distinct / freedom
    common = np.average(variance, weights=np.maximum(distinct - 1, 1e-9))
    pooled = (PRIOR_FREEDOM * common + freedom * variance) / (PRIOR_FREEDOM + freedom)
    return RowValues(mean, np.sqrt(pooled / distinct + sampling / count**2))


def values_from_others(parts, is_other):
    """Compute values for each split from splits that evaluate on other rows.

    Parameters
    ----------
    parts : list of (ndarray, Sums)
        From `evaluate_splits`.
    is_other : ndarray of shape (n_splits, n_splits) of bool
        From `other_splits`.

    Returns
    -------
    list of ndarray
        For each split the values of the rows that it trains on, in their order: means
        over the rows that these other splits evaluate on, as far as they train on them.
    """
    n = 1 + max(rows.max() for rows, _ in parts)
    total, count = np.zeros((2, len(parts), n))
    for k, (rows, sums) in enumerate(parts):
        total[k, rows], count[k, rows] = sums.total, sums.n_evaluated
    weights = is_other.astype(float)
    total, count = weights @ total, weights @ count
    return [total[k, rows] / count[k, rows] for k, (rows, _) in enumerate(parts)]
