"""Splits of training rows in those trained on and those evaluated on."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv

from skshap.selection._attributed import OF_REGRESSION
from skshap.utils._labels import look_like_targets

__all__ = ["make_splits", "other_splits"]

HELD_OUT = "pass X_val and y_val with cv=None"


def make_splits(cv, y_index, classes, seed, *, most_evaluated=None):
    """Split training rows in those trained on and those evaluated on.

    Parameters
    ----------
    cv : int, splitter or iterable
        See :class:`skshap.DataSelector`.
    y_index : ndarray of shape (n,)
        Index of each row's label.
    classes : ndarray of shape (n_classes,)
        Labels.
    seed : int
        Of the folds, if `cv` is their number.
    most_evaluated : int or None, default=None
        How many rows of a fold are evaluated on at most, but for one of each class, if
        `cv` is the number of folds; None for all.

    Returns
    -------
    list of (ndarray, ndarray)
        Positions of the rows trained on, and of the rows evaluated on.

    Raises
    ------
    ValueError
        If there are fewer rows than folds, or a split trains on no row of a class or on
        a row that it evaluates on, trains or evaluates on a row twice or evaluates on
        none, or a row is trained on in no split.
    """
    n = len(y_index)
    if isinstance(cv, Integral):
        if n < cv:
            raise ValueError(
                f"cv={cv} folds need at least as many rows, got n_samples={n}; lower "
                f"cv, or {HELD_OUT}."
            )
        splits = [
            (train, some_of(test, y_index, most_evaluated, seed))
            for train, test in stratified_folds(y_index, cv, seed)
        ]
    else:
        splits = list(split_rows(cv, y_index))
    is_short = isinstance(cv, Integral) or hasattr(cv, "split")
    shown = f"cv={cv!r}" if is_short else "cv"  # splits themselves fill pages
    if not splits:
        raise ValueError(
            f"{shown} has no splits; a generator has them once, pass a list of them."
        )
    is_trained = np.zeros(n, dtype=bool)
    for number, (train, test) in enumerate(splits, start=1):
        if np.isin(test, train).any():
            raise ValueError(
                f"split {number} of {shown} trains on a row that it evaluates on; use "
                "splits whose training and test part share no row."
            )
        for does, part in (("trains", train), ("evaluates", test)):
            found, counts = np.unique(part, return_counts=True)
            if len(found) < len(part):
                raise ValueError(
                    f"split {number} of {shown} {does} on a row twice, such as row "
                    f"{found[counts.argmax()]}; use splits that name each row once."
                )
        counts = np.bincount(y_index[train], minlength=len(classes))
        if counts.min() == 0:
            label = classes.tolist()[counts.argmin()]
            sizes = np.bincount(y_index)
            advice = (
                "add rows of that class, merge it with another, use other splits, or "
                f"{HELD_OUT}."
            )
            if look_like_targets(classes, sizes):
                advice = (
                    f"with {len(classes)} classes of n_samples={n}, most of a row or "
                    f"two, y looks like the target of a regression. {OF_REGRESSION}"
                )
            raise ValueError(
                f"split {number} of {shown} trains on no row of class {label!r}, of "
                f"which there are {sizes[counts.argmin()]} in all; {advice}"
            )
        if len(test) == 0:
            raise ValueError(
                f"split {number} of {shown} has no rows to evaluate on; use splits "
                "with a test part."
            )
        is_trained[train] = True
    if not is_trained.all():
        missed = np.flatnonzero(~is_trained).tolist()
        raise ValueError(
            f"{shown} trains on rows {missed[:5]} in no split, so that they have no "
            "value; use splits whose training parts cover all rows."
        )
    return splits


def split_rows(cv, y_index):
    """Yield the splits of a splitter or of an iterable, as positions of rows."""
    every = np.arange(len(y_index))
    try:
        for train, test in check_cv(cv, y_index, classifier=True).split(every, y_index):
            yield every[list(train)], every[list(test)]
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"cv cannot split n_samples={len(every)} rows: {error} Splits that need "
            "more than rows and labels, as groups, are passed as a list: "
            "cv=list(splitter.split(X, y, groups))."
        ) from error


def stratified_folds(y_index, n_folds, seed):
    """Deal the rows of each class out to folds in turn, in random order."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y_index))
    by_class = shuffled[np.argsort(y_index[shuffled], kind="stable")]
    fold = np.empty(len(y_index), dtype=int)
    fold[by_class] = np.arange(len(y_index)) % n_folds
    return [
        (np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(n_folds)
    ]


def some_of(rows, y_index, most, seed):
    """Return some rows at random, of each class its share, rounded down, or one."""
    if most is None or len(rows) <= most:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    kept = []
    for label in np.unique(y_index[rows]):
        of_class = shuffled[y_index[shuffled] == label]
        kept.append(of_class[: max(1, len(of_class) * most // len(rows))])
    return np.sort(np.concatenate(kept))


def other_splits(n, splits):
    """Say which splits may value rows for another: those evaluated on other rows.

    Parameters
    ----------
    n : int
        Number of rows.
    splits : list of (ndarray, ndarray)
        Positions of the rows trained on, and of the rows evaluated on.

    Returns
    -------
    ndarray of shape (n_splits, n_splits) of bool
        For each split (row) which others (column) evaluate on none of its rows.

    Raises
    ------
    ValueError
        If a row of a split is trained on in none of these.
    """
    trained, evaluated = np.zeros((2, len(splits), n))
    for k, (train, test) in enumerate(splits):
        trained[k, train], evaluated[k, test] = 1, 1
    is_other = evaluated @ evaluated.T == 0
    counts = is_other.astype(float) @ trained
    missed = np.flatnonzero(((trained > 0) & (counts == 0)).any(0)).tolist()
    if missed:
        raise ValueError(
            "cv must value each row that a split trains on in another split, which "
            f"evaluates on other rows, but for {len(missed)} rows, {missed[:3]} and so "
            "on, there is none; use at least three folds, or set n_samples_to_remove "
            "to a number or 'auto'."
        )
    return is_other
