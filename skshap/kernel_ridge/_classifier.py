"""`KernelRidgeClassifier`: kernel ridge regression on class indicators."""

from typing import ClassVar

from skshap.kernel_ridge._base import BaseKernelRidgeClassifier
from skshap.kernels._base import check_kernel_rows
from skshap.utils._sklearn import fit_context
from skshap.utils._unchanged import unchanged_on_error

__all__ = ["KernelRidgeClassifier"]


class KernelRidgeClassifier(BaseKernelRidgeClassifier):
    """Classifier by kernel ridge regression on one-vs-rest indicators.

    The decision value of class c at x is ``k(x)' (K + alpha I)^-1 Y_c`` with Y_c the
    indicator of class c among the training rows. One Cholesky factor serves all classes
    and the exact leave-one-out decision values.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the ridge, added to the diagonal of the kernel matrix, as in
        :class:`sklearn.kernel_ridge.KernelRidge`.
    kernel : str, callable or kernel object, default="linear"
        "precomputed"; a name or a symmetric callable that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` takes; an object with `fit`,
        `fit_transform` and `transform` such as :class:`skshap.EmpiricalNTK`, of which
        a clone is fitted; or "auto", which chooses one for a table of numbers, see
        Notes of :class:`skshap.FreeShapAttributor`.
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
        The fitted kernel, also where it was chosen.
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
            If rows, labels, the kernel or parameters are malformed, or rows and labels
            are, by names in their indices, not in one order.

        Warns
        -----
        UserWarning
            If indices are not in one order, but one only numbers its rows, or some of
            their names are others; if half of ten rows or more resemble only themselves
            by the kernel, as where columns have very different scales; or if a column
            of a frame that the kernel reads, with no step of a Pipeline before it but
            scalers, is the same as y in ten rows or more.
        """
        if self.class_prior and self.initial_outputs:
            raise ValueError(
                "class_prior=True and initial_outputs=True both say what is predicted "
                "far from all training rows; set one of them to False."
            )
        with unchanged_on_error(self):
            self._starts_at_outputs = self.initial_outputs  # whatever it becomes
            self._fit(X, y, class_prior=self.class_prior)
        return self

    def _indicators(self, X):
        indicators = super()._indicators(X)
        if self._starts_at_outputs:
            rows = check_kernel_rows(self, X, reset=False)
            indicators += self._initial_outputs(rows)
        return indicators

    def _initial_outputs(self, rows):
        """Return what the kernel's network predicts, of shape (n, n_classes)."""
        if not self._starts_at_outputs:
            return 0.0
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
