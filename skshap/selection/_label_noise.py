"""`LabelNoiseDetector`: finds training rows whose label is probably wrong."""

from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

from skshap.attribution import FreeShapAttributor
from skshap.kernel_ridge import KernelRidgeClassifierCV
from skshap.utils._ridge import TIE, leave_one_out, solve_ridge
from skshap.utils._sklearn import Interval, StrOptions, fit_context
from skshap.utils._validation import check_targets

__all__ = ["LabelNoiseDetector"]

# Of leave-one-out error, as shares of the mean diagonal of the kernel.
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LARGEST_LOGIT = 30.0  # of a quality that is not yet 1 in floating point


class LabelNoiseDetector(BaseEstimator):
    """Finds training rows whose label is probably wrong, from rows and labels alone.

    Each row is predicted by kernel ridge regression trained on other rows, in closed
    form, and rows whose given label falls behind another one are suspicious. No clean
    validation set is needed.

    Parameters
    ----------
    attributor : FreeShapAttributor or None, default=None
        Carries the kernel; a clone is fitted. For texts, one with an
        :class:`skshap.EmpiricalNTK`. None is ``FreeShapAttributor()``, an rbf kernel
        for tables of numbers, whose columns should be scaled first.
    method : {"auto", "loo", "prequential"}, default="auto"
        Where the prediction of a row comes from. "loo": the ridge trained on all other
        rows; "auto": the same with class frequencies subtracted from the targets and
        the `alpha` of least leave-one-out error, instead of the attributor's;
        "prequential": the mean over random subsets of the other rows, those before it
        in the attributor's permutations.
    contamination : "auto" or float, default="auto"
        Which rows are called issues. "auto": those whose strongest rival label
        is more probable than the given one, and at least as probable as it is on
        average on the rows that carry it (after confident learning [1]_); a float: that
        share of the rows, those of lowest quality.

    Attributes
    ----------
    label_quality_ : ndarray of shape (n_samples,)
        Probability of the given label against its strongest rival, from 0 to 1; the
        lower, the more suspicious.
    label_issues_ : ndarray of shape (n_samples,)
        True where the label is called wrong.
    suggested_labels_ : ndarray of shape (n_samples,)
        The strongest rival where the label is called wrong, elsewhere the given label.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    attributor_ : FreeShapAttributor
        The fitted attributor.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.FreeShapAttributor : Values of training rows for held-out predictions.
    skshap.detection_curve : How soon known wrong labels are found.

    Notes
    -----
    Decision values are turned into probabilities by a softmax whose temperature fits
    the given labels best. That does not change the order of rows. Margins of less than
    ``1 / (n_samples - 1)`` are no issue: leaving a row out lowers the frequency of its
    label by as much.

    References
    ----------
    .. [1] Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
       Dataset Labels", JAIR 2021. :doi:`10.1613/jair.1.12125`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skshap import LabelNoiseDetector, flip_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    >>> detector = LabelNoiseDetector(contamination=0.1).fit(X, y_noisy)
    >>> bool(is_flipped[detector.label_issues_].mean() > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "attributor": [FreeShapAttributor, None],
        "method": [StrOptions({"auto", "loo", "prequential"})],
        "contamination": [
            StrOptions({"auto"}),
            Interval(Real, 0, 1, closed="neither"),
        ],
    }

    def __init__(self, attributor=None, *, method="auto", contamination="auto"):
        self.attributor = attributor
        self.method = method
        self.contamination = contamination

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Judge the label of every row.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels, some of them wrong.

        Returns
        -------
        self : LabelNoiseDetector
            Fitted detector.

        Raises
        ------
        ValueError
            If rows or labels are malformed; see :class:`skshap.FreeShapAttributor`.
        """
        self.attributor_ = clone(self._attributor()).fit(X, y)
        self.classes_, given = check_targets(y, self.attributor_.gram_)
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(self.attributor_, name):
                setattr(self, name, getattr(self.attributor_, name))

        decision = self._decision(y)
        rows = np.arange(len(given))
        others = decision.copy()
        others[rows, given] = -np.inf
        rival = others.argmax(1)
        margin = decision[rows, given] - decision[rows, rival]
        # Capped, so that qualities of rows with other margins stay apart.
        sharpness = best_sharpness(decision, given)
        sharpness = min(sharpness, LARGEST_LOGIT / np.abs(margin).max(initial=1e-9))
        self.label_quality_ = expit(sharpness * margin)
        if self.contamination == "auto":
            probabilities = softmax(sharpness * decision, axis=1)
            # A row left out alone moves class frequencies against its own label.
            is_beaten = margin < -1 / (len(given) - 1) - TIE
            confident = confident_issues(probabilities, given, rival)
            self.label_issues_ = is_beaten & confident
        else:
            n_issues = round(self.contamination * len(given))
            lowest = np.argsort(margin, kind="stable")[:n_issues]
            self.label_issues_ = np.isin(rows, lowest)
        self.suggested_labels_ = self.classes_[
            np.where(self.label_issues_, rival, given)
        ]
        return self

    def fit_predict(self, X, y):
        """Judge the label of every row and say which to keep.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as the attributor takes them.
        y : array-like of shape (n_samples,)
            Their labels, some of them wrong.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 where the label is called wrong, else 1.
        """
        return np.where(self.fit(X, y).label_issues_, -1, 1)

    def _attributor(self):
        return FreeShapAttributor() if self.attributor is None else self.attributor

    def _decision(self, y):
        """Out-of-sample decision values of the rows, of shape (n, n_classes)."""
        fitted = self.attributor_
        if self.method == "prequential":
            decision = fitted.prequential_decision_function()
        elif self.method == "loo":
            decision = fitted.loo_decision_function_
        else:
            decision = self._tuned_decision(y)
        if decision.ndim == 1:  # the second class minus the first
            return np.column_stack([-decision, decision]) / 2
        return decision

    def _tuned_decision(self, y):
        """Leave-one-out decision values with the best alpha, (n, n_classes)."""
        gram, device = self.attributor_.gram_, self.attributor_.device
        ridge = KernelRidgeClassifierCV(
            np.diagonal(gram).mean() * np.array(ALPHAS),
            kernel="precomputed",
            class_prior=True,
            device=device,
        ).fit(gram, y)
        Y = (np.asarray(y).reshape(-1, 1) == self.classes_).astype(np.float64)
        right = np.hstack([Y, np.ones((len(Y), 1))])
        # One prior for all rows: that of the others speaks against the given label.
        return leave_one_out(
            Y, *solve_ridge(gram, right, ridge.alpha_, device), prior=Y.mean(0)
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._attributor()).input_tags
        tags.target_tags.required = True
        return tags


