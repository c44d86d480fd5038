"""What classifiers and regressors by kernel ridge regression share."""

from numbers import Real
from os import PathLike
from typing import ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from skshap.kernel_ridge._kernel_choice import check_choice, choose_kernel, is_auto
from skshap.kernel_ridge._training_kernel import fit_training_kernel
from skshap.kernels._base import (
    check_kernel_rows,
    make_kernel,
    set_kernel_tags,
)
from skshap.kernels._features import explicit_features, unshared
from skshap.kernels._kernels_on_columns import columns_read
from skshap.kernels._narrow import warn_of_narrow
from skshap.utils._columns import warn_of_target
from skshap.utils._device import check_device
from skshap.utils._kernel_values import check_kernel_values, warn_of_gram
from skshap.utils._label_arrays import check_labels
from skshap.utils._labels import check_targets, find_classes
from skshap.utils._order import check_order
from skshap.utils._ridge import (
    TIE,
    leave_one_out,
    means_of_others,
    tie_of,
    with_ones,
)
from skshap.utils._rows import number_of_rows
from skshap.utils._sklearn import HasMethods, Hidden, Interval

__all__ = [
    "BaseKernelRidge",
    "BaseKernelRidgeClassifier",
    "as_decision",
    "as_logits",
    "indicators_of",
]


