"""Kernel ridge regression on class indicators, as a classifier."""

from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skshap.kernels._base import check_kernel_rows, make_kernel, set_kernel_tags
from skshap.kernels._features import explicit_features, has_features, lost_diagonal
from skshap.utils._labels import check_targets
from skshap.utils._order import check_order
from skshap.utils._ridge import TIE, leave_one_out, solve_explicit_ridge, solve_ridge
from skshap.utils._sklearn import HasMethods, Interval, fit_context
from skshap.utils._validation import check_device, check_gram, check_kernel_values

__all__ = ["KernelRidgeClassifier", "KernelRidgeClassifierCV"]

LEAST_EIGENVALUE = 1e-8  # of the kernel plus alpha, as a share of its largest entry


class BaseKernelRidge(BaseEstimator):
    """What estimators by kernel ridge regression share.

    Subclasses have parameters `alpha` (or choose it), `kernel`, `kernel_params` and
    `device`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "kernel": [str, callable, HasMethods(["fit_transform", "transform"])],
        "kernel_params": [dict, None],
        "device": [str, torch.device, None],
    }

    def _check_rows(self, X, y):
        """Check the training rows, the order of targets and where to compute."""
        check_device(self.device)
        check_order(X, y)
        return check_kernel_rows(self, X, reset=True)

    def _map_rows(self, rows):
        """Fit the kernel; return its matrix of the rows, or their explicit features.

        Features are preferred where they are fewer than the rows.
        """
        kernel = self.kernel_ = make_kernel(self.kernel, self.kernel_params)
        self._is_explicit, self._more_alpha = False, 0.0
        if self.alpha == 0 or not has_features(kernel):
            return check_gram(kernel.fit_transform(rows))
        # Whether there are features, and how many, may be known only now.
        kernel.fit(rows)
        if has_features(kernel):
            self._n_columns = explicit_features(kernel, rows[:1]).shape[1]
            self._is_explicit = self._n_columns < _n_rows(rows)
        if self._is_explicit:
            # The rest of the diagonal is a ridge of its own.
            self._more_alpha = lost_diagonal(kernel)
            return explicit_features(kernel, rows, self._n_columns)
        K = kernel.transform(rows)
        return check_gram((K + K.T) / 2)

    def _solve(self, M, targets, alpha):
        """Solve for the rows' weights; M is what `_map_rows` returned."""
        if not self._is_explicit:
            return solve_ridge(M, targets, alpha, self.device)
        alpha += self._more_alpha
        return solve_explicit_ridge(M, targets, alpha, self.device)

    def _map(self, X):
        """Map rows to their kernel with the training rows, or to features."""
        check_is_fitted(self)
        rows = check_kernel_rows(self, X, reset=False)
        if self._is_explicit:
            return explicit_features(self.kernel_, rows, self._n_columns)
        return check_kernel_values(self.kernel_.transform(rows))

    def _outputs(self, M):
        """Predict what was regressed on; M is what `_map` returned."""
        return M @ self._weights + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        set_kernel_tags(tags, self.kernel)
        return tags


class BaseKernelRidgeClassifier(ClassifierMixin, BaseKernelRidge):
    """What classifiers by kernel ridge regression share."""

    def _fit(self, X, y, *, class_prior=False, initial_outputs=False):
        """Fit the ridge; return its map of the rows, and their labels."""
        rows = self._check_rows(X, y)
        self.classes_, y_index = check_targets(y, rows)
        M = self._map_rows(rows)
        Y = np.eye(len(self.classes_))[y_index]
        initial = self._initial_outputs(rows) if initial_outputs else 0.0
        Y -= initial
        # When a row is left out, so is its label from the class frequencies.
        priors = (Y.sum(0) - Y) / (len(Y) - 1) if class_prior else np.zeros_like(Y)
        ones = np.ones((len(Y), 1))
        solved, inverse_diagonal = self._solve(
            M, np.hstack([Y, ones]), self._choose_alpha(M, Y, priors)
        )
        self.intercept_ = Y.mean(0) if class_prior else np.zeros(Y.shape[1])
        # The weights of a constant target give those of targets minus the prior.
        self.dual_coef_ = solved[:, :-1] - solved[:, -1:] * self.intercept_
        self._weights = M.T @ self.dual_coef_ if self._is_explicit else self.dual_coef_
        loo = leave_one_out(Y, solved, inverse_diagonal, priors)
        self.loo_decision_function_ = as_decision(loo + initial)
        return M, y_index

    def _choose_alpha(self, M, Y, priors):
        return self.alpha

    def decision_function(self, X):
        """Return decision values.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows; kernel values against the training rows, of shape (n_samples,
            n_samples_fit), with ``kernel="precomputed"``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Regressed indicators; with two classes the second minus the first.
        """
        return as_decision(self._indicators(X))

    def predict(self, X):
        """Return the class of largest decision value, the first if tied to rounding.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        return self._labels(self._indicators(X))

    def predict_proba(self, X):
        """Return class probabilities: the softmax of n_classes times the indicators.

        The factor makes the map agree to first order, around equal probabilities, with
        reading the regressed indicators as probabilities.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        indicators = self._indicators(X)
        return softmax(len(self.classes_) * indicators, axis=1)

    def _indicators(self, X):
        return self._outputs(self._map(X))

    def _labels(self, indicators):
        largest = indicators.max(1, keepdims=True)
        return self.classes_[(indicators >= largest - TIE).argmax(1)]


