"""What a kernel is: an object with `fit`, `fit_transform`, `transform` and `diag`.

``fit_transform(X)`` gives the symmetric matrix of the training rows, ``transform(X)``
the matrix of shape (n_samples, n_samples_fit) between new rows and them, and
``diag(X)`` the value of each row with itself, which only `ColumnKernel` needs. A kernel
with ``transform_features(X)``, of shape (n_samples, n_components), is the inner product
of what that returns; it may lose the method in `fit`. To the value of a row with itself
it may add `lost_diagonal_`, which features do not tell. ``estimate_cost(X)`` and
``initial_outputs(X)`` are used where a kernel has them. A pipeline that ends in a
kernel is one. A subclass of a kernel that overrides `transform` has `diag` and
`transform_features` only if it overrides them as well. `make_kernel` turns what users
pass as ``kernel=`` into such an object.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import InputTags, get_tags

from skshap.kernels._dates import check_dates
from skshap.kernels._features import last_step, unshared
from skshap.kernels._pairwise import PairwiseKernel, check_name
from skshap.utils._columns import is_series
from skshap.utils._kernel_values import check_gram
from skshap.utils._rows import number_of_rows
from skshap.utils._texts import is_text
from skshap.utils._validation import check_rows, check_table

__all__ = [
    "check_kernel_rows",
    "fit_gram",
    "is_precomputed",
    "make_kernel",
    "set_kernel_tags",
]

MOST_SHOWN = 60  # characters of a step in a message
# Not so with scikit-learn 1.6, the first version that has tags.
TAGS_TELL_SPARSE = get_tags(MaxAbsScaler()).input_tags.sparse


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
        If the name is unknown, `kernel_params` are given for a kernel that takes none,
        or an estimator stands in the place of the kernel.
    """
    is_object = is_kernel_object(kernel)
    if not (is_object or callable(kernel)) and hasattr(kernel, "predict"):
        name = type(last_step(kernel)).__name__
        raise ValueError(
            f"kernel must say how alike two rows are, but {name} is an estimator that "
            "predicts; the one that is trained here is kernel ridge regression. Pass a "
            "name, as kernel='rbf', a callable k(x, y), or a kernel object such as "
            "EmpiricalNTK(model) or make_pipeline(StandardScaler(), PairwiseKernel()). "
            f"To train {name} on rows chosen by their values, pass it to DataRemoval."
        )
    if kernel_params and (is_object or is_precomputed(kernel)):
        raise ValueError(
            f"kernel_params={kernel_params!r} is only used by a kernel given by name "
            f"or as a callable, not by kernel={kernel!r}; set them on the object."
        )
    if is_object:
        return clone(kernel)
    if is_precomputed(kernel):
        return PrecomputedKernel()
    check_name(kernel, "'auto', 'precomputed', ")
    return PairwiseKernel(kernel, kernel_params=kernel_params)


def fit_gram(kernel, rows):
    """Fit a kernel and return the kernel matrix of the training rows.

    Parameters
    ----------
    kernel : object
        Of `make_kernel`.
    rows : rows
        n of them.

    Returns
    -------
    ndarray of shape (n, n)
        float64.

    Raises
    ------
    ValueError
        If what the kernel gives is none, as of a transformer that gives features.
    """
    K = kernel.fit_transform(unshared(kernel, rows))
    if isinstance(kernel, PrecomputedKernel):
        return check_gram(K)
    n, is_sparse = number_of_rows(rows), issparse(K)
    last = last_step(kernel)
    name, shown = type(last).__name__, repr(last)
    if len(shown) > MOST_SHOWN or not shown.startswith(f"{name}("):
        shown = f"{name}(...)"
    before = "..., " if isinstance(kernel, Pipeline) else ""
    is_linear = is_sparse or "kernel_approximation" in type(last).__module__
    hint = (
        f"If {name} gives features, put a kernel of them behind it: "
        f"kernel=make_pipeline({before}{shown}, "
        f'PairwiseKernel("{"linear" if is_linear else "rbf"}")).'
    )
    if is_sparse and np.shape(K) == (n, n):
        hint = f"If it is a kernel, let it return K.toarray(). {hint}"
    if is_sparse or np.shape(K) != (n, n):
        raise ValueError(
            f"kernel must give the values of {n} training rows with each other, a "
            f"dense array of shape ({n}, {n}), but {name} gave a "
            f"{'sparse' if is_sparse else 'dense'} one of shape {np.shape(K)}. {hint}"
        )
    return check_gram(K, hint)


