"""`PairwiseKernel`: a kernel of vectors, by name or as a function."""

from copy import deepcopy
from os import PathLike
from typing import ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.metrics.pairwise import kernel_metrics
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skshap.kernels._callables import check_callable, check_symmetric
from skshap.kernels._overridden import Overridable
from skshap.kernels._pairwise_values import centre_of, kernel_values
from skshap.utils._columns import text_advice
from skshap.utils._sklearn import fit_context
from skshap.utils._texts import is_text
from skshap.utils._unchanged import unchanged_on_error
from skshap.utils._validation import check_rows

__all__ = ["PairwiseKernel", "check_name"]

BLOCK = 64  # rows whose values with each other are computed for those with themselves


def _is_linear(kernel):
    """Whether the rows themselves are features of a kernel, fitted or not."""
    name, params = getattr(kernel, "_used", (kernel.kernel, kernel.kernel_params))
    return name == "linear" and not params


class PairwiseKernel(
    Overridable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A kernel of vectors that scikit-learn evaluates, as a transformer.

    ``transform`` gives the kernel values against the training rows. It is the last step
    of a pipeline that serves as a kernel: ``make_pipeline(StandardScaler(),
    PairwiseKernel("rbf"))``. Where nothing comes before it, the name alone will do, as
    in ``KernelRidgeClassifier(kernel="rbf")``.

    Parameters
    ----------
    kernel : str or callable, default="rbf"
        A name or a callable that :func:`sklearn.metrics.pairwise.pairwise_kernels`
        takes; a callable must give two rows the same value either way.
    kernel_params : dict or None, default=None
        Parameters of the kernel, such as ``{"gamma": 0.1}``.

    Attributes
    ----------
    X_fit_ : {ndarray, sparse matrix} of shape (n_samples_fit, n_features)
        The training rows.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.ColumnKernel : Sums of kernels on the columns of a table.
    sklearn.kernel_approximation.Nystroem : Features that approximate such a kernel.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skshap import KernelRidgeClassifier, PairwiseKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> kernel = make_pipeline(StandardScaler(), PairwiseKernel("rbf"))
    >>> kernel.fit_transform(X).shape
    (150, 150)
    >>> clf = KernelRidgeClassifier(alpha=0.1, kernel=kernel).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "kernel": [str, callable],
        "kernel_params": [dict, None],
    }

    def __init__(self, kernel="rbf", *, kernel_params=None):
        self.kernel = kernel
        self.kernel_params = kernel_params

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Keep the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; sparse ones only for a kernel given by name.
        y : None
            Ignored.

        Returns
        -------
        self : PairwiseKernel
            Fitted kernel.

        Raises
        ------
        ValueError
            If the kernel is not known, is a callable that gives two rows no number, or
            another one either way, or the rows are no finite numbers.
        """
        if isinstance(self.kernel, str) and self.kernel in ("precomputed", "auto"):
            raise ValueError(
                f"kernel={self.kernel!r} is for the classifiers and attributors, not "
                f"for {type(self).__name__}, which computes kernel values; give it "
                "the name of a kernel such as 'rbf'."
            )
        check_name(self.kernel)
        kernel, params = self.kernel, deepcopy(self.kernel_params or {})
        with unchanged_on_error(self):
            rows = self._check_vectors(X, reset=True)
            if callable(kernel):
                check_callable(kernel, params, rows[0], rows[-1])
                check_symmetric(kernel, params, rows)
        self.X_fit_, self._used = rows, (kernel, params)
        self._centre = centre_of(kernel, rows)
        return self

    def fit_transform(self, X, y=None):
        """Fit and return the kernel matrix of the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_samples, n_samples)
            Exactly symmetric.
        """
        self.fit(X)
        K = self._values(self.X_fit_, self.X_fit_)
        return (K + K.T) / 2

    def transform(self, X):
        """Return the kernel matrix between rows and the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_samples_fit)
            Kernel values.
        """
        check_is_fitted(self)
        return self._values(self._check_vectors(X, reset=False), self.X_fit_)

    def diag(self, X):
        """Return the kernel value of each row with itself.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Kernel values.
        """
        check_is_fitted(self)
        X = self._check_vectors(X, reset=False)
        step = 1 if callable(self._used[0]) else BLOCK
        blocks = (X[start : start + step] for start in range(0, X.shape[0], step))
        return np.concatenate([self._values(b, b).diagonal() for b in blocks])

    @available_if(_is_linear)
    def transform_features(self, X):
        """Return features whose inner product the kernel is: those of a linear kernel.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows themselves.
        """
        check_is_fitted(self)
        X = self._check_vectors(X, reset=False)
        return X.toarray() if issparse(X) else X

    def _values(self, X, other):
        return kernel_values(*self._used, self._centre, X, other)

    def _check_vectors(self, X, *, reset):
        kernel = self.kernel if reset else self._used[0]
        if is_text(X):
            raise ValueError(
                f"kernel={kernel!r} works on numbers, but X holds texts; use "
                "kernel=EmpiricalNTK(model) for texts, or turn them into features, as "
                f"OneHotEncoder does with categories. {text_advice(X)}".rstrip()
            )
        sparse = isinstance(kernel, str)
        # Rows are kept in `fit`, and the caller's may change.
        return check_rows(self, X, reset=reset, sparse=sparse, copy=reset)

    @property
    def _n_features_out(self):
        return self.X_fit_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = isinstance(self.kernel, str)
        return tags


def check_name(kernel, others=""):
    """Raise unless a kernel given by name is one that scikit-learn knows.

    Parameters
    ----------
    kernel : object
    others : str, default=""
        Names besides those, in the message.
    """
    is_path = isinstance(kernel, PathLike)
    if is_path or (isinstance(kernel, str) and kernel not in kernel_metrics()):
        message = (
            f"kernel={kernel!r} is not known; use {others}one of "
            f"{sorted(kernel_metrics())}, a callable or a kernel object."
        )
        if is_path or set(kernel) & set("-/\\"):
            message += (
                " For a pretrained model of this name, or in this folder, that is "
                f"kernel=EmpiricalNTK({str(kernel)!r})."
            )
        raise ValueError(message)
