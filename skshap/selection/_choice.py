"""The choice of rows to remove: how many, which, and the report on them."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skshap.utils._warn import warn_caller

__all__ = ["Choice", "count_doubted", "spare_classes", "warn_of_lost_class"]


class Choice(NamedTuple):
    """Rows to remove.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Of the rows: they are removed by these.
    order : ndarray of shape (n,)
        The row to remove first on top.
    n_removed : int
        How many of these are removed.
    errors, probability : ndarray of shape (n,) or None
        Of values, and that rows are harmful.
    """

    values: np.ndarray
    order: np.ndarray
    n_removed: int
    errors: np.ndarray | None = None
    probability: np.ndarray | None = None

    def report(self, y, scoring):
        """Say of removed rows what they are removed for.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Labels of all rows.
        scoring : str, callable or None
            Which gives values their unit; None where they are probabilities that labels
            are right.

        Returns
        -------
        Bunch
            The `removal_report_` of :class:`skshap.DataRemoval`.
        """
        values, removed = self.values, self.order[: self.n_removed]
        value = "label_quality" if scoring is None else "value"
        report = {"sample_index": removed, "label": y[removed], value: values[removed]}
        unit = scoring
        if not isinstance(unit, str):
            unit = getattr(unit, "__name__", type(unit).__name__)
        if scoring is None:
            reasons = [
                f"its label is right with probability {values[i]:.3f}" for i in removed
            ]
        elif self.probability is not None:
            report["standard_error"] = self.errors[removed]
            report["probability_harmful"] = self.probability[removed]
            reasons = [
                f"{unit} {values[i]:.2g} ± {self.errors[i]:.1g}, with its label "
                f"harmful with probability {self.probability[i]:.3f}"
                for i in removed
            ]
        else:
            reasons = [
                f"{unit} {values[i]:.2g}, number {rank} of {len(y)} from the lowest"
                for rank, i in enumerate(removed, start=1)
            ]
        return Bunch(**report, reason=np.array(reasons, dtype=object))


def count_doubted(chances, share):
    """Count the rows, of rising chances to be right, of which a share is right at most.

    None of them is more probably right than wrong.
    """
    expected = np.cumsum(chances) / np.arange(1, len(chances) + 1)  # never falls
    return int(((expected <= share) & (chances < 0.5)).sum())


def spare_classes(order, y):
    """Move the last half of each class to the end of an order of rows.

    Half of the rows of a class, rounded down, are left to it, and one at least.

    Parameters
    ----------
    order : ndarray of shape (n,)
        Rows, the one to remove first on top.
    y : ndarray of shape (n,)
        Labels.

    Returns
    -------
    order : ndarray of shape (n,)
        The same with these rows last.
    n_removable : int
        How many of these may be removed: those not among the halves.
    """
    is_spared = np.zeros(len(order), dtype=bool)
    for label in np.unique(y):
        places = np.flatnonzero(y[order] == label)
        is_spared[places[-max(1, len(places) // 2) :]] = True
    order = np.concatenate([order[~is_spared], order[is_spared]])
    return order, int((~is_spared).sum())


def warn_of_lost_class(is_removed, y_index, classes, number):
    """Warn of each class of which most goes, and of the others much less.

    Predictions of most rows can be better without a rare class, though its labels are
    right.

    Parameters
    ----------
    is_removed : ndarray of shape (n,) of bool
    y_index : ndarray of shape (n,)
        Index of each label in `classes`.
    classes : ndarray of shape (n_classes,)
    number : int or float
        The `n_samples_to_remove` of which to warn.

    Warns
    -----
    UserWarning
        If more than half of the rows of a class are removed, and more than twice the
        share of those of other classes.
    """
    counts, n = np.bincount(y_index), len(y_index)
    gone = np.bincount(y_index, is_removed)
    share, of_others = gone / counts, (gone.sum() - gone) / (n - counts)
    for c in np.flatnonzero(share > np.maximum(0.5, 2 * of_others)):
        warn_caller(
            f"n_samples_to_remove={number!r} removes {gone[c]:.0f} of {counts[c]} rows "
            f"of class {classes.tolist()[c]!r}, and {of_others[c]:.0%} of the others: "
            "rows of a class have low values though their labels are right, where "
            "predictions of the other rows are better without them. Lower it, or pass "
            'n_samples_to_remove="auto", which goes by how probably labels are right '
            "and leaves half of each class."
        )
