"""`LabelNoiseDetector`: finds training rows whose label is probably wrong."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skshap.attribution._own_rows import warn_of_own_rows
from skshap.kernels._base import is_precomputed
from skshap.selection._attributed import Attributed
from skshap.selection._class_values import of_both
from skshap.selection._copies import number_rows, warn_of_copies
from skshap.selection._held_out import check_held_out
from skshap.selection._issues import judge_labels, warn_of_silence
from skshap.selection._noise_choice import choose_model, noise_models
from skshap.selection._rare_labels import warn_of_labels
from skshap.selection._refits import Misses, fit_by_attributor
from skshap.selection._stack import stack_rows
from skshap.utils._labels import check_targets, encode_targets
from skshap.utils._order import check_order
from skshap.utils._sklearn import Interval, StrOptions, fit_context
from skshap.utils._unchanged import unchanged_on_error

__all__ = ["LabelNoiseDetector"]


class LabelNoiseDetector(Attributed, BaseEstimator):
    """Finds training rows whose label is probably wrong, from rows and labels alone.

    Each row is predicted by kernel ridge regression trained on other rows, in closed
    form. From these predictions and the given labels a model of the noise is fitted:
    how probable each true label is, and how often labels of each class were turned
    into which others. The quality of a label is its probability under that model. No
    clean validation set is needed.

    Parameters
    ----------
    attributor : FreeShapAttributor or None, default=None
        Carries the kernel; a clone is fitted. For texts, one with an
        :class:`skshap.EmpiricalNTK`. None works on numbers, by
        ``FreeShapAttributor("auto", alpha="auto")``, which chooses kernel, scaling and
        `alpha`. With its ``verbose=1`` a progress bar shows the permutations of
        "prequential". Its `checkpoint` is not used.
    method : {"auto", "loo", "prequential"}, default="auto"
        Where the prediction of a row comes from. "loo": the ridge trained on all other
        rows; "auto": on all but copies of the row, with class frequencies subtracted
        from the targets and the `alpha` of least leave-one-out error, instead of the
        attributor's, trained twice more on what the noise model takes the labels to be;
        "prequential": the mean over random subsets of the other rows, those before it
        in the attributor's permutations. This alone is random: each fit has other
        qualities, by .2 where tried, unless the attributor has a `random_state`, as
        ``FreeShapAttributor("auto", alpha="auto", random_state=0)`` in place of None.
    contamination : "auto" or float, default="auto"
        Which rows are called issues, always those of lowest quality. "auto": as many as
        possible of those that are more probably wrong than right, while a quarter of
        them at most are expected to be false alarms, and none where right labels of
        hard rows may look the same, which `issues_withheld_` says, see Notes; a float:
        that share of the rows. One row of every class is always left.
    noise : {"auto", "class-conditional", "symmetric"}, default="auto"
        How labels go wrong. "class-conditional": each class at a rate of its own, to
        some classes more than to others; "symmetric": all classes at one rate, to all
        others alike, but for those, of more than two, with less than a twentieth of
        the mean number of labels or to which far fewer went, which finds more where
        that is so or where classes overlap, and much less elsewhere; "auto": of two
        classes the former, of more the
        latter, but for pairs of classes with rates of their own that explain the labels
        much better, such as two that annotators confuse, see Notes.

    Attributes
    ----------
    label_quality_ : ndarray of shape (n_samples,)
        Probability that the given label is right, from 0 to 1; the lower, the more
        suspicious.
    label_issues_ : ndarray of shape (n_samples,)
        True where the label is called wrong.
    issues_withheld_ : bool
        True where some labels look wrong and ``contamination="auto"`` calls none of
        them so, because right labels of hard rows may look the same, see Notes; False
        where labels are called wrong, and where none is suspicious enough for that,
        though some may be more probably wrong than right.
    suggested_labels_ : ndarray of shape (n_samples,)
        The most probable other label where the label is called wrong, elsewhere the
        given label.
    expected_false_alarms_ : float
        How many of the issues are expected to be labels that are right: the sum of
        their qualities; a guess, too few or too many, where ``contamination="auto"``
        would call none.
    noise_ : {"class-conditional", "symmetric"}
        How labels are taken to have gone wrong; "class-conditional" if any pair of
        classes has a rate of its own.
    noise_rate_ : float
        Share of the labels expected to be wrong, called issues or not.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimated probability of each given label (column) by true label (row).
    probabilities_ : ndarray of shape (n_samples, n_classes)
        Probability of each true label from the other rows, without the given label;
        what cleanlab calls `pred_probs`. Not how probably a suggested label is right:
        that weighs the given label and `transition_matrix_` too, as `label_quality_`.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    attributor_ : FreeShapAttributor
        The fitted attributor, on the rows of `X` and those of `X_val`.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.LabelNoiseReport : A page with the suspicious rows.
    skshap.FreeShapAttributor : Values of training rows for held-out predictions.
    skshap.detection_curve : How soon known wrong labels are found.

    Notes
    -----
    The noise model is a mixture with a transition matrix as in [1]_, fitted to
    leave-one-out predictions by expectation maximization; labels are called by their
    mean posterior probability of being right, as in [2]_. Which pairs of more than two
    classes have rates of their own is chosen by what they add to the likelihood, about
    as in [3]_, and a class that lies between others may be told by the decision values
    of all, as in [4]_. The :ref:`notes on noise <noise>` of the documentation
    (``doc/noise.rst``) have the steps.

    Where rows say little about their labels, wrong labels cannot be told from hard
    rows. ``contamination="auto"`` with ``method="auto"`` then calls none, and `fit`
    warns of it.

    Three things look like wrong labels and are none, so that more of the issues are
    right than `expected_false_alarms_` says: a part of a class that lies wholly inside
    another; in some tables of few columns, rows of classes that overlap on both sides;
    and, where no label is wrong at all, whatever is called. Where one class lies among
    another on one side, and where labels went wrong mostly in one class, none may be
    called. A class that rows do not tell from others, often a rare one, keeps its
    labels: one in eight of them is assumed to be wrong.

    Copies of a row may have been copied with their label, and would vouch for each
    other: with ``method="auto"`` each is predicted without the others, as long as at
    most a fifth of the rows have a copy before them. Rows that are nearly the same,
    such as frames of one film or versions of one picture, do vouch for each other: keep
    one of each.

    References
    ----------
    .. [1] Bootkrajang and Kaban, "Label-noise Robust Logistic Regression and Its
       Applications", ECML PKDD 2012. :doi:`10.1007/978-3-642-33460-3_15`
    .. [2] Newton, Noueiry, Sarkar and Ahlquist, "Detecting differential gene expression
       with a semiparametric hierarchical mixture method", Biostatistics 2004.
       :doi:`10.1093/biostatistics/5.2.155`
    .. [3] Chen and Chen, "Extended Bayesian information criteria for model selection
       with large model spaces", Biometrika 2008. :doi:`10.1093/biomet/asn034`
    .. [4] Kull et al., "Beyond temperature scaling: Obtaining well-calibrated
       multiclass probabilities with Dirichlet calibration", NeurIPS 2019.
       :arxiv:`1910.12656`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skshap import LabelNoiseDetector, flip_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    >>> detector = LabelNoiseDetector().fit(X, y_noisy)
    >>> issues = detector.label_issues_
    >>> bool(is_flipped[issues].mean() > 0.7)
    True
    >>> bool(detector.expected_false_alarms_ <= 0.25 * issues.sum())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "attributor": "no_validation",  # but by `_check_attributor`, with a hint
        "method": [StrOptions({"auto", "loo", "prequential"})],
        "contamination": [
            StrOptions({"auto"}),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "noise": [StrOptions({"auto", "class-conditional", "symmetric"})],
    }

    def __init__(
        self,
        attributor=None,
        *,
        method="auto",
        contamination="auto",
        noise="auto",
    ):
        self.attributor = attributor
        self.method = method
        self.contamination = contamination
        self.noise = noise

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, X_val=None, y_val=None):
        """Judge the label of every row.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels, some of them wrong.
        X_val : same kind as `X`, default=None
            Other rows whose labels are right: they help to predict the rows of `X` and
            to tell hard rows from wrong labels. Not with a precomputed kernel.
        y_val : array-like of shape (n_samples_val,), default=None
            Their labels, all among those of `y`.

        Returns
        -------
        self : LabelNoiseDetector
            Fitted detector.

        Raises
        ------
        ValueError
            If rows or labels are malformed, see :class:`skshap.FreeShapAttributor`, or,
            by names in their indices, not in one order, only one of `X_val` and `y_val`
            is given, `X_val` has no rows or other columns than `X`, or `y_val` has a
            label that `y` has not.

        Warns
        -----
        UserWarning
            If labels look misspelt: the same as others but for case, space or, where
            they are rare, one letter; if classes have a single row; if more than a
            fifth of 50 rows or more are copies of others, all with the same labels; if
            ``contamination="auto"`` calls none wrong because wrong labels cannot be
            told from hard rows, whether some look wrong or not, or because more than a
            quarter of the calls would be expected to be false alarms, though two or
            more are more probably wrong than right or more than two, and a hundredth of
            all, are expected to be wrong; or if `X_val`
            looks like numbers in other units than `X`, is `X` with most of its labels,
            or holds rows of `X` with their labels, mostly, of forty or more, or only,
            of ten or more; or if indices are not in one order, but one only numbers its
            rows, or some of their names are others.
        """
        with unchanged_on_error(self):
            self._fit(X, y, X_val, y_val)
            warn_of_silence(self._judged, self.attributor_._training_kernel)
        return self

    def _fit(self, X, y, X_val, y_val):
        """Fit, but do not warn that wrong labels cannot be told."""
        self._check_attributor(X)
        if X_val is None and y_val is None:
            rows, labels, n_clean = X, y, 0
        else:
            rows, labels, n_clean = self._join(X, y, X_val, y_val)
        self.attributor_ = self._fitted_attributor(rows, labels, n_clean)
        self.classes_, given = self.attributor_.classes_, self.attributor_._y
        self._take_names()
        n = len(given) - n_clean
        warn_of_labels(self.classes_, given[:n])
        number = number_rows(self.attributor_._training_kernel)
        warn_of_copies(number[:n], given[:n])
        if n_clean:
            values = self.attributor_._training_kernel.values
            parts = values[:n], values[n:], given[n:], given[:n]
            warn_of_own_rows(*parts, ("X_val", "y_val"))
        is_clean = np.arange(len(given)) >= n
        models = noise_models(given, len(self.classes_), is_clean, self.noise)
        model, misses = self._fit_noise(models)
        self.noise_ = "class-conditional" if model.own.any() else "symmetric"
        self.transition_matrix_ = model.transition
        self.probabilities_ = model.probabilities[:n]
        # Whole, for reports as well.
        self._judged = judged = judge_labels(model, n, misses, self.contamination)
        self.label_quality_ = quality = judged.quality
        self.label_issues_ = issues = judged.issues
        self.issues_withheld_ = judged.n_withheld > 0
        suggested = np.where(issues, judged.rivals, judged.given)
        self.suggested_labels_ = self.classes_[suggested]
        self.expected_false_alarms_ = float(quality[issues].sum())
        self.noise_rate_ = judged.noise_rate

    def fit_predict(self, X, y, *, X_val=None, y_val=None):
        """Judge the label of every row and say which to keep.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels, some of them wrong.
        X_val : same kind as `X`, default=None
            Other rows whose labels are right.
        y_val : array-like of shape (n_samples_val,), default=None
            Their labels.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 where the label is called wrong, else 1.
        """
        self.fit(X, y, X_val=X_val, y_val=y_val)
        return np.where(self.label_issues_, -1, 1)

    def _fitted_attributor(self, rows, labels, n_clean):
        try:
            return self._unfitted_attributor().fit(rows, labels)
        except ValueError as error:
            if n_clean == 0 or type(error) is not ValueError:
                raise
            n = len(labels) - n_clean
            raise ValueError(
                f"X, with X_val below it from row {n} on, is not valid: {error}"
            ) from error

    def _join(self, X, y, X_val, y_val):
        """Put rows of right labels behind the others."""
        if self.attributor is not None and is_precomputed(self.attributor.kernel):
            raise ValueError(
                "X_val cannot be used with kernel='precomputed', which lacks kernel "
                "values between its rows; pass a kernel that computes them."
            )
        check_order(X, y)
        check_held_out(X, X_val, y_val)
        classes, given = check_targets(y, X)
        right = encode_targets(y_val, classes, X_val, "y_val")
        labels = classes[np.concatenate([given, right])]
        return stack_rows(X, X_val), labels, len(right)

    def _fit_noise(self, models):
        """Fit noise models to out-of-sample decision values of the rows.

        Return the one to go by, and what its ridges miss: none by methods that have no
        rule of what is too many.
        """
        fitted = self.attributor_
        if self.method == "auto":
            return fit_by_attributor(models, fitted)
        if self.method == "prequential":
            decision = fitted.prequential_decision_function()
        else:
            decision = fitted.loo_decision_function_
        if decision.ndim == 1:
            decision = of_both(decision)
        model, _ = choose_model(models, lambda model: (model, model.fit(decision)))
        return model, Misses(0.0, 0.0, 0.0)
