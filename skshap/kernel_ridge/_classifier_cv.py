"""`KernelRidgeClassifierCV`: chooses the ridge by exact leave-one-out error."""

from typing import ClassVar

import numpy as np

from skshap.kernel_ridge._alpha import ALPHAS, alpha_of_least, leave_one_out_errors
from skshap.kernel_ridge._classifier import KernelRidgeClassifier

__all__ = ["KernelRidgeClassifierCV"]


class KernelRidgeClassifierCV(KernelRidgeClassifier):
    """Kernel ridge classifier that chooses `alpha` by exact leave-one-out error.

    One eigendecomposition of the kernel, or of the products of its explicit features
    where they are fewer than the rows, gives the leave-one-out decision values for
    every `alpha` but those so small that it would round them, which take a factor each;
    the one of least mean squared error is taken.

    Parameters
    ----------
    alphas : array-like of float, default=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
        Candidates for the strength of the ridge, which is added to the diagonal of the
        kernel matrix, as in :class:`sklearn.kernel_ridge.KernelRidge`.
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
        Mean squared leave-one-out error of each candidate, in squared indicators;
        infinite for one that is too small for the kernel, with which
        :class:`KernelRidgeClassifier` raises an error.
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
        The fitted kernel, also where it was chosen.
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
        alphas=ALPHAS,
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

    def _takes_features(self):
        return True  # no candidate is zero

    def _choose_alpha(self, kernel, Y):
        try:
            alphas = np.asarray(self.alphas, dtype=np.float64)
        except (TypeError, ValueError):  # texts, or rows of different lengths
            alphas = np.empty(0)
        is_valid = np.isfinite(alphas) & (alphas > 0)
        if alphas.ndim != 1 or not len(alphas) or not is_valid.all():
            raise ValueError(
                "alphas must be a list of positive, finite numbers, got "
                f"{self.alphas!r}."
            )
        self.loo_errors_ = leave_one_out_errors(
            kernel, Y, alphas, self.class_prior, self.device
        )
        self.alpha_ = alpha_of_least(self.loo_errors_, alphas)
        return self.alpha_
