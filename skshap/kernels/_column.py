"""`ColumnKernel`: a weighted sum of kernels on the columns of a table."""

from typing import ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import Bunch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skshap.kernels._column_cost import predict_column_costs
from skshap.kernels._column_errors import (
    check_kernel,
    check_kernel_weights,
    check_triples,
)
from skshap.kernels._features import (
    diagonal,
    explicit_features,
    has_features,
    lost_diagonal,
)
from skshap.kernels._kernels_on_columns import ask_kernels, fit_kernels
from skshap.kernels._narrow import warn_of_narrow
from skshap.kernels._overridden import Overridable
from skshap.utils._sklearn import BaseComposition, fit_context
from skshap.utils._unchanged import unchanged_on_error
from skshap.utils._validation import check_table

__all__ = ["ColumnKernel"]


def _may_have_features(kernel):
    """Whether all kernels have explicit features, as far as can be told."""
    kernels = getattr(kernel, "kernels_", kernel.kernels)
    try:
        return all(has_features(part) for _, part, _ in kernels)
    except (TypeError, ValueError):  # malformed, which `fit` reports
        return False


class ColumnKernel(
    Overridable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseComposition
):
    """Weighted sum of normalised kernels on the columns of a table.

    What :class:`sklearn.compose.ColumnTransformer` is for transformers: each kernel
    reads columns of its own. This is how tables with texts go in: an
    :class:`skshap.EmpiricalNTK` reads a column of texts, kernels of vectors the numbers
    and categories. It serves as ``kernel=`` of :class:`skshap.KernelRidgeClassifier`
    and :class:`skshap.FreeShapAttributor`.

    Parameters
    ----------
    kernels : list of tuple
        Tuples (name, kernel, columns).

        name : str
            For `set_params` and grid searches, such as ``text__n_frozen_layers``.
        kernel : str, callable or kernel object
            A name or a symmetric callable that
            :func:`sklearn.metrics.pairwise.pairwise_kernels` takes; an
            :class:`skshap.EmpiricalNTK` or another kernel; or a pipeline that ends in
            one, such as ``make_pipeline(OneHotEncoder(), PairwiseKernel("rbf"))``.
        columns : str, int, array-like of str, int or bool, slice or callable
            A single name or position selects one column as one-dimensional, as texts
            are read; a list selects a table, of two columns of texts the pairs. A
            callable is given the table, such as
            :func:`sklearn.compose.make_column_selector`.
    weights : array-like of shape (n_kernels,) or None, default=None
        Weight of each kernel, of which only the ratios count: they are divided by
        their sum. None weighs all kernels alike.

    Attributes
    ----------
    kernels_ : list of tuple
        Tuples (name, fitted kernel, columns).
    named_kernels_ : Bunch
        The fitted kernels by name.
    scales_ : ndarray of shape (n_kernels,)
        Mean of each kernel's training diagonal, which it is divided by.
    weights_ : ndarray of shape (n_kernels,)
        Weights that add up to 1.
    lost_diagonal_ : float
        What explicit features lack of the mean training diagonal, by sketches; zero if
        there are none.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    make_column_kernel : Names the kernels by itself.
    skshap.EmpiricalNTK : Kernel of texts.
    skshap.PairwiseKernel : Kernel of vectors, as the last step of a pipeline.

    Notes
    -----
    The mean training diagonal of each kernel is 1 after division, and so is that of the
    sum: weights mean the same for all kernels, and ``alpha`` of a ridge the same for
    all weights.

    After `fit`, tables must have the columns of `fit` in the same order. Additional
    columns, another order, or the lack of a column that no kernel reads are errors,
    where :class:`sklearn.compose.ColumnTransformer` finds the columns that it reads by
    their names and passes over the others: select them first, as by
    ``X[list(kernel.feature_names_in_)]``. Names that merely number the columns from 0
    on, as pandas does where none are given, say nothing of which these are.

    Labels do not reach the kernels, nor the steps of their pipelines: the values of
    rows need a kernel that does not depend on labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skshap import ColumnKernel, KernelRidgeClassifier, PairwiseKernel
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0], "kind": ["a", "a", "b", "b"]})
    >>> kernel = ColumnKernel(
    ...     [
    ...         ("size", "rbf", ["size"]),
    ...         ("kind", make_pipeline(OneHotEncoder(), PairwiseKernel()), ["kind"]),
    ...     ],
    ...     weights=[2, 1],
    ... )
    >>> kernel.fit_transform(X).round(2)
    array([[1.  , 0.58, 0.12, 0.12],
           [0.58, 1.  , 0.12, 0.12],
           [0.12, 0.12, 1.  , 0.58],
           [0.12, 0.12, 0.58, 1.  ]])
    >>> KernelRidgeClassifier(kernel=kernel).fit(X, [0, 0, 1, 1]).predict(X)
    array([0, 0, 1, 1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "kernels": [list],
        "weights": ["array-like", None],
    }

    def __init__(self, kernels, *, weights=None):
        self.kernels = kernels
        self.weights = weights

    @property
    def _named(self):
        """The kernels as pairs (name, kernel), which `BaseComposition` works on."""
        try:
            return [(name, kernel) for name, kernel, _ in self.kernels]
        except (TypeError, ValueError):  # malformed, which `fit` reports
            return self.kernels

    @_named.setter
    def _named(self, pairs):
        self.kernels = [
            (name, kernel, columns)
            for (name, kernel), (_, _, columns) in zip(pairs, self.kernels, strict=True)
        ]

    def get_params(self, deep=True):
        """Return the parameters, and those of the kernels.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the kernels and their parameters as well.

        Returns
        -------
        dict
            Values by name.
        """
        return self._get_params("_named", deep=deep)

    def set_params(self, **params):
        """Set parameters, kernels by their names, and parameters of kernels.

        Parameters
        ----------
        **params : dict
            Such as ``weights=[2, 1]``, ``text=kernel`` or ``text__max_length=64``.

        Returns
        -------
        self : ColumnKernel
            This kernel.
        """
        self._set_params("_named", **params)
        return self

    def fit(self, X, y=None):
        """Fit each kernel on its columns.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Training rows. Dataframes of pandas and of polars stay such.
        y : None
            Ignored.

        Returns
        -------
        self : ColumnKernel
            Fitted kernel.

        Raises
        ------
        ValueError
            If kernels, columns, weights or rows are malformed. What a kernel itself
            raises is noted with the kernel's name.
        """
        self._fit(X, lambda kernel, part: kernel.fit(part))
        return self

    def fit_transform(self, X, y=None):
        """Fit and return the kernel matrix of the training rows.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_samples, n_samples)
            Exactly symmetric.

        Warns
        -----
        UserWarning
            If half of ten rows or more resemble only themselves by one of the kernels,
            as where columns have very different scales.
        """
        matrices = self._fit(X, lambda kernel, part: kernel.fit_transform(part))
        for (name, kernel, _), K in zip(self.kernels_, matrices, strict=True):
            warn_of_narrow(np.asarray(K), kernel, name)
        return self._sum(matrices)

    def transform(self, X):
        """Return the kernel matrix between rows and the training rows.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Rows, of the same columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_samples_fit)
            Kernel values.
        """
        return self._sum(self._each(X, lambda kernel, part: kernel.transform(part)))

    def diag(self, X):
        """Return the kernel value of each row with itself.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Rows, of the same columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Kernel values.
        """
        return self._sum(self._each(X, diagonal))

    @available_if(_may_have_features)
    def transform_features(self, X):
        """Return explicit features, of which the kernel is the inner product.

        Only if all kernels have them: linear kernels and sketched
        :class:`skshap.EmpiricalNTK`, at the end of pipelines as well.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Rows, of the same columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Those of all kernels side by side; see `lost_diagonal_`.
        """
        features = self._each(X, explicit_features)
        sizes = np.sqrt(self._factors())
        return np.hstack([a * part for a, part in zip(sizes, features, strict=True)])

    def estimate_cost(self, X):
        """Predict what the kernel matrix of rows will take, before it is computed.

        Kernels that tell their own cost do so, others are timed on a few rows. Steps in
        front of a kernel are fitted for it.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_samples, n_features)
            Training rows, as in `fit_transform`.

        Returns
        -------
        Bunch
            `seconds` of wall time, `memory` in bytes at its largest, and `disk` in
            bytes of what the `memory` of kernels will keep.

        Examples
        --------
        >>> import numpy as np
        >>> from skshap import ColumnKernel
        >>> kernel = ColumnKernel([("one", "rbf", [0]), ("other", "linear", [1])])
        >>> cost = kernel.estimate_cost(np.ones((2000, 2)))
        >>> cost.memory > 2 * 8 * 2000**2
        True
        """
        self._check()
        X = check_table(clone(self), X, reset=True)
        return predict_column_costs(self.kernels, X)

    @fit_context(prefer_skip_nested_validation=False)
    def _fit(self, X, call):
        """Fit kernels and scales; return what `call` makes of each kernel."""
        weights = self._check()
        with unchanged_on_error(self):
            X = check_table(self, X, reset=True)
            fitted, scales, results = fit_kernels(self.kernels, X, call)
        self.kernels_ = list(fitted)
        self.named_kernels_ = Bunch(**{name: k for name, k, _ in self.kernels_})
        self.scales_, self.weights_ = np.array(scales), weights / weights.sum()
        lost = [lost_diagonal(kernel) for _, kernel, _ in self.kernels_]
        self.lost_diagonal_ = float(self._factors() @ lost)
        self._n_features_out = X.shape[0]
        return results

    def _each(self, X, call):
        """Return an iterator over what `call` makes of each kernel and its columns."""
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        return ask_kernels(self.kernels_, X, call)

    def _sum(self, values):
        terms = zip(self._factors(), values, strict=True)
        # As arrays: frames, by set_output, would be matched by names of columns.
        return sum(factor * np.asarray(value) for factor, value in terms)

    def _factors(self):
        """Return what each kernel is multiplied by."""
        return self.weights_ / self.scales_

    def _check(self):
        """Check kernels, their names and weights; return the weights."""
        check_triples(self.kernels)
        names = [name for name, _, _ in self.kernels]
        self._validate_names(names)
        for name, kernel, _ in self.kernels:
            check_kernel(name, kernel)
        return check_kernel_weights(self.weights, names)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags
