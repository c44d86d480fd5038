"""What a kernel is: an object with `fit`, `fit_transform` and `transform`.

``fit_transform(X)`` gives the symmetric matrix of the training rows, and
``transform(X)`` the matrix of shape (n_samples, n_samples_fit) between new rows and
them. A kernel with ``transform_features(X)``, of shape (n_samples, n_components_), is
the inner product of what that returns; it may lose the method in `fit`. `make_kernel`
turns what users pass as
``kernel=`` into such an object.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.metrics.pairwise import kernel_metrics, pairwise_kernels

__all__ = ["make_kernel", "set_kernel_tags", "takes_sparse"]


class PairwiseKernel(TransformerMixin, BaseEstimator):
    """A kernel that scikit-learn evaluates on vectors: a name or a callable."""

    def __init__(self, metric, params=None):
        self.metric = metric
        self.params = params

    def fit(self, X, y=None):
        """Keep the training rows `X`, of shape (n_samples_fit, n_features)."""
        if isinstance(X, list):
            raise ValueError(
                f"kernel={self.metric!r} works on numbers, but X holds texts; use "
                "kernel=EmpiricalNTK(model) for texts, or turn them into features."
            )
        self.X_fit_ = X
        return self

    def fit_transform(self, X, y=None):
        """Return the exactly symmetric kernel matrix of `X`."""
        K = self.fit(X).transform(X)
        return (K + K.T) / 2

    def transform(self, X):
        """Return the kernel matrix between `X` and the training rows."""
        params = self.params or {}
        if callable(self.metric):
            check_callable(self.metric, params, X[0], self.X_fit_[0])
        return pairwise_kernels(X, self.X_fit_, metric=self.metric, **params)


class LinearKernel(PairwiseKernel):
    """The inner product of two rows, whose explicit features are the rows."""

    def __init__(self):
        super().__init__("linear")

    def fit(self, X, y=None):
        """Keep the training rows `X`, of shape (n_samples_fit, n_features)."""
        super().fit(X)
        self.n_components_ = X.shape[1]
        return self

    def transform_features(self, X):
        """Return features of which the kernel is the inner product, (n, d)."""
        return X.toarray() if issparse(X) else X


class PrecomputedKernel(TransformerMixin, BaseEstimator):
    """The kernel whose rows are kernel values themselves."""

    def fit(self, X, y=None):
        """Do nothing: the training kernel `X` is all there is to know."""
        if isinstance(X, list):
            raise ValueError(
                "kernel='precomputed' takes kernel values, but X holds texts; use "
                "kernel=EmpiricalNTK(model) for texts."
            )
        return self

    def transform(self, X):
        """Return the kernel values `X`, of shape (n_samples, n_samples_fit)."""
        return X


def make_kernel(kernel, kernel_params=None):
    """Turn what users pass as ``kernel=`` into an unfitted kernel object.

    Parameters
    ----------
    kernel : str, callable or kernel object
        "precomputed", a name or a callable that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` takes, or an object with
        `fit`, `fit_transform` and `transform` such as :class:`skshap.EmpiricalNTK`.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable.

    Returns
    -------
    object
        A kernel object; a clone where an object was given.

    Raises
    ------
    ValueError
        If the name is unknown, or `kernel_params` are given for a kernel that takes
        none.
    """
    is_object = is_kernel_object(kernel)
    if kernel_params and (is_object or is_precomputed(kernel)):
        raise ValueError(
            f"kernel_params={kernel_params!r} is only used by a kernel given by name "
            f"or as a callable, not by kernel={kernel!r}; set them on the object."
        )
    if is_object:
        return clone(kernel)
    if is_precomputed(kernel):
        return PrecomputedKernel()
    if isinstance(kernel, str) and kernel not in kernel_metrics():
        raise ValueError(
            f"kernel={kernel!r} is not known; use 'precomputed', one of "
            f"{sorted(kernel_metrics())}, a callable or a kernel object."
        )
    if isinstance(kernel, str) and kernel == "linear" and not kernel_params:
        return LinearKernel()
    return PairwiseKernel(kernel, kernel_params)


def check_callable(kernel, params, x, y):
    """Raise unless a callable maps two rows, `x` and `y`, to one number."""
    what = (
        f"kernel={kernel!r} must be a callable k(x, y) that maps two rows of X to one "
        "number"
    )
    try:
        shape = np.shape(kernel(x, y, **params))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what}; a function of two tables goes in by its name, or its values with "
            f"kernel='precomputed'. On two rows of shape {x.shape} it failed: {error}"
        ) from error
    if shape:
        raise ValueError(f"{what}, but it returned an array of shape {shape}.")


def is_kernel_object(kernel):
    """Whether ``kernel=`` is an object that makes kernel matrices itself."""
    return hasattr(kernel, "fit_transform") and hasattr(kernel, "transform")


def is_precomputed(kernel):
    """Whether ``kernel=`` is "precomputed"."""
    return isinstance(kernel, str) and kernel == "precomputed"


def takes_sparse(kernel):
    """Whether ``kernel=`` works on sparse tables: those given by name do."""
    return isinstance(kernel, str) and kernel != "precomputed"


def set_kernel_tags(tags, kernel):
    """Set the input tags of an estimator that has a parameter ``kernel``."""
    tags.input_tags.pairwise = is_precomputed(kernel)
    tags.input_tags.sparse = takes_sparse(kernel)
    tags.input_tags.string = is_kernel_object(kernel)