class KernelRidgeClassifier(BaseKernelRidgeClassifier):
    """Classifier by kernel ridge regression on one-vs-rest indicators.

    The decision value of class c at x is ``k(x)' (K + alpha I)^-1 Y_c`` with Y_c the
    indicator of class c among the training rows. One Cholesky factor serves all classes
    and the exact leave-one-out decision values.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the ridge, in units of the kernel's diagonal.
    kernel : str, callable or kernel object, default="linear"
        "precomputed"; a name or a callable that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` takes; or an object with
        `fit`, `fit_transform` and `transform` such as :class:`skshap.EmpiricalNTK`, of
        which a clone is fitted.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable.
    class_prior : bool, default=False
        Regress on indicators minus the class frequencies, and add these back: far from
        all training rows, decision values tend to the class frequencies, not to zero.
    initial_outputs : bool, default=False
        Regress on indicators minus what the kernel's network predicts before any
        training, and add that back, as a network that is trained does [1]_: the kernel
        is an :class:`skshap.EmpiricalNTK` with one of `label_words` a class.
    device : str, torch.device or None, default=None
        Where the factor is computed, such as "cuda"; None is the CPU.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    dual_coef_ : ndarray of shape (n_samples, n_classes)
        Weights of the training rows.
    intercept_ : ndarray of shape (n_classes,)
        Class frequencies with `class_prior`, else zeros.
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision values of each training row by the classifier trained on all others,
        exact, in the form of `decision_function`.
    kernel_ : object
        The fitted kernel.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.FreeShapAttributor : Values of the training rows of this classifier.
    sklearn.kernel_ridge.KernelRidge : The same for regression.

    References
    ----------
    .. [1] Lee et al., "Wide Neural Networks of Any Depth Evolve as Linear Models Under
       Gradient Descent", NeurIPS 2019. :arxiv:`1902.06720`
    .. [2] Rifkin and Lippert, "Notes on Regularized Least Squares",
       MIT-CSAIL-TR-2007-025: the leave-one-out formula.
       https://hdl.handle.net/1721.1/37318

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skshap import KernelRidgeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = KernelRidgeClassifier(alpha=0.1, kernel="rbf").fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True
    >>> clf.loo_decision_function_.shape
    (150, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseKernelRidgeClassifier._parameter_constraints,
        "class_prior": ["boolean"],
        "initial_outputs": ["boolean"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        kernel="linear",
        kernel_params=None,
        class_prior=False,
        initial_outputs=False,
        device=None,
    ):
        self.alpha = alpha
        self.kernel = kernel
        self.kernel_params = kernel_params
        self.class_prior = class_prior
        self.initial_outputs = initial_outputs
        self.device = device

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Fit the classifier.

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
        self : KernelRidgeClassifier
            Fitted classifier.

        Raises
        ------
        NotPositiveDefiniteError
            If ``K + alpha I`` has no Cholesky factor; the message names `alpha`.
        ValueError
            If rows, labels or the kernel are malformed, or rows and labels are, by
            their indices, not in one order.
        """
        if self.class_prior and self.initial_outputs:
            raise ValueError(
                "class_prior=True and initial_outputs=True both say what is predicted "
                "far from all training rows; set one of them to False."
            )
        options = {"initial_outputs": self.initial_outputs}
        self._fit(X, y, class_prior=self.class_prior, **options)
        return self

    def _indicators(self, X):
        indicators = super()._indicators(X)
        if self.initial_outputs:
            rows = check_kernel_rows(self, X, reset=False)
            indicators += self._initial_outputs(rows)
        return indicators

    def _initial_outputs(self, rows):
        """Return what the kernel's network predicts, of shape (n, n_classes)."""
        if not hasattr(self.kernel_, "initial_outputs"):
            raise ValueError(
                f"initial_outputs=True needs a kernel of a network, such as "
                f"EmpiricalNTK, got kernel={self.kernel!r}; set it to False."
            )
        outputs = self.kernel_.initial_outputs(rows)
        if outputs.shape[1] != len(self.classes_):
            raise ValueError(
                f"initial_outputs=True needs a network with one output for each of the "
                f"{len(self.classes_)} classes, got {outputs.shape[1]}; use a template "
                "with one of label_words a class, or set it to False."
            )
        return outputs