def check_kernel_rows(estimator, X, *, reset):
    """Check the rows that an estimator with a parameter ``kernel`` is given.

    Parameters
    ----------
    estimator : BaseEstimator
        Carries `kernel`, and `n_features_in_` for tables.
    X : list of str, list of pairs of str, dataframe, or {array-like, sparse matrix} \
            of shape (n_samples, n_features)
        The rows. A dataframe stays one, whatever its columns hold, for a kernel that
        takes tables: one that selects columns, or a pipeline. A series of texts stays
        one for the steps of a pipeline.
    reset : bool
        True in `fit`.

    Returns
    -------
    list, series, dataframe, or {ndarray, sparse matrix} of shape \
            (n_samples, n_features)
        Checked rows.

    Raises
    ------
    ValueError
        If rows are malformed, or of another kind than those of `fit`.
    """
    kernel = estimator.kernel
    is_table = hasattr(X, "columns") or getattr(X, "ndim", 1) == 2 or not is_text(X)
    if is_table:
        check_takes_tables(kernel)
    is_piped = isinstance(kernel, Pipeline) and is_table and not issparse(X)
    if selects_columns(kernel) or is_piped:
        X = check_table(estimator, X, reset=reset)
        check_dates("kernel", kernel, X)
        return X
    rows = check_rows(estimator, X, reset=reset, sparse=takes_sparse(kernel))
    return X if isinstance(kernel, Pipeline) and is_series(X) else rows


def check_takes_tables(kernel):
    """Raise if a kernel begins with a step that reads texts alone, by its tags."""
    while isinstance(kernel, Pipeline):
        kernel = kernel.steps[0][1]
    tags = input_tags(kernel)
    if tags.string and not (tags.two_d_array or tags.categorical):
        raise ValueError(
            f"kernel's {type(kernel).__name__} reads texts, but X is a table; pass one "
            'text a row, in a list or a column as df["text"], or give each kind of '
            "columns a kernel of its own with make_column_kernel."
        )


def is_kernel_object(kernel):
    """Whether ``kernel=`` is an object that makes kernel matrices itself."""
    return hasattr(kernel, "fit_transform") and hasattr(kernel, "transform")


def is_precomputed(kernel):
    """Whether ``kernel=`` is "precomputed"."""
    return isinstance(kernel, str) and kernel == "precomputed"


def takes_sparse(kernel):
    """Whether ``kernel=`` works on sparse tables: by name, or as its tags say."""
    if isinstance(kernel, str):
        return kernel != "precomputed"
    if isinstance(kernel, Pipeline):
        # Where tags do not say, steps that take none raise errors of their own.
        steps = kernel.steps if TAGS_TELL_SPARSE else kernel.steps[-1:]
        return all(takes_sparse(step) for _, step in steps if step is not None)
    return input_tags(kernel).sparse


def selects_columns(kernel):
    """Whether ``kernel=`` is an object that reads the columns of a table by itself."""
    return input_tags(kernel).categorical


def input_tags(kernel):
    """Return the input tags of ``kernel=``; those of an array where it has none."""
    has_tags = hasattr(kernel, "__sklearn_tags__")
    return get_tags(kernel).input_tags if has_tags else InputTags()


def set_kernel_tags(tags, kernel):
    """Set the input tags of an estimator that has a parameter ``kernel``."""
    tags.input_tags.pairwise = is_precomputed(kernel)
    tags.input_tags.sparse = takes_sparse(kernel)
    tags.input_tags.string = is_kernel_object(kernel)
    tags.input_tags.categorical = selects_columns(kernel)
