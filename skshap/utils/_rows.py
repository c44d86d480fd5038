"""Rows: how many there are, and how much each counts."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

__all__ = [
    "check_number",
    "check_real",
    "check_several",
    "check_unmasked",
    "check_weights",
    "number_of_rows",
]


def check_unmasked(X, name="X"):
    """Raise if entries of rows are masked.

    Parameters
    ----------
    X : rows
        In any container, a list of arrays included.
    name : str, default="X"
        Of them, in messages.

    Raises
    ------
    ValueError
        If some are.
    """
    parts = X if isinstance(X, (list, tuple)) else [X]
    masked = filter(np.ma.isMaskedArray, parts)
    n_masked = sum(map(np.ma.count_masked, masked))
    if n_masked > 0:
        raise ValueError(
            f"{name} must not be missing, but {n_masked} entries are masked: fill "
            f"them, as with SimpleImputer after {name}.filled(np.nan), or drop the "
            "rows."
        )


def check_several(y, name="y"):
    """Raise if a single text or number stands where there must be one a row.

    Parameters
    ----------
    y : object
        What a user passed as labels or targets.
    name : str, default="y"
        Of it, in messages.

    Raises
    ------
    ValueError
        If it is a single text or number.
    """
    if isinstance(y, (str, bytes, Real)) or getattr(y, "shape", None) == ():
        y = y.item() if hasattr(y, "item") else y
        raise ValueError(
            f"{name} must be a list or array with one entry a row, got the single "
            f"value {y!r:.40}; for a single row wrap it in a list: [{y!r:.40}]."
        )


def check_real(values, name):
    """Raise if an array, a sparse matrix, a list or a frame holds complex numbers."""
    dtype = getattr(values, "dtype", None)
    if hasattr(values, "columns"):
        types = getattr(values, "dtypes", ())
        dtype = next((t for t in types if getattr(t, "kind", None) == "c"), None)
    if isinstance(values, (list, tuple)) and any(
        isinstance(value, (complex, np.complexfloating)) for value in values
    ):
        dtype = np.dtype(complex)
    if getattr(dtype, "kind", None) == "c":
        raise ValueError(
            f"{name} must not hold complex numbers, got dtype {dtype}: Complex data "
            f"not supported; pass real ones, such as numpy.real({name})."
        )


def number_of_rows(X, name="X"):
    """Return the number of rows of anything that holds some.

    Parameters
    ----------
    X : sequence, array, sparse matrix or dataframe
    name : str, default="X"
        Of the rows, in messages.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there are no rows in such an object, as in a single text.
    """
    try:
        if isinstance(X, str):
            raise TypeError("a single text is no sequence of rows")
        if hasattr(X, "__array__") and not hasattr(X, "shape"):
            X = np.asarray(X)
        return X.shape[0] if hasattr(X, "shape") else len(X)
    except (TypeError, IndexError) as error:
        raise ValueError(
            f"{name} must hold rows, got {X!r:.40} of type {type(X).__name__}: {error}."
        ) from error


def check_number(entries, X, name):
    """Raise if entries that are one a row are more or fewer than the rows.

    Parameters
    ----------
    entries : array-like or None
        A single number stands for all rows.
    X : rows
    name : str
        Of the entries, in messages.

    Raises
    ------
    ValueError
        If their number is another than that of the rows.
    """
    try:
        has_shape = hasattr(entries, "shape")
        shape = entries.shape if has_shape else np.asarray(entries).shape
    except ValueError as error:
        raise ValueError(f"{name} must be numbers, one a row of X: {error}") from error
    if not shape:
        return
    n_entries, n_rows = shape[0], number_of_rows(X)
    if n_entries != n_rows:
        raise ValueError(
            f"{name} must hold one entry a row of X, got {n_entries} entries for "
            f"{n_rows} rows; pass X and {name} of the same length."
        )


def check_weights(sample_weight, rows):
    """Check the weights of rows in a mean.

    Parameters
    ----------
    sample_weight : array-like of shape (n,)
    rows : sequence of length n

    Returns
    -------
    ndarray of shape (n,)
        Float64.

    Raises
    ------
    ValueError
        If a weight is masked, negative or not finite, all are zero, their sum is not
        finite, or their number is another than that of the rows.
    """
    if isinstance(sample_weight, np.ma.MaskedArray) and np.ma.is_masked(sample_weight):
        raise ValueError(
            "sample_weight must not be missing; masked entries: "
            f"{np.ma.count_masked(sample_weight)}. Fill them, as with "
            "sample_weight.filled(0), or drop these rows."
        )
    weights = column_or_1d(sample_weight)
    check_consistent_length(rows, weights)
    weights = check_array(
        weights, input_name="sample_weight", ensure_2d=False, dtype=np.float64
    )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if (weights < 0).any() or not 0 < total < np.inf:
        raise ValueError(
            "sample_weight must be positive or zero, not zero for all rows, and have a "
            f"finite sum, got {weights[:5]}."
        )
    return weights
