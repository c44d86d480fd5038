"""`FreeShapRegressor`: Shapley values of the training rows of a kernel regressor."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import RegressorMixin

from skshap.attribution._base import BaseFreeShap
from skshap.attribution._regression_scores import (
    REGRESSION_SCORINGS,
    regression_null,
    regression_utility,
)
from skshap.attribution._targets import warn_of_mean, warn_of_outliers
from skshap.attribution._utility import check_scoring
from skshap.kernel_ridge._base import BaseKernelRidge
from skshap.utils._labels import check_numbers
from skshap.utils._sklearn import Interval, StrOptions, fit_context
from skshap.utils._unchanged import unchanged_on_error

__all__ = ["FreeShapRegressor"]


SIGNATURE = (
    "f(prediction, y) that maps predictions and targets, both of shape (n,), to n "
    "scores, each from its own row alone"
)


class FreeShapRegressor(BaseFreeShap, RegressorMixin, BaseKernelRidge):
    """Shapley values of the training rows of a regression.

    The estimator itself is kernel ridge regression, as
    :class:`sklearn.kernel_ridge.KernelRidge`, trained on all rows; as there, targets
    are not centred: subtract their mean if it is far from zero, or nearly all that rows
    add is that mean. The value of a training row is what it adds, on average, to the
    score on given rows when it joins the rows before it in a random order [1]_.

    Parameters
    ----------
    kernel : str, callable or kernel object, default="rbf"
        See :class:`skshap.FreeShapAttributor`.
    alpha : float or "auto", default=1.0
        Strength of the ridge, added to the diagonal of the kernel matrix, as in
        :class:`sklearn.kernel_ridge.KernelRidge`. "auto": from a hundredth to a hundred
        times the mean of that diagonal or, where rows have most of it in common, of
        what is left once they are centred; whichever predicts targets of rows left out
        best.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable.
    scoring : {"neg_mean_squared_error", "neg_mean_absolute_error"} or callable, \
            default="neg_mean_squared_error"
        Score of each row, and the unit of the values: squared units of the target, or
        its units. A callable ``f(prediction, y)`` takes n predictions and n targets,
        and returns n scores, each from its own row alone.
    sampler : {"sweep", "permutation", "exact"}, default="sweep"
        See :class:`skshap.FreeShapAttributor`, also for the parameters that are not
        explained here.
    n_permutations : int, default=100
        How many permutations, or sweeps of a few permutations, are drawn.
    tol : float, ("sign", confidence), ("lowest", k, confidence) or None, default=None
        When to stop earlier.
    truncation_tol : float or None, default=None
        When to end a permutation, with ``sampler="permutation"``.
    semivalue : {"shapley", "banzhaf", "loo"} or tuple ("beta", a, b), \
            default="shapley"
        How much each size of coalition counts.
    null_score : {"prior", "zero"} or float, default="prior"
        Utility of no training row at all. "prior": what predicting the mean of the
        training targets scores on average over those targets; "zero": the same for
        predicting zero, which is what the ridge does far from all rows; or a number.
    device : str, torch.device or None, default=None
        Where factors are computed, such as "cuda"; None is the CPU.
    n_jobs : int or None, default=None
        How many processes share the work, by joblib.
    checkpoint : path or None, default=None
        A file for the state of `attribute`, to go on from after a kill, or a folder,
        as "values", for a file of each computation; what does not exist yet becomes a
        file if it ends in ".npz", and else a folder.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.
    verbose : int, default=0
        Show a progress bar on what takes longer than a few seconds.

    Attributes
    ----------
    null_score_ : float
        Utility of no training row, in the units of `scoring`.
    dual_coef_ : ndarray of shape (n_samples,)
        Weights of the training rows in the regression trained on all of them.
    intercept_ : float
        Zero: targets are not centred.
    loo_prediction_ : ndarray of shape (n_samples,)
        What the regression trained on all other rows predicts for each training row,
        exact.
    alpha_ : float
        `alpha`, or what was chosen.
    kernel_ : object
        The fitted kernel, also where it was chosen.
    gram_ : ndarray of shape (n_samples, n_samples)
        Kernel matrix of the training rows, read only; computed when it is asked for if
        the kernel has fewer explicit features than there are rows.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.FreeShapAttributor : The same for classifiers.

    Notes
    -----
    `kernel`, `alpha`, `scoring` and `null_score` are those that `fit` saw; values are
    refused once one of the last three was set to something else. `semivalue` and the
    parameters of the sampling are read whenever values are computed.

    References
    ----------
    .. [1] Ghorbani and Zou, "Data Shapley: Equitable Valuation of Data for Machine
       Learning", ICML 2019. :arxiv:`1904.02868`

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skshap import FreeShapRegressor
    >>> X, X_val, y, y_val = train_test_split(
    ...     *load_diabetes(return_X_y=True), random_state=0
    ... )
    >>> attributor = FreeShapRegressor("linear", alpha=0.1, random_state=0).fit(X, y)
    >>> values, std = attributor.attribute(X_val, y_val, return_std=True)
    >>> gain = attributor.score(X_val, y_val) - attributor.null_score_
    >>> bool(abs(values.sum() / gain - 1) < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseKernelRidge._parameter_constraints,
        **BaseFreeShap._value_constraints,
        "null_score": [
            StrOptions({"prior", "zero"}),
            Interval(Real, None, None, closed="neither"),
        ],
    }

    def __init__(
        self,
        kernel="rbf",
        *,
        alpha=1.0,
        kernel_params=None,
        scoring="neg_mean_squared_error",
        sampler="sweep",
        n_permutations=100,
        tol=None,
        truncation_tol=None,
        semivalue="shapley",
        null_score="prior",
        device=None,
        n_jobs=None,
        checkpoint=None,
        random_state=None,
        verbose=0,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.kernel_params = kernel_params
        self.scoring = scoring
        self.sampler = sampler
        self.n_permutations = n_permutations
        self.tol = tol
        self.truncation_tol = truncation_tol
        self.semivalue = semivalue
        self.null_score = null_score
        self.device = device
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Compute the kernel of the training rows and train on all of them.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Training rows; the kernel matrix, of shape (n_samples, n_samples), with
            ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self : FreeShapRegressor
            Fitted attributor.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha has no Cholesky factor; the message names `alpha`.
        ValueError
            If rows, targets, the kernel or parameters are malformed, or rows and
            targets are, by names in their indices, not in one order.

        Warns
        -----
        UserWarning
            If targets vary, but are far from zero beside that, or some of them very far
            from all others; if indices are not in one order, but one only numbers its
            rows, or some of their names are others; if half of ten rows or more
            resemble only themselves by the kernel, as where columns have very different
            scales; or if a column of a frame that the kernel reads, with no step of a
            Pipeline before it but scalers, is the same as y in ten rows or more.
        """
        self._check_parameters()
        with unchanged_on_error(self):
            rows = self._check_training_rows(X, y)
            self._y = np.array(check_numbers(y, rows))  # the caller's may change
            warn_of_mean(self._y)
            warn_of_outliers(self._y)
            targets = self._y[:, None]
            kernel = self._map_rows(rows, targets, has_prior=False)
            self._warn_of_target(X, y)
            alpha = self._choose_alpha(kernel, targets, has_prior=False)
            factor = kernel.factorize(alpha, self.device)
            solved, weights = factor.solve(targets)
            self.intercept_ = 0.0
            self.dual_coef_, self._weights = solved[:, 0], weights[:, 0]
            step = self.dual_coef_ / factor.inverse_diagonal[:, 0]
            self.loo_prediction_ = self._y - step
            self._keep_training(kernel, X, y)
        return self

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows; kernel values against the training rows, of shape (n_samples,
            n_samples_fit), with ``kernel="precomputed"``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions.

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, or their
            kernel is not finite.
        """
        return self._outputs(self._map(X))

    def _check_scoring(self, scoring):
        check_scoring(scoring, REGRESSION_SCORINGS, SIGNATURE)

    def _null(self, scoring):
        return regression_null(scoring, self._null_score, self._y)

    def _utility(self, scoring, y):
        return regression_utility(scoring, y, self.device)

    def _targets(self, utilities):
        return self._y[:, None]

    def _encode(self, y, M):
        return check_numbers(y, M)

    def _predict(self, M):
        return self._outputs(M)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # a loss, not R2
        return tags