class KernelRidgeClassifierCV(KernelRidgeClassifier):
    """Kernel ridge classifier that chooses `alpha` by exact leave-one-out error.

    One eigendecomposition of the kernel gives the leave-one-out decision values for
    every `alpha`; the one of least mean squared error is taken.

    Parameters
    ----------
    alphas : array-like of float, default=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
        Candidates, in units of the kernel's diagonal.
    kernel : str, callable or kernel object, default="linear"
        See :class:`KernelRidgeClassifier`.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable.
    class_prior : bool, default=False
        Regress on indicators minus the class frequencies, and add these back.
    initial_outputs : bool, default=False
        Regress on indicators minus what the kernel's network predicts before any
        training, and add that back.
    device : str, torch.device or None, default=None
        Where the factor is computed, such as "cuda"; None is the CPU.

    Attributes
    ----------
    alpha_ : float
        The candidate chosen.
    loo_errors_ : ndarray of shape (n_alphas,)
        Mean squared leave-one-out error of each candidate, in squared indicators.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    dual_coef_ : ndarray of shape (n_samples, n_classes)
        Weights of the training rows.
    intercept_ : ndarray of shape (n_classes,)
        Class frequencies with `class_prior`, else zeros.
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision values of each training row by the classifier trained on all others
        with `alpha_`.
    kernel_ : object
        The fitted kernel.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    KernelRidgeClassifier : The same with a given `alpha`.
    sklearn.linear_model.RidgeClassifierCV : The same for linear features.

    References
    ----------
    Rifkin and Lippert, "Notes on Regularized Least Squares", MIT-CSAIL-TR-2007-025.
    https://hdl.handle.net/1721.1/37318

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skshap import KernelRidgeClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = KernelRidgeClassifierCV([0.01, 0.1, 1], kernel="rbf").fit(X, y)
    >>> clf.alpha_
    0.1
    """

    _parameter_constraints: ClassVar[dict] = {
        **KernelRidgeClassifier._parameter_constraints,
        "alphas": ["array-like"],
    }
    _parameter_constraints.pop("alpha")

    def __init__(
        self,
        alphas=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        *,
        kernel="linear",
        kernel_params=None,
        class_prior=False,
        initial_outputs=False,
        device=None,
    ):
        self.alphas = alphas
        self.kernel = kernel
        self.kernel_params = kernel_params
        self.class_prior = class_prior
        self.initial_outputs = initial_outputs
        self.device = device

    def _map_rows(self, rows):
        # The kernel matrix is what every candidate shares.
        self.kernel_ = make_kernel(self.kernel, self.kernel_params)
        self._is_explicit, self._more_alpha = False, 0.0
        return check_gram(self.kernel_.fit_transform(rows))

    def _choose_alpha(self, K, Y, priors):
        alphas = np.asarray(self.alphas, dtype=np.float64)
        is_valid = np.isfinite(alphas) & (alphas > 0)
        if alphas.ndim != 1 or not len(alphas) or not is_valid.all():
            raise ValueError(
                "alphas must be a list of positive, finite numbers, got "
                f"{self.alphas!r}."
            )
        eigenvalues, vectors = torch.linalg.eigh(torch.tensor(K, device=self.device))
        vectors, eigenvalues = vectors.cpu().numpy(), eigenvalues.cpu().numpy()
        targets = np.hstack([Y, np.ones((len(Y), 1))])
        rotated = vectors.T @ targets
        self.loo_errors_ = np.full(len(alphas), np.inf)
        # Too small for a factor, if the kernel is singular or indefinite.
        usable = eigenvalues[0] + alphas > LEAST_EIGENVALUE * (K.max() + alphas)
        for i, alpha in enumerate(alphas):
            if not usable[i] and usable.any():
                continue
            # A kernel that is positive semi-definite has no eigenvalue below zero.
            shrunk = 1 / np.maximum(eigenvalues + alpha, alpha)
            solved = vectors @ (rotated * shrunk[:, None])
            diagonal = (vectors**2) @ shrunk[:, None]
            loo = leave_one_out(Y, solved, diagonal, priors)
            self.loo_errors_[i] = np.mean((loo - Y) ** 2)
        self.alpha_ = float(alphas[self.loo_errors_.argmin()])
        return self.alpha_


def _n_rows(rows):
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def as_decision(indicators):
    """Turn regressed indicators into decision values: a margin with two classes."""
    if indicators.shape[1] == 2:
        return indicators[:, 1] - indicators[:, 0]
    return indicators
