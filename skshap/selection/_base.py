"""What estimators that keep some rows and drop others share."""

from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import indexable

from skshap.selection._attributed import Attributed
from skshap.selection._held_out import check_held_out, errors_name_held_out
from skshap.selection._splits import make_splits
from skshap.selection._values import combine, evaluate_splits, values_on
from skshap.utils._label_arrays import as_labels
from skshap.utils._labels import encode_targets
from skshap.utils._order import check_order
from skshap.utils._rows import number_of_rows
from skshap.utils._seed import draw_seed, set_seeds
from skshap.utils._sklearn import Interval
from skshap.utils._warn import warn_caller

__all__ = ["BaseRowChoice", "as_count"]

PERMUTED = 5000  # rows, in all permutations together, if values are without errors
MOST_PERMUTATIONS = 10


class BaseRowChoice(Attributed, BaseEstimator):
    """Values training rows and keeps some of them.

    Subclasses have parameters `attributor`, `cv`, `random_state` and `n_jobs`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "attributor": "no_validation",  # but by `_check_attributor`, with a hint
        "cv": ["cv_object"],
        "random_state": ["random_state"],
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
    }
    _most_evaluated = 1000  # rows of a fold

    def _fit_attributor(
        self, X, y, X_val, y_val, *, with_error=False, always_split=False
    ):
        """Fit the attributor on all rows; return these, and how to split them.

        Returns
        -------
        X : indexable
            The rows, as they are.
        y_index : ndarray of shape (n,)
            Index of each label in `classes_`.
        y_val : ndarray of shape (n_val,) or None
            The same of those of `X_val`.
        splits : list of (ndarray, ndarray) or None
            Of the rows, for cross-fitting.
        """
        if X_val is None and self.cv is None:
            raise ValueError(
                "cv=None leaves no rows to evaluate on; pass X_val and y_val, or a "
                "number of folds."
            )
        seed = draw_seed(self.random_state)
        self._check_attributor(X)
        check_order(X, y)
        if y is not None:
            y = as_labels(y)
            (X,) = indexable(X)
        check_held_out(X, X_val, y_val)
        number = self._n_permutations(number_of_rows(X), with_error)
        attributor = self._unfitted_attributor(
            scoring="neg_brier_score", n_permutations=number
        )
        self.attributor_ = set_seeds(attributor, seed).fit(X, y)
        self.classes_, y_index = self.attributor_.classes_, self.attributor_._y
        self._take_names()
        if y_val is not None:
            y_val = encode_targets(y_val, self.classes_, X_val, "y_val")
        splits = None
        if self.cv is not None and (X_val is None or always_split):
            splits = make_splits(
                self.cv,
                y_index,
                self.classes_,
                seed,
                most_evaluated=self._most_evaluated,
            )
        return X, y_index, y_val, splits

    def _n_permutations(self, n, with_error):
        """Return how many permutations of n rows are drawn, if nobody says so.

        The more rows there are, the more of the noise comes from which rows values
        are evaluated on.
        """
        least = 2 if with_error else 1
        return int(np.clip(least * PERMUTED // max(n, 1), least, MOST_PERMUTATIONS))

    def _value(self, X_val, y_val, splits, *, with_error=False):
        """Compute values on the validation rows, or by cross-fitting.

        All but `X_val` are from `_fit_attributor`.

        Returns
        -------
        values : RowValues
        parts : list of (ndarray, Sums), or None
            What they are made of, if by cross-fitting.
        """
        self._warn_of_checkpoint(X_val)
        if X_val is not None:
            labels = self.classes_[y_val]
            with errors_name_held_out():
                values = values_on(
                    self.attributor_, X_val, labels, with_error=with_error
                )
            return values, None
        parts = evaluate_splits(
            self.attributor_, splits, with_error=with_error, n_jobs=self.n_jobs
        )
        return combine(len(self.attributor_._y), parts, with_error=with_error), parts

    def _warn_of_checkpoint(self, X_val):
        """Warn of a checkpoint that no other fit goes on from."""
        path = getattr(self.attributor, "checkpoint", None)
        if path is None or self.random_state is not None:
            return
        splits_rows = X_val is None and isinstance(self.cv, Integral)
        if splits_rows or self.attributor.random_state is None:
            warn_caller(
                f"checkpoint={str(path)!r} is of no use with random_state=None, which "
                "draws other splits and permutations in each fit; pass "
                f"{type(self).__name__}(..., random_state=0)."
            )

    def _keep_first(self, order, n_kept, y_index, advice):
        """Keep the first rows of an order, if every class has one of them."""
        kept = np.sort(order[:n_kept])
        counts = np.bincount(y_index[kept], minlength=len(self.classes_))
        if counts.min() == 0:
            label = self.classes_.tolist()[counts.argmin()]
            raise ValueError(
                f"keeping {n_kept} of {len(order)} rows would leave none of class "
                f"{label!r} ({int((y_index == counts.argmin()).sum())} rows); {advice}."
            )
        self.ranking_ = np.empty(len(order), dtype=int)
        self.ranking_[order] = np.arange(1, len(order) + 1)
        self.sample_indices_ = kept
        self.support_ = np.zeros(len(order), dtype=bool)
        self.support_[kept] = True


def as_count(number, n):
    """Turn a number of n rows or a share of them into a number, halves to even."""
    return int(number) if isinstance(number, Integral) else round(number * n)