def best_sharpness(decision, given):
    """Find what to multiply decision values by before a softmax.

    Parameters
    ----------
    decision : ndarray of shape (n, n_classes)
        Decision values.
    given : ndarray of shape (n,)
        Index of each row's label.

    Returns
    -------
    float
        The factor of least log loss, between 0.01 and 100.
    """

    def log_loss(log_factor):
        log_p = log_softmax(np.exp(log_factor) * decision, axis=1)
        return -log_p[np.arange(len(given)), given].mean()

    best = minimize_scalar(log_loss, bounds=np.log([0.01, 100]), method="bounded")
    return float(np.exp(best.x))


def confident_issues(probabilities, given, rival):
    """Find rows that confidently belong to another class than the given one.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
        Out-of-sample probabilities.
    given : ndarray of shape (n,)
        Index of each row's label.
    rival : ndarray of shape (n,)
        Index of the most probable other label.

    Returns
    -------
    ndarray of shape (n,)
        True where the rival is more probable than the given label, and at least as
        probable as it is on average on the rows that carry it.
    """
    rows = np.arange(len(given))
    own, other = probabilities[rows, given], probabilities[rows, rival]
    n_classes = probabilities.shape[1]
    thresholds = np.array([own[given == c].mean() for c in range(n_classes)])
    return (other > own) & (other >= thresholds[rival])
