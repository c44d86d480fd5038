"""`DataRemoval`: drops training rows before an estimator is trained."""

from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import process_routing

from skshap.attribution import FreeShapAttributor
from skshap.selection._base import BaseRowChoice, as_count
from skshap.selection._choice import Choice, warn_of_lost_class
from skshap.selection._delegated import Delegated, in_order_of
from skshap.selection._doubt import doubted_rows, warn_of_doubt
from skshap.selection._harm import check_draws, choose_harmful
from skshap.selection._label_noise import LabelNoiseDetector
from skshap.selection._splits import other_splits
from skshap.utils._order import check_entries
from skshap.utils._rows import check_number, number_of_rows
from skshap.utils._seed import draw_seed, set_seeds
from skshap.utils._sklearn import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    fit_context,
    raise_for_params,
    safe_split,
    slice_params,
)
from skshap.utils._unchanged import unchanged_on_error
from skshap.utils._validation import check_column_names

__all__ = ["DataRemoval"]


class DataRemoval(Delegated, ClassifierMixin, MetaEstimatorMixin, BaseRowChoice):
    """Classifier that drops training rows that harm, and trains on the rest.

    Parameters
    ----------
    estimator : classifier
        Trained on the rows that are kept; a clone is fitted.
    attributor : FreeShapAttributor or None, default=None
        Values the rows; a clone is fitted. For texts, one with an
        :class:`skshap.EmpiricalNTK`. None works on numbers, by
        ``FreeShapAttributor("auto", alpha="auto", scoring="neg_brier_score")``, which
        chooses kernel, scaling and `alpha`, and 10 permutations, of more than 500 rows
        ``5000 // n_samples``, one at least, or with "harmful" of more than 1,000 rows
        ``10000 // n_samples``, two at least. Its parameters can be searched, as
        ``attributor__scoring``, only if one is passed. With "auto", None is that of
        :class:`skshap.LabelNoiseDetector`.
        With its ``verbose=1`` a progress bar shows how far each split is.
    n_samples_to_remove : int, float, "auto" or "harmful", default=0.1
        How many rows to remove, or which share of them, rounded: those of lowest
        value, of a rare class maybe most, though its labels are right. "auto": those
        whose label is right with a probability of less than two thirds; no other values
        are computed, so that it takes a small part of the time.
        "harmful": only rows whose value is negative with confidence, and only if the
        estimator predicts rows left out clearly better without as many. See Notes.
    cv : int, splitter, iterable or None, default=5
        How rows are split in those trained on and those evaluated on; not for "auto",
        and if `fit` is given `X_val` and `y_val` only for "harmful". An integer:
        stratified folds of shuffled rows, of each of which at most 2,000 are evaluated
        on; else as in :func:`sklearn.model_selection.check_cv`, where `split` of a
        splitter sees positions in place of the rows, and places in `classes_` as
        labels. None: `X_val` is always given, and "harmful" does not ask the estimator.
        Copies of a row in other folds vouch for its label, right or wrong: drop them,
        or keep them together, as by ``list(GroupKFold().split(X, y, groups))``.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of an attributor or kernel that has none.
    n_jobs : int or None, default=None
        How many splits are worked on at a time; with "harmful" the estimator is fitted
        in these workers too.

    Attributes
    ----------
    estimator_ : classifier
        The classifier trained on the rows that are kept.
    sample_values_ : ndarray of shape (n_samples,)
        Values of the rows, in the units of the attributor's `scoring`; with "auto", how
        probably each label is right.
    removal_report_ : Bunch
        What was removed and why, a column an entry for `pandas.DataFrame`, the row that
        was removed first on top: `sample_index` (a position, not the label of an index:
        use ``.iloc`` on pandas objects), `label`, `value`, with "auto" `label_quality`
        instead, `reason` and, with "harmful", `standard_error` and
        `probability_harmful`.
    cv_results_ : dict
        With "harmful", if any row looks so and `cv` is not None: without removal and
        without as large a share, `share_removed`, the score on rows left out, by what
        their true labels probably are, `mean_test_score` and `std_test_score` over the
        splits, and that of each, `split0_test_score` and so on: minus the log loss, in
        nats, see Notes.
    support_ : ndarray of shape (n_samples,)
        True for rows that are kept.
    sample_indices_ : ndarray of shape (n_kept,)
        Their positions, sorted.
    ranking_ : ndarray of shape (n_samples,)
        Rank of each row, 1 for the last that would be removed.
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted but for an estimator whose own are in another order: columns of
        probabilities are in that.
    attributor_ : FreeShapAttributor
        The attributor, fitted on all rows; with "auto" on those of `X_val` too.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.DataSelector : Selects a small set of rows.
    skshap.LabelNoiseDetector : Finds rows whose label is probably wrong.

    Notes
    -----
    Values are evaluated on `X_val` and `y_val` if they are given. Without them they are
    cross-fitted: each row has its mean value over all rows evaluated on by the splits
    in which it is trained on. Each split has a `checkpoint` of its own then:
    "values.npz" of the attributor becomes "values-0.npz", "values-1.npz" and so on, and
    in a folder each has a name of its own. To go on from them needs the same splits and
    an integer as `random_state`.

    "auto" goes by how probably each label is right, the `label_quality_` of
    :class:`skshap.LabelNoiseDetector` with this attributor; `X_val` and `y_val` are
    rows of right labels there, and no checkpoint is kept. Where labels are right but
    hard to predict, as in overlapping classes, some right ones are removed. All rows
    are left of a class of fewer than ten or whose labels look mostly wrong: they may
    only be hard to predict.

    "harmful" removes rows that are more probably harmful than not, by their values and
    the errors of these (empirical Bayes, as the local false sign rate [1]_, with
    variances as in [3]_) and by how probably their label is wrong, as long as at most
    10 % of those removed are expected to be harmless. Rows harm one by one, and without
    all that do predictions may be worse. So the estimator is fitted twice a split, on
    all rows that it trains on and without as large a share of lowest value there, and
    nothing is removed unless the latter predicts the rows left out better by more than
    one standard error: by the log loss of what their true labels probably are, at the
    temperature that suits the estimator best [2]_. `cv_results_` has these scores. On
    few rows the choice depends on the folds, less on repeated ones, as of
    :class:`sklearn.model_selection.RepeatedStratifiedKFold`. Where `X_val` is given,
    values come from there and the choice from the splits.

    "auto" and "harmful" leave half of the rows of each class, rounded down. The
    :ref:`notes on noise <noise>` of the documentation (``doc/noise.rst``) have the
    steps.

    What share of lowest value an estimator is best off without,
    :class:`sklearn.model_selection.GridSearchCV` over `n_samples_to_remove` finds, by
    accuracy, the default: the log loss of labels some of which are wrong is best for a
    model that is unsure, and thus for one that kept them. A number that would leave a
    class without a row scores NaN there. Values are computed anew for each candidate
    and fold, also where none is removed, as by 0, unless `checkpoint` of the attributor
    is a folder: of candidates that differ in nothing but the number of rows to remove,
    or in `estimator`, the first computes the values of a fold then, and the others read
    them; all that start at once compute them, as with more workers than folds.

    In scikit-learn's cross-validation an `X_val` with as many rows as `X` is taken for
    a parameter of each row and sliced with it. Give it another number of rows. In a
    :class:`sklearn.pipeline.Pipeline`, name it in ``transform_input=["X_val"]``;
    otherwise steps before this one do not transform it.

    References
    ----------
    .. [1] Stephens, "False discovery rates: a new deal", Biostatistics 2017.
       :doi:`10.1093/biostatistics/kxw041`
    .. [2] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017. https://arxiv.org/abs/1706.04599
    .. [3] Smyth, "Linear Models and Empirical Bayes Methods for Assessing Differential
       Expression in Microarray Experiments", Statistical Applications in Genetics and
       Molecular Biology 2004. :doi:`10.2202/1544-6115.1027`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skshap import DataRemoval, flip_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    >>> clf = DataRemoval(LogisticRegression(max_iter=500), random_state=0)
    >>> clf.fit(X, y_noisy).support_.sum()
    np.int64(135)
    >>> bool(is_flipped[~clf.support_].mean() > 0.7)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseRowChoice._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"])],
        "n_samples_to_remove": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="left"),
            StrOptions({"auto", "harmful"}),
        ],
    }

    _most_evaluated = 2000

    def __init__(
        self,
        estimator,
        attributor=None,
        *,
        n_samples_to_remove=0.1,
        cv=5,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.attributor = attributor
        self.n_samples_to_remove = n_samples_to_remove
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, X_val=None, y_val=None, **fit_params):
        """Value the rows, drop the lowest, and train on the rest.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Training rows, as attributor and estimator take them.
        y : array-like of shape (n_samples,)
            Their labels.
        X_val : rows as X, default=None
            Rows to evaluate on.
        y_val : array-like, default=None
            Their labels.
        **fit_params : dict
            Parameters of the estimator's `fit`, by metadata routing; those with an
            entry a row are cut down to the rows kept. Values do not depend on them.

        Returns
        -------
        self : DataRemoval
            Fitted classifier.

        Raises
        ------
        ValueError
            If `estimator` is a regressor or an attributor, only one of `X_val` and
            `y_val` is given, `X_val` has no rows or other columns than `X`, `y_val` has
            a label that `y` has not, there are fewer rows than folds or no more than
            `n_samples_to_remove`, a split trains on no row of a class, or the removal
            would leave a class without a row; with "harmful", if `X_val` is a single
            row or the attributor draws a single permutation, by which values have no
            standard error, if without `X_val` a row has no split to be valued by that
            evaluates on other rows, as with two folds, or if the estimator predicts no
            labels of `y`; or if rows or labels are malformed or if rows, labels and
            entries a row of `fit_params` are, by names in their indices, not in one
            order, or `sample_weight` is not one a row.

        Warns
        -----
        FitFailedWarning
            If the estimator cannot be trained without the rows that look harmful; then
            none are removed.
        UserWarning
            If a number or share takes more than half of a class, and more than twice
            the share of the others, as it may of a rare one whose labels are right;
            if the attributor has a `checkpoint`, but `random_state` is None, unless
            `n_samples_to_remove` is "auto"; with "auto", if wrong labels cannot be told
            from rows that are hard to predict, whether some are removed or not, or if
            more than a fifth of the rows are copies of others with their labels; or if
            `X_val` looks like numbers in other units than `X`, as where only one of
            them was scaled, is `X` with most of its labels, or holds rows of `X` with
            their labels, mostly, of forty or more, or only, of ten or more; or if
            indices are not in one order, but one only numbers its rows, or some of
            their names are others.
        """
        raise_for_params(fit_params, self, "fit")
        params = process_routing(self, "fit", **fit_params).estimator.fit
        for name, values in params.items():
            check_entries(values, name, X, y)
            if name == "sample_weight":  # what else must be one a row is not known
                check_number(values, X, name)
        self._check_estimator()
        with unchanged_on_error(self):
            return self._fit(X, y, X_val, y_val, params)

    def _fit(self, X, y, X_val, y_val, params):
        vars(self).pop("cv_results_", None)
        check_column_names(self, X, reset=True)
        number = self.n_samples_to_remove
        if number == "auto":
            X, y_index, choice = self._choose_doubted(X, y, X_val, y_val)
        elif number == "harmful":
            X, y_index, choice = self._choose_harmful(X, y, X_val, y_val, params)
        else:
            X, y_index, choice = self._choose_lowest(X, y, X_val, y_val)
        y = self.classes_[y_index]  # numbers, of objects that are numbers
        order, n_kept = choice.order[::-1], len(y) - choice.n_removed
        advice = (
            "all are among those of lowest value, as a rare class may be; lower "
            'n_samples_to_remove, or pass "auto", which leaves half of each class'
        )
        self._keep_first(order, n_kept, y_index, advice)
        if not isinstance(number, str):  # which leaves half of each class
            warn_of_lost_class(~self.support_, y_index, self.classes_, number)
        kept = self.sample_indices_
        X_kept, y_kept = safe_split(self.estimator, X, y, kept)
        self.estimator_ = clone(self.estimator).fit(
            X_kept, y_kept, **slice_params(X, params, kept)
        )
        self.classes_ = in_order_of(self.estimator_, self.classes_)
        self.sample_values_ = choice.values
        scoring = None if number == "auto" else self.attributor_.scoring
        self.removal_report_ = choice.report(y, scoring)
        return self

    def _choose_doubted(self, X, y, X_val, y_val):
        """Choose the rows whose labels are probably wrong."""
        seed = draw_seed(self.random_state)
        self._check_attributor(X)
        attributor = self.attributor
        if attributor is not None:
            attributor = set_seeds(clone(attributor), seed)
        detector = LabelNoiseDetector(attributor)
        detector._fit(X, y, X_val, y_val)  # it would warn of calls, not of removals
        self.attributor_, self.classes_ = detector.attributor_, detector.classes_
        self._take_names()
        (X,), y_index = indexable(X), detector._judged.given
        choice = doubted_rows(detector.label_quality_, y_index)
        if not self.attributor_._training_kernel.is_narrow():  # of which it warned
            warn_of_doubt(detector._judged, choice.n_removed)
        return X, y_index, choice

    def _choose_lowest(self, X, y, X_val, y_val):
        """Choose the rows of lowest value."""
        number = self.n_samples_to_remove
        n = 0 if y is None else number_of_rows(y, "y")
        if 0 < n <= as_count(number, n):  # before what takes long
            raise ValueError(
                f"n_samples_to_remove={number!r} leaves nothing of n_samples={n} rows; "
                "lower it."
            )
        X, y_index, y_val, splits = self._fit_attributor(X, y, X_val, y_val)
        values = self._value(X_val, y_val, splits)[0].mean
        order = np.argsort(values, kind="stable")
        return X, y_index, Choice(values, order, as_count(number, len(order)))

    def _choose_harmful(self, X, y, X_val, y_val, params):
        """Choose the rows that harm with confidence."""
        if X_val is not None and number_of_rows(X_val) == 1:
            raise ValueError(
                'n_samples_to_remove="harmful" needs at least two rows in X_val, got '
                "one: of one row there is no standard error; pass more, or X_val=None "
                "to evaluate on other folds."
            )
        if isinstance(self.attributor, FreeShapAttributor):
            check_draws(self.attributor)
        X, y_index, y_val, splits = self._fit_attributor(
            X, y, X_val, y_val, with_error=True, always_split=True
        )
        options = {"params": params, "n_jobs": self.n_jobs}
        if X_val is None:  # else values from there serve every split
            options["is_other"] = other_splits(len(y_index), splits)
        values, parts = self._value(X_val, y_val, splits, with_error=True)
        choice, results = choose_harmful(
            self.attributor_, self.estimator, X, splits, values, parts, **options
        )
        if results is not None:
            self.cv_results_ = results
        return X, y_index, choice
