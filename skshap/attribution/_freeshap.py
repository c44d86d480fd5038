"""`FreeShapAttributor`: Shapley values of the training rows of a kernel classifier."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skshap.attribution._coalitions import PrefixRidge
from skshap.attribution._estimation import LARGEST_GAME, estimate_values
from skshap.attribution._samplers import generators
from skshap.attribution._semivalues import size_weights
from skshap.attribution._utility import Utility, check_scoring, null_utility
from skshap.kernel_ridge import BaseKernelRidge
from skshap.kernels._base import is_precomputed
from skshap.utils._progress import progress
from skshap.utils._sklearn import Interval, StrOptions, fit_context
from skshap.utils._validation import encode_targets

__all__ = ["FreeShapAttributor"]


class FreeShapAttributor(BaseKernelRidge):
    """Shapley values of training rows, without fine-tuning (FreeShap).

    The utility of a coalition of training rows is the score that kernel ridge
    regression trained on it alone has on given rows; the value of a training row is its
    average gain in utility when it joins the rows before it in a random order [1]_.
    With a :class:`skshap.EmpiricalNTK` as kernel, the classifier stands in for
    fine-tuning the network. The estimator itself is that classifier, trained on all
    rows.

    Parameters
    ----------
    kernel : str, callable or kernel object, default="rbf"
        "precomputed"; a name or a callable that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` takes; or an object with
        `fit`, `fit_transform` and `transform` such as :class:`skshap.EmpiricalNTK`, of
        which a clone is fitted.
    alpha : float, default=1.0
        Strength of the ridge, in units of the kernel's diagonal.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable.
    scoring : {"accuracy", "neg_log_loss", "neg_brier_score"} or callable, \
            default="accuracy"
        Score of each row, and the unit of the values: accuracy points, nats, or squared
        probability, the latter two of the probabilities of `predict_proba`; with two
        classes the Brier score counts the wrong class alone, as in
        :func:`sklearn.metrics.brier_score_loss`. A callable
        ``f(decision, y_index)`` takes decision values of shape (n, n_classes) and the
        indices of n labels, and returns n scores.
    sampler : {"sweep", "permutation", "exact"}, default="sweep"
        "sweep": take the marginals of all rows, in closed form, at many sizes of every
        permutation; "permutation": what each row adds when it joins, as in [1]_, at
        less than half the work a permutation and many times the variance; "exact":
        enumerate the coalitions of at most 20 training rows.
    n_permutations : int, default=100
        How many permutations, or sweeps of two to four permutations, are drawn at most.
    tol : float or None, default=None
        Stop after 10 permutations or more once every standard error is at most this,
        in the units of `scoring`. None draws all permutations.
    truncation_tol : float or None, default=None
        With ``sampler="permutation"``, end a permutation once the mean utility of two
        prefixes in a row is within this share of ``|score - null_score_|`` of the score
        of all rows [2]_. It saves time at the price of a bias that more permutations do
        not lower.
    semivalue : {"shapley", "banzhaf", "loo"} or tuple ("beta", a, b), \
            default="shapley"
        How much each size of coalition counts. "shapley": all sizes alike; "banzhaf":
        all coalitions alike; "loo": all other rows, computed exactly unless
        ``sampler="permutation"``; ("beta", a, b): Beta Shapley [3]_, in which a larger
        a puts weight on small coalitions.
    null_score : {"prior", "chance"} or float, default="prior"
        Utility of no training row at all. "prior": what predicting the class
        frequencies of the training labels scores on average over those labels;
        "chance": the same for equal frequencies, as in [1]_; or a number. A callable
        `scoring` is given the frequencies as decision values.
    device : str, torch.device or None, default=None
        Where factors are computed, such as "cuda"; None is the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.
    verbose : int, default=0
        Show a progress bar on what takes longer than a few seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    null_score_ : float
        Utility of no training row, in the units of `scoring`.
    dual_coef_ : ndarray of shape (n_samples, n_classes)
        Weights of the training rows in the classifier trained on all of them.
    intercept_ : ndarray of shape (n_classes,)
        Zeros: targets are not centred.
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision values of each training row by the classifier trained on all others,
        exact, in the form of `decision_function`.
    kernel_ : object
        The fitted kernel.
    gram_ : ndarray of shape (n_samples, n_samples)
        Kernel matrix of the training rows.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.EmpiricalNTK : Kernel of a pretrained network.
    skshap.LabelNoiseDetector : Finds rows with wrong labels.

    Notes
    -----
    One Cholesky factor of the permuted kernel serves all prefixes of a permutation.
    Values are exact in expectation unless permutations are truncated, and standard
    errors are those of the mean over permutations. Shapley values add up to
    ``score(X, y) - null_score_``: to rounding with the samplers "permutation" (not
    truncated) and "exact", to its standard error with "sweep".

    References
    ----------
    .. [1] Wang, Lin, Qiao, Foo and Low, "Helpful or Harmful Data? Fine-tuning-free
       Shapley Attribution for Explaining Language Model Predictions", ICML 2024.
       :arxiv:`2406.04606`
    .. [2] Ghorbani and Zou, "Data Shapley: Equitable Valuation of Data for Machine
       Learning", ICML 2019: permutations and truncation. :arxiv:`1904.02868`
    .. [3] Kwon and Zou, "Beta Shapley: a Unified and Noise-reduced Data Valuation
       Framework for Machine Learning", AISTATS 2022. :arxiv:`2110.14049`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skshap import FreeShapAttributor
    >>> X, X_val, y, y_val = train_test_split(
    ...     *load_iris(return_X_y=True), random_state=0
    ... )
    >>> attributor = FreeShapAttributor(random_state=0).fit(X, y)
    >>> values, std = attributor.attribute(X_val, y_val, return_std=True)
    >>> values.shape, std.shape
    ((112,), (112,))
    >>> gain = attributor.score(X_val, y_val) - attributor.null_score_
    >>> bool(abs(values.sum() - gain) < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseKernelRidge._parameter_constraints,
        "scoring": [str, callable],
        "sampler": [StrOptions({"sweep", "permutation", "exact"})],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither"), None],
        "truncation_tol": [Interval(Real, 0, None, closed="left"), None],
        "semivalue": [str, tuple],
        "null_score": [
            StrOptions({"prior", "chance"}),
            Interval(Real, None, None, closed="neither"),
        ],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        kernel="rbf",
        *,
        alpha=1.0,
        kernel_params=None,
        scoring="accuracy",
        sampler="sweep",
        n_permutations=100,
        tol=None,
        truncation_tol=None,
        semivalue="shapley",
        null_score="prior",
        device=None,
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
            Labels, of two classes or more.

        Returns
        -------
        self : FreeShapAttributor
            Fitted attributor.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha has no Cholesky factor; the message names `alpha`.
        ValueError
            If rows, labels, the kernel or parameters are malformed.
        """
        check_scoring(self.scoring)
        size_weights(self.semivalue, 1)  # raises if it is not known
        if self.truncation_tol is not None and self.sampler != "permutation":
            raise ValueError(
                f"truncation_tol={self.truncation_tol} ends permutations of "
                f"sampler='permutation', not of sampler={self.sampler!r}; set it to "
                "None, or use tol to stop once errors are small."
            )
        self.gram_, self._y_index = self._fit(X, y)
        if is_precomputed(self.kernel):
            self.gram_ = self.gram_.copy()  # the caller's may change
        # What values are made of stays that of `fit`, whatever parameters become.
        self._alpha, self._scoring = self.alpha, self.scoring
        self.null_score_ = null_utility(
            self.scoring, self.null_score, self._y_index, len(self.classes_)
        )
        # Drawn here, so that every call of `attribute` sees the same permutations.
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return self

    def score(self, X, y, sample_weight=None):
        """Return the utility of all training rows: the mean of `scoring`.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `decision_function`.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean.

        Returns
        -------
        float
            With ``scoring="accuracy"`` the share of labels predicted.
        """
        K = self._cross(X)
        utility = self._utility(y, K)
        scores = utility(self._full_decision(K, utility)).cpu().numpy()
        if sample_weight is not None:
            sample_weight = column_or_1d(sample_weight)
            check_consistent_length(K, sample_weight)
        return float(np.average(scores, weights=sample_weight))

    def attribute(self, X, y, *, per_sample=False, return_std=False):
        """Compute the value of every training row for predicting given rows.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows whose predictions are scored, as in `decision_function`.
        y : array-like of shape (n_samples,)
            Their labels.
        per_sample : bool, default=False
            Keep the values for each row of X apart, instead of their mean.
        return_std : bool, default=False
            Return standard errors as well.

        Returns
        -------
        values : ndarray of shape (n_samples_fit,) or (n_samples, n_samples_fit)
            In the units of `scoring`; positive values help, negative ones harm.
        std : ndarray of the same shape
            Standard error of each value, over permutations; zero if values are exact.
            Only if `return_std`.

        Raises
        ------
        ValueError
            If `y` is missing, has another length than `X` or a label that the training
            rows do not have, or if `return_std` meets a single permutation.
        """
        K = self._cross(X)
        if return_std and self.sampler != "exact" and self.n_permutations < 2:
            raise ValueError(
                "return_std=True needs n_permutations of at least 2, got 1: one "
                "permutation has no standard error."
            )
        estimate = self._estimate(K, self._utility(y, K), per_sample=per_sample)
        return tuple(estimate) if return_std else estimate.values

    def explain(self, X, y=None, *, k=5):
        """Find the training rows that help and harm each prediction most.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows to explain, as in `decision_function`.
        y : array-like of shape (n_samples,) or None, default=None
            The labels that training rows help or harm to predict; None for the
            predicted ones.
        k : int, default=5
            How many training rows of each kind.

        Returns
        -------
        Bunch
            `helpful` and `harmful`, positions of training rows of shape (n_samples, k),
            from the largest and from the smallest value on (positions, not labels of an
            index: use ``.iloc`` on pandas objects); `helpful_values` and
            `harmful_values`, in the units of `scoring`, and their standard errors
            `helpful_std` and `harmful_std`, of the same shape, NaN after a single
            permutation; `y`, the labels explained, of shape (n_samples,).

        Raises
        ------
        ValueError
            If `k` is not between 1 and the number of training rows.
        """
        check_is_fitted(self)
        n = len(self._y_index)
        if not isinstance(k, Integral) or not 1 <= k <= n:
            raise ValueError(f"k must be an integer from 1 to {n}, got {k!r}.")
        K = self._cross(X)
        y = (
            self._labels(self._indicators(K))
            if y is None
            else column_or_1d(y, warn=True)
        )
        values, std = self._estimate(K, self._utility(y, K), per_sample=True)
        order = np.argsort(values, axis=1, kind="stable")
        harmful, helpful = order[:, :k], order[:, ::-1][:, :k]
        found = Bunch(helpful=helpful, harmful=harmful, y=y)
        for name in ("helpful", "harmful"):
            found[f"{name}_values"] = np.take_along_axis(values, found[name], 1)
            found[f"{name}_std"] = np.take_along_axis(std, found[name], 1)
        return found

    def prequential_decision_function(self):
        """Predict each training row from random subsets of the others.

        In a random order every row is predicted from those before it, at no cost beyond
        the factor: out-of-sample predictions of the training rows, averaged over
        `n_permutations` orders, without any rows held out.

        Returns
        -------
        ndarray of shape (n_samples_fit,) or (n_samples_fit, n_classes)
            Mean decision values, in the form of `decision_function`.
        """
        check_is_fitted(self)
        utility = Utility("accuracy", self._y_index, len(self.classes_), self.device)
        gram = torch.tensor(self.gram_, device=self.device)
        none = gram.new_empty(len(gram), 0)
        targets = utility.targets(self._y_index)
        ridge = PrefixRidge(gram, none, targets, self._alpha)
        total = 0
        for rng in progress(
            generators(self.n_permutations, self._seed),
            total=self.n_permutations,
            desc="permutations",
            unit="permutation",
            verbose=self.verbose,
        ):
            order = torch.from_numpy(rng.permutation(len(gram))).to(gram.device)
            total = total + ridge.prequential(order)
        mean = (total / self.n_permutations).cpu().numpy()
        return mean[:, 0] if utility.uses_margin else mean

    def _utility(self, y, K):
        y_index = encode_targets(y, self.classes_, K)
        return Utility(self._scoring, y_index, len(self.classes_), self.device)

    def _full_decision(self, K, utility):
        """Decision values of the classifier on all rows, as `utility` takes them."""
        decision = self._indicators(K)
        if utility.uses_margin:
            decision = decision[:, [1]] - decision[:, [0]]
        return torch.tensor(decision.T, device=self.device)

    def _estimate(self, K, utility, *, per_sample):
        n = len(self._y_index)
        if self.sampler == "exact" and n > LARGEST_GAME:
            raise ValueError(
                f"sampler='exact' enumerates the coalitions of at most {LARGEST_GAME} "
                f"training rows, but there are {n}; use sampler='sweep'."
            )
        return estimate_values(
            self.gram_,
            K,
            self._y_index,
            utility,
            alpha=self._alpha,
            sampler=self.sampler,
            semivalue=self.semivalue,
            n_permutations=self.n_permutations,
            tol=self.tol,
            truncation_tol=self.truncation_tol,
            null=self.null_score_,
            seed=self._seed,
            per_sample=per_sample,
            device=self.device,
            verbose=self.verbose,
        )
