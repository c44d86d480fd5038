"""The kernels of a `ColumnKernel`, each with the columns that it reads."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skshap.kernels._base import make_kernel
from skshap.kernels._column_errors import noted
from skshap.kernels._dates import check_dates
from skshap.kernels._entk import EmpiricalNTK
from skshap.kernels._features import diagonal, last_step, unshared
from skshap.utils._kernel_values import check_rows_kept
from skshap.utils._sklearn import select_columns

__all__ = ["ask_kernels", "columns_read", "fit_kernels", "read_columns"]

# Modules whose steps leave out no column, unless it is constant or empty.
KEEPING = ("sklearn.preprocessing", "sklearn.impute", "sklearn.kernel_approximation")


def fit_kernels(kernels, X, call):
    """Fit kernels to their columns.

    Parameters
    ----------
    kernels : list of tuple
        Tuples (name, kernel, columns).
    X : dataframe or ndarray
        The table.
    call : callable
        Fits a kernel to columns; what it returns is kept.

    Returns
    -------
    fitted : tuple of tuple
        Tuples (name, fitted kernel, columns).
    scales : tuple of float
        Mean of each kernel's training diagonal.
    results : tuple
        What `call` returned.

    Raises
    ------
    ValueError
        If columns or what a kernel makes of them are wrong; the message names both.
    """
    found = {}
    # Networks last: what the other kernels refuse is told before they are computed.
    for name, kernel, columns in sorted(kernels, key=_is_network):
        columns, part = read_columns(X, name, columns)
        check_dates(f"kernel {name!r}", kernel, part)
        fitted = make_kernel(kernel)
        with noted(name, columns, part):
            result = call(fitted, unshared(fitted, part))
            own = diagonal(fitted, part)
            check_rows_kept(np.shape(own), X.shape[0])
        scale = _scale(own, name, columns)
        found[name] = (name, fitted, columns), scale, result
    return tuple(zip(*(found[name] for name, _, _ in kernels), strict=True))


def ask_kernels(kernels, X, call):
    """Yield what `call` makes of each kernel of `fit_kernels` and its columns."""
    for name, kernel, columns in kernels:
        _, part = read_columns(X, name, columns)
        check_dates(f"kernel {name!r}", kernel, part)
        with noted(name, columns, part):
            values = call(kernel, unshared(kernel, part))
            check_rows_kept(np.shape(values), len(part))
            yield values


def read_columns(X, name, columns):
    """Select the columns of X that a kernel reads.

    Parameters
    ----------
    X : dataframe or ndarray
        The table.
    name : str
        Of the kernel.
    columns : object
        What is said to select them, or a function of X that returns it.

    Returns
    -------
    columns : object
        What selects them, in any table.
    part : dataframe, series or ndarray
        What they hold.

    Raises
    ------
    ValueError
        If X has not these, if none is selected, or one twice.
    """
    columns = columns(X) if callable(columns) else columns
    try:
        part = select_columns(X, columns)
    except Exception as error:  # of the dataframe's own library
        names = getattr(X, "columns", None)
        has = f"{X.shape[1]} columns" if names is None else f"{[*names]}"
        # That of a key is the column once more.
        why = "." if isinstance(error, KeyError) else f": {error}"
        raise ValueError(
            f"kernel {name!r} reads columns {columns!r}, but X has {has}{why}"
        ) from error
    if part.shape[1:] == (0,):
        raise ValueError(
            f"kernel {name!r} reads no columns: {columns!r} selects none of the "
            f"{X.shape[1]} columns of X."
        )
    if hasattr(X, "columns"):
        names = [*getattr(part, "columns", ())]
    else:
        numbers = np.arange(X.shape[1])[None]
        names = np.ravel(select_columns(numbers, columns)).tolist()
    if len(set(names)) < len(names):
        raise ValueError(
            f"kernel {name!r} reads columns {columns!r}, of which there must be no two "
            "of one name; name each once, and give it a kernel of its own to weigh it."
        )
    return columns, part


def columns_read(kernel, X):
    """Return names of the columns of a frame that a fitted kernel surely reads."""
    while isinstance(kernel, Pipeline):
        if not all(_keeps_columns(step) for _, step in kernel.steps[:-1]):
            return []
        kernel = kernel.steps[-1][1]
    if not hasattr(kernel, "kernels_"):
        return [*X.columns]
    names = []
    for name, inner, columns in kernel.kernels_:
        _, part = read_columns(X, name, columns)
        is_frame = hasattr(part, "columns")
        names += columns_read(inner, part) if is_frame else [part.name]
    return [*dict.fromkeys(names)]


def _keeps_columns(step):
    """Whether a step in front of a kernel surely leaves out no column."""
    if step in (None, "passthrough") or isinstance(step, OneToOneFeatureMixin):
        return True
    if isinstance(step, FunctionTransformer):
        return step.feature_names_out == "one-to-one"
    return any(kind.__module__.startswith(KEEPING) for kind in type(step).__mro__)


def _is_network(triple):
    """Whether a named kernel is that of a network, perhaps behind other steps."""
    _, kernel, _ = triple
    return isinstance(last_step(kernel), EmpiricalNTK)


def _scale(own, name, columns):
    """Return the mean of the diagonal that a kernel has of training rows."""
    scale = float(np.mean(own))
    if not 0 < scale < np.inf:
        raise ValueError(
            f"kernel {name!r} cannot be normalised: the mean of its training "
            f"diagonal is {scale}; check its columns {columns!r}."
        )
    return scale
