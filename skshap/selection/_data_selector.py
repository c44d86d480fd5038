"""`DataSelector`: keeps the training rows that are worth most."""

from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.utils import indexable
from sklearn.utils.validation import check_is_fitted

from skshap.attribution._own_rows import warn_of_own_rows
from skshap.selection._base import BaseRowChoice, as_count
from skshap.selection._draft import order_by_class
from skshap.selection._greedy import View, choose_greedily
from skshap.selection._held_out import errors_name_held_out
from skshap.utils._rows import number_of_rows
from skshap.utils._sklearn import (
    Interval,
    RealNotInt,
    StrOptions,
    fit_context,
    safe_indexing,
    safe_split,
)
from skshap.utils._unchanged import unchanged_on_error

__all__ = ["DataSelector"]


class DataSelector(BaseRowChoice):
    """Selects training rows: a small set that is worth most.

    Parameters
    ----------
    attributor : FreeShapAttributor or None, default=None
        Carries the kernel and `alpha`; a clone is fitted. For texts, one with an
        :class:`skshap.EmpiricalNTK`. None works on numbers, by
        ``FreeShapAttributor("auto", alpha="auto", scoring="neg_brier_score")``, which
        chooses kernel, scaling and `alpha`, and 10 permutations, of more than 500 rows
        ``5000 // n_samples``, one at least. With its ``verbose=1`` a progress bar shows
        the rows selected or, of other strategies than "greedy", how far each split is.
    n_samples_to_select : int or float, default=0.5
        How many rows to select, or which share of them, rounded.
    strategy : {"greedy", "balanced", "top"}, default="greedy"
        "greedy": always the row that lowers the squared error of the ridge most, given
        those selected before it [1]_, among rows of classes that are not ahead of their
        share; "balanced": the largest Shapley values while classes keep their
        shares; "top": the largest Shapley values, which at small sizes select rows that
        say the same, and may refuse because they leave a class without a row [2]_.
    cv : int, splitter, iterable or None, default=5
        How rows are split in those trained on and those evaluated on, unless strategies
        other than "greedy" are given `X_val` and `y_val`. An integer: stratified folds
        of shuffled rows, of each of which at most 1,000 are evaluated on; else as in
        :func:`sklearn.model_selection.check_cv`, where `split` of a splitter sees
        positions in place of the rows, and places in `classes_` as labels. None: rows
        are evaluated on `X_val` and `y_val` alone.
        Copies of a row in other folds vouch for its label, right or wrong: drop them,
        or keep them together, as by ``list(GroupKFold().split(X, y, groups))``.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of an attributor or kernel that has none.
    n_jobs : int or None, default=None
        How many splits Shapley values are computed on at a time; "greedy" has no use
        for it.

    Attributes
    ----------
    support_ : ndarray of shape (n_samples,)
        True for rows that are selected.
    sample_indices_ : ndarray of shape (n_selected,)
        Their positions, sorted.
    ranking_ : ndarray of shape (n_samples,)
        Rank of each row, 1 for the first to be selected. With "greedy" those that are
        not selected are ranked by what each would add to all selected.
    sample_values_ : ndarray of shape (n_samples,)
        With "greedy", by how much a row lowered the Brier score of
        :func:`sklearn.metrics.brier_score_loss` (of two classes one counts, of more all
        are summed) when it was selected, or would if it were selected next; else its
        Shapley value, in the units of the attributor's `scoring`.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    attributor_ : FreeShapAttributor
        The attributor, fitted on all rows.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.DataRemoval : Drops the rows of lowest value and trains on the rest.
    skshap.FreeShapAttributor : Values of training rows.

    Notes
    -----
    Shapley values are evaluated on `X_val` and `y_val` if they are given. Without them
    they are cross-fitted: each row has its mean value over all rows evaluated on by the
    splits in which it is trained on, so that large folds count more than small ones.
    Each split has a `checkpoint` of its own then: "values.npz" of the attributor
    becomes "values-0.npz", "values-1.npz" and so on, and in a folder each has a name of
    its own. To go on from them needs the same splits and an integer as `random_state`.

    "greedy", which keeps no checkpoint, grows one ridge a split at the same time, each
    on the selected rows that its split trains on, and adds up what a row gains on the
    rows left out; validation rows are evaluated on besides, unless ``cv=None``. That is
    better than validation rows alone, which fit a large selection to their own noise.

    With a kernel matrix, a selection of s of n rows takes ``s n (2 m + s cv / 2)``
    multiplications or so, with m rows evaluated on in all splits and `X_val`, and
    memory of ``8 n (2 n + m + s cv)`` bytes, beside that of the attributor's fit; with
    d explicit features, as of linear kernels and large tables, where they are so few
    that this is less, ``2 s d cv (n + 2 d)`` multiplications and ``8 n (3 d + cv (6 + 4
    n_classes)) + 16 cv d^2`` bytes. Its ridges regress indicators of classes minus one
    over their number, so that a ridge on no row predicts all alike.

    In scikit-learn's cross-validation an `X_val` with as many rows as `X` is taken for
    a parameter of each row and sliced with it. Give it another number of rows. The
    pipeline of imbalanced-learn hands no validation rows to its samplers.

    References
    ----------
    .. [1] Wang, Lin, Qiao, Foo and Low, "Helpful or Harmful Data? Fine-tuning-free
       Shapley Attribution for Explaining Language Model Predictions", ICML 2024: the
       ridge whose gains are taken. :arxiv:`2406.04606`
    .. [2] Tian, Fan, Sim, Wang, Chen and Low, "Is Data Shapley Not Better than Random
       in Data Selection?", ICML 2026. :arxiv:`2605.10684`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skshap import DataSelector
    >>> X, y = load_iris(return_X_y=True)
    >>> selector = DataSelector(n_samples_to_select=12, random_state=0)
    >>> X_few, y_few = selector.fit_resample(X, y)
    >>> X_few.shape
    (12, 4)
    >>> bool(LogisticRegression().fit(X_few, y_few).score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseRowChoice._parameter_constraints,
        "n_samples_to_select": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        "strategy": [StrOptions({"greedy", "balanced", "top"})],
    }

    def __init__(
        self,
        attributor=None,
        *,
        n_samples_to_select=0.5,
        strategy="greedy",
        cv=5,
        random_state=None,
        n_jobs=None,
    ):
        self.attributor = attributor
        self.n_samples_to_select = n_samples_to_select
        self.strategy = strategy
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, X_val=None, y_val=None):
        """Select rows.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Training rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        X_val : rows as X, default=None
            Rows to evaluate on.
        y_val : array-like, default=None
            Their labels.

        Returns
        -------
        self : DataSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If only one of `X_val` and `y_val` is given, `X_val` has no rows or other
            columns than `X`, `y_val` has a label that `y` has not, there are fewer rows
            than folds or than `n_samples_to_select`, a split trains on no row of a
            class, or the selection would leave a class without a row; or if rows or
            labels are malformed or, by names in their indices, not in one order.

        Warns
        -----
        UserWarning
            If the attributor has a `checkpoint`, but `random_state` is None, unless
            `strategy` is "greedy"; or if `X_val` looks like numbers in other
            units than `X`, as where only one of them was scaled, is `X` with most of
            its labels, or holds rows of `X` with their labels, mostly, of forty or
            more, or only, of ten or more; or if indices are not in one order, but one
            only numbers its rows, or some of their names are others.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, X_val, y_val)

    def _fit(self, X, y, X_val, y_val):
        number = self.n_samples_to_select
        n = 0 if y is None else number_of_rows(y, "y")
        if 0 < n < as_count(number, n):  # before what takes long
            raise ValueError(
                f"n_samples_to_select={number!r} is more than all of n_samples={n} "
                "rows; lower it."
            )
        is_greedy = self.strategy == "greedy"
        _, y_index, y_val, splits = self._fit_attributor(
            X, y, X_val, y_val, always_split=is_greedy
        )
        n_classes, n_kept = len(self.classes_), as_count(number, n)
        if n_kept < n_classes:
            raise ValueError(
                f"n_samples_to_select={number!r} selects {n_kept} rows, but it must "
                f"select at least one of each of {n_classes} classes; raise it."
            )
        if is_greedy:
            kernel = self.attributor_._training_kernel
            views = self._views(kernel, y_index, X_val, y_val, splits)
            order, values = choose_greedily(
                kernel,
                y_index,
                views,
                alpha=self.attributor_.alpha_,
                n_to_choose=n_kept,
                device=self.attributor_.device,
                verbose=self.attributor_.verbose,
            )
            if not np.isfinite(values).all():
                raise ValueError(
                    "the kernel is too large to square: its largest diagonal entry is "
                    f"{kernel.diagonal().max():.2g}; scale the rows or the kernel down."
                )
        else:
            values = self._value(X_val, y_val, splits)[0].mean
            if self.strategy == "balanced":
                order = order_by_class(values, y_index, n_kept)
            else:
                order = np.argsort(-values, kind="stable")
        self.sample_values_ = values
        advice = "use strategy='greedy' or 'balanced', or raise n_samples_to_select"
        self._keep_first(order, n_kept, y_index, advice)
        return self

    def fit_resample(self, X, y, *, X_val=None, y_val=None):
        """Select rows and return them, as a step of an imbalanced-learn pipeline does.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Training rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        X_val : rows as X, default=None
            Rows to evaluate on.
        y_val : array-like, default=None
            Their labels.

        Returns
        -------
        X_resampled : of the type of X, a list for a tuple
            The rows selected, in their order in X; a CSR matrix for sparse ones of a
            format that has no rows.
        y_resampled : of the type of y, a list for a tuple
            Their labels.
        """
        self.fit(X, y, X_val=X_val, y_val=y_val)
        kept = self.sample_indices_
        (rows,) = indexable(X)
        is_index = hasattr(y, "get_indexer")  # of pandas
        labels = y[kept] if is_index else safe_indexing(y, kept)
        return safe_split(self, rows, None, kept)[0], labels

    def get_support(self, indices=False):
        """Say which rows are selected.

        Parameters
        ----------
        indices : bool, default=False
            Return positions instead of a mask.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_selected,)
            True for rows that are selected; with `indices` their positions.
        """
        check_is_fitted(self)
        return self.sample_indices_ if indices else self.support_

    def _views(self, kernel, y_index, X_val, y_val, splits):
        """Yield what a greedy selection is evaluated on."""
        n = len(y_index)
        if X_val is not None:
            with errors_name_held_out():
                M = self.attributor_._map(X_val)
            warn_of_own_rows(kernel.values, M, y_val, y_index, ("X_val", "y_val"))
            yield View(np.ones(n, dtype=bool), M, y_val)
            del M
        for train, test in splits or []:
            is_candidate = np.zeros(n, dtype=bool)
            is_candidate[train] = True
            yield View(is_candidate, kernel.values[test], y_index[test])