class BaseKernelRidge(BaseEstimator):
    """What estimators by kernel ridge regression share.

    Subclasses have parameters `alpha` (or choose it), `kernel`, `kernel_params` and
    `device`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "kernel": [
            str,
            callable,
            HasMethods(["fit_transform", "transform"]),
            Hidden(PathLike),  # these two are refused with a hint by `make_kernel`
            Hidden(HasMethods("predict")),
        ],
        "kernel_params": [dict, None],
        "device": [str, torch.device, None],
    }

    def _check_training_rows(self, X, y):
        """Check the training rows, the order of targets and where to compute."""
        check_device(self.device)
        if is_auto(self.kernel):
            check_choice(X, self.kernel_params)
        check_order(X, y)
        rows = check_kernel_rows(self, X, reset=True)
        warn_of_gram(rows, self.kernel)
        return rows

    def _map_rows(self, rows, Y, has_prior):
        """Fit the kernel; return it, by features where they are fewer than the rows.

        That named "auto" is chosen by the targets, of shape (n, n_targets).
        """
        if is_auto(self.kernel):
            self.kernel_ = choose_kernel(rows, Y, has_prior)
        else:
            self.kernel_ = make_kernel(self.kernel, self.kernel_params)
        takes_features = self._takes_features()
        kernel = fit_training_kernel(self.kernel_, rows, takes_features=takes_features)
        self._is_explicit = kernel.is_explicit
        if not kernel.is_explicit:
            warn_of_narrow(kernel.values, self.kernel)
        return kernel

    def _warn_of_target(self, X, y):
        """Warn of a frame with a column that is y, if the fitted kernel reads it."""
        if hasattr(X, "columns"):
            warn_of_target(X, y, columns_read(self.kernel_, X))

    def _takes_features(self):
        """Whether explicit features will do, which need a ridge."""
        return self.alpha > 0

    def _map(self, X):
        """Map rows to their kernel with the training rows, or to features."""
        check_is_fitted(self)
        rows = check_kernel_rows(self, X, reset=False)
        if self._is_explicit:
            n_columns = self._weights.shape[0]
            return explicit_features(self.kernel_, rows, n_columns)
        K = self.kernel_.transform(unshared(self.kernel_, rows))
        return check_kernel_values(K, number_of_rows(rows))

    def _outputs(self, M):
        """Predict what was regressed on; M is what `_map` returned."""
        return M @ self._weights + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        set_kernel_tags(tags, self.kernel)
        return tags


class BaseKernelRidgeClassifier(ClassifierMixin, BaseKernelRidge):
    """What classifiers by kernel ridge regression share."""

    _sums_features = True  # to predict, where the kernel has them

    def _fit(self, X, y, *, class_prior=False):
        """Fit the ridge; return the kernel of the rows, and their labels."""
        rows = self._check_training_rows(X, y)
        self.classes_, y_index = check_targets(y, rows)
        Y = np.eye(len(self.classes_))[y_index]
        kernel = self._map_rows(rows, Y, has_prior=True)
        self._warn_of_target(X, y)
        initial = self._initial_outputs(rows)
        Y -= initial
        alpha = self._choose_alpha(kernel, Y)
        factor = kernel.factorize(alpha, self.device)
        solved, weights = factor.solve(with_ones(Y))
        self.intercept_ = Y.mean(0) if class_prior else np.zeros(Y.shape[1])
        # The weights of a constant target give those of targets minus the prior.
        self.dual_coef_, self._weights = (
            part[:, :-1] - part[:, -1:] * self.intercept_ for part in (solved, weights)
        )
        priors = means_of_others(Y) if class_prior else 0.0
        loo = leave_one_out(Y, solved, factor.inverse_diagonal, priors)
        self.loo_decision_function_ = as_decision(loo + initial)
        is_ridge_alone = not class_prior and not np.any(initial)
        tie = tie_of(kernel.diagonal(), alpha, self._largest_terms(kernel))
        self._tie = tie if is_ridge_alone else max(tie, TIE)
        return kernel, y_index

    def _choose_alpha(self, kernel, Y):
        return self.alpha

    def _largest_terms(self, kernel):
        """Return the size of what a prediction sums: the root of the sum of squares."""
        diagonal = kernel.diagonal()
        if kernel.is_explicit and self._sums_features:
            terms = np.sqrt(diagonal.max()) * np.linalg.norm(self._weights, axis=0)
        else:
            terms = np.linalg.norm(diagonal[:, None] * self.dual_coef_, axis=0)
        return float(terms.max())

    def _initial_outputs(self, rows):
        """Return what is predicted before training, which only fits the rest."""
        return 0.0

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

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, or their
            kernel is not finite.
        """
        return as_decision(self._indicators(X))

    def predict(self, X):
        """Return the class of largest decision value, the first of equal ones.

        Equal are those that differ by less than 1e-9 or, where nothing is added to what
        the ridge says, by less than 1e-9 of the median kernel value of a training row
        with itself beside `alpha`; and, where `alpha` is so small that more is lost to
        rounding, by what that may be.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, or their
            kernel is not finite.
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

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, or their
            kernel is not finite.
        """
        return softmax(as_logits(self._indicators(X), 1), axis=1)

    def score(self, X, y, sample_weight=None):
        """Return the accuracy: the share of rows whose label is predicted.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `decision_function`.
        y : array-like of shape (n_samples,)
            Their labels, in any form that `fit` takes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            From zero to one.

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, if their
            kernel is not finite, or if labels are missing, not one a row or of several
            types.
        """
        predicted = self.predict(X)
        if y is not None:  # which scikit-learn refuses
            y = check_labels(y, X)
            find_classes(y)  # raises if types are mixed
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def _indicators(self, X):
        return self._outputs(self._map(X))

    def _labels(self, indicators):
        largest = indicators.max(1, keepdims=True)
        return self.classes_[(indicators >= largest - self._tie).argmax(1)]


def as_decision(indicators):
    """Turn regressed indicators into decision values: a margin with two classes."""
    if indicators.shape[1] == 2:
        return indicators[:, 1] - indicators[:, 0]
    return indicators


def as_logits(indicators, axis=0):
    """Turn regressed indicators, classes along an axis, into what softmax reads."""
    return indicators.shape[axis] * indicators


def indicators_of(probabilities):
    """Return indicators of given probabilities, of shape (n_classes,), by softmax."""
    return np.log(probabilities) / len(probabilities)
