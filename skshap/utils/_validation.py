"""Checks of what users pass: rows (text or numbers), kernel matrices, devices."""

import re
from collections.abc import Iterator, Mapping, Set
from itertools import filterfalse

import numpy as np
import torch
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skshap.utils._columns import column_advice, has_dates, is_missing

__all__ = [
    "check_device",
    "check_gram",
    "check_kernel_values",
    "check_rows",
    "check_table",
    "is_text",
]

# What scikit-learn says where values are no numbers.
NO_NUMBERS = "NaN|infinity|convert|dtype|could not|real number"
NO_ROWS = "X must be a sequence of texts, such as a list, or a table"


def is_text(X):
    """Whether `X` holds texts or pairs of texts rather than numbers.

    Parameters
    ----------
    X : object
        What a user passed as rows.

    Returns
    -------
    bool
        True for a sequence whose first element is a `str`, or a pair of them; missing
        elements before it do not count.

    Raises
    ------
    ValueError
        If `X` is one bare string, whose characters are not rows, no sequence at all, or
        one of bytes.
    """
    check_collected(X)
    if isinstance(X, str):
        raise ValueError(
            f"X must be a sequence of texts, got the single string {X[:40]!r}; "
            "wrap it in a list: [text]."
        )
    is_table = hasattr(X, "shape")  # some sparse ones are mappings
    if isinstance(X, (Mapping, Set, Iterator, bytes)) and not is_table:
        raise ValueError(f"{NO_ROWS}, got {type(X).__name__}.")
    is_array = hasattr(X, "__len__") and not hasattr(X, "nnz")
    if not is_array or getattr(X, "shape", None) == () or len(X) == 0:
        return False
    is_list = isinstance(X, (list, tuple))
    if not is_list:
        X = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        if X.dtype.kind not in "OUTS":
            return False
    # A text that is missing is not a number.
    first = next((row for row in X if not is_missing(row)), X[0])
    if isinstance(first, str):
        return True
    if isinstance(first, bytes):
        raise ValueError(
            f"X must hold texts, but holds bytes, {first[:40]!r}; decode them: "
            "[row.decode() for row in X]."
        )
    is_row = isinstance(first, (list, tuple, np.ndarray)) and np.ndim(first) == 1
    if not is_row or not 0 < len(first) <= 2:
        return False
    # Half of a pair may be missing; in a table it could be a number.
    is_part = [isinstance(v, str) or (is_list and is_missing(v)) for v in first]
    return all(is_part) and any(isinstance(v, str) for v in first)


def check_collected(X):
    """Raise if a table is not in memory yet, as a LazyFrame of polars."""
    if hasattr(type(X), "collect"):
        raise ValueError(
            f"X must hold its rows, but a {type(X).__name__} has yet to compute them; "
            "pass X.collect()."
        )


def check_text(X):
    """Check texts or sentence pairs.

    Parameters
    ----------
    X : sequence of str, or array-like of shape (n_samples, 2) of str
        Texts, or pairs of texts.

    Returns
    -------
    list of str, or list of tuple of (str, str)
        The texts, or the pairs.

    Raises
    ------
    ValueError
        If an element is not a `str`, is empty or blank, or rows differ in kind.
    """
    rows = X.to_numpy() if hasattr(X, "to_numpy") else X
    is_pairs = not isinstance(next(filterfalse(is_missing, rows), None), str)
    texts = []
    for index, row in enumerate(rows):
        is_row, parts = isinstance(row, (list, tuple, np.ndarray)), parts_of(row)
        if is_row and len(parts) != 2:
            raise ValueError(
                "X must hold one text a row or one pair of texts a row, but row "
                f"{index} has {len(parts)} columns; pass a column of texts itself, as "
                "df['text'] and not df[['text']]."
            )
        for part in parts:
            if not isinstance(part, str):
                advice = (
                    f"drop the row or fill the missing text.{how_many_lack(rows)}"
                    if is_missing(part)
                    else "make a text of it, or drop the row."
                )
                raise ValueError(
                    f"X must hold texts only, but row {index} holds {part!r} of type "
                    f"{type(part).__name__}; {advice}"
                )
            if not part.strip():
                raise ValueError(
                    f"X must not hold empty texts, but row {index} is {part!r}; drop "
                    f"the row or fill in a placeholder.{how_many_lack(rows)}"
                )
            if any("\ud800" <= letter <= "\udfff" for letter in part):
                raise ValueError(
                    f"X must hold valid text, but row {index} holds half of a "
                    f"surrogate pair: {part[:40]!r}; decode it again, or replace it."
                )
        if is_row != is_pairs:
            raise ValueError(
                "X must hold texts or pairs of texts, but not both: row 0 is "
                f"{rows[0]!r}, row {index} is {row!r}."
            )
        texts.append(tuple(map(str, parts)) if is_pairs else str(row))
    return texts


def parts_of(row):
    """Return the texts of a row: of a pair both."""
    return tuple(row) if isinstance(row, (list, tuple, np.ndarray)) else (row,)


def how_many_lack(rows):
    """Say in how many rows a text is missing or empty; nothing of a single one."""
    n = sum(
        any(is_missing(p) or (isinstance(p, str) and not p.strip()) for p in parts)
        for parts in map(parts_of, rows)
    )
    return f" In all, {n} rows lack a text." if n > 1 else ""


def check_rows(estimator, X, *, reset, sparse=False):
    """Check the rows that an estimator is given: texts, pairs of texts or numbers.

    Parameters
    ----------
    estimator : BaseEstimator
        Carries `n_features_in_` for tables of numbers.
    X : list of str, list of pairs of str, or array-like of shape \
            (n_samples, n_features)
        The rows.
    reset : bool
        True in `fit`.
    sparse : bool, default=False
        Whether a sparse table of numbers is accepted (as CSR).

    Returns
    -------
    list of str, list of tuple, or ndarray of shape (n_samples, n_features)
        Checked rows; numbers as float64.

    Raises
    ------
    ValueError
        If rows are malformed, which names columns of texts, of dates and with gaps, or
        of another kind than those of `fit`.
    """
    if is_text(X):
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                vars(estimator).pop(name, None)
        elif hasattr(estimator, "n_features_in_"):
            raise ValueError(
                f"X holds texts, but {type(estimator).__name__} was fitted on a table "
                f"of {estimator.n_features_in_} numeric features."
            )
        texts, fitted = check_text(X), getattr(estimator, "X_fit_", None)
        if not reset and fitted is not None:
            kinds = [
                "single texts" if isinstance(rows[0], str) else "pairs of texts"
                for rows in (texts, fitted)
            ]
            if kinds[0] != kinds[1]:
                raise ValueError(
                    f"X holds {kinds[0]}, but {type(estimator).__name__} was fitted on "
                    f"{kinds[1]}; pass rows of the same kind."
                )
        return texts
    if not reset and not hasattr(estimator, "n_features_in_"):
        raise ValueError(
            f"X must hold texts, as in fit of {type(estimator).__name__}, but got "
            f"{type(X).__name__} without any."
        )
    if X is None:
        raise ValueError(f"{NO_ROWS}, got None.")
    if has_dates(X):
        raise ValueError(" ".join(["X must hold numbers.", *column_advice(X)]))
    is_list = isinstance(X, (list, tuple))
    if is_list and any(isinstance(row, str) for row in X):
        check_text(X)  # texts, apart from the first one
    if len(getattr(X, "shape", ())) == 1 or (
        is_list and not any(hasattr(row, "__len__") for row in X)
    ):
        if len(X) == 0:
            raise ValueError("X has no rows; pass a minimum of 1 row.")
        raise ValueError(
            "X must hold texts, or be a table of two dimensions, got "
            f"{type(X).__name__} of shape {(len(X),)} without texts. Reshape your "
            "data with reshape(-1, 1), or to_frame(), if it is one column of numbers."
        )
    try:
        return validate_data(
            estimator,
            X,
            reset=reset,
            dtype=np.float64,
            accept_sparse="csr" if sparse else False,
        )
    except (TypeError, ValueError) as error:
        is_table = not get_tags(estimator).input_tags.pairwise
        advice = (
            column_advice(X) if is_table and re.search(NO_NUMBERS, str(error)) else []
        )
        if not advice:
            raise
        raise ValueError(" ".join(["X must hold numbers.", *advice])) from error


def check_table(estimator, X, *, reset):
    """Check a table whose columns hold anything, as texts, categories and numbers.

    Parameters
    ----------
    estimator : BaseEstimator
        Carries `n_features_in_` and `feature_names_in_`.
    X : dataframe or array-like of shape (n_samples, n_features)
        The table.
    reset : bool
        True in `fit`.

    Returns
    -------
    dataframe or ndarray of shape (n_samples, n_features)
        A dataframe as it is; what its columns hold is left to who reads them.

    Raises
    ------
    ValueError
        If it is no table, is empty, or has other columns than in `fit`.
    """
    check_collected(X)
    if not hasattr(X, "columns"):
        return validate_data(
            estimator,
            X,
            reset=reset,
            dtype=None if hasattr(X, "dtype") else object,
            ensure_all_finite=False,
        )
    if X.shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is "
            f"required by {type(estimator).__name__}."
        )
    return validate_data(estimator, X, reset=reset, skip_check_array=True)


def check_gram(K):
    """Check a kernel matrix between training rows: square, finite and symmetric.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples)
        Kernel values.

    Returns
    -------
    ndarray of shape (n_samples, n_samples)
        The same array, float64.

    Raises
    ------
    ValueError
        If it is not square, holds NaN or infinity, or is not symmetric.
    """
    if np.ndim(K) != 2 or K.shape[0] != K.shape[1]:
        raise ValueError(
            "Precomputed metric requires shape (n_samples, n_samples): the training "
            f"kernel must be a square matrix, got an array of shape {np.shape(K)}; "
            "pass kernel values of every training row with every training row."
        )
    K = check_kernel_values(K)
    scale = np.abs(K).max()
    skew = np.abs(K - K.T).max()
    if skew > 1e-8 * scale:
        raise ValueError(
            "the training kernel must be symmetric, but K - K.T has entries of up to "
            f"{skew:.2g} (largest entry of K: {scale:.2g}); use (K + K.T) / 2 if this "
            "is rounding."
        )
    return K


def check_kernel_values(K):
    """Raise if a kernel matrix holds NaN or infinity; return it as float64."""
    K = np.ascontiguousarray(K, dtype=np.float64)
    if not np.isfinite(K).all():
        row, column = np.argwhere(~np.isfinite(K))[0]
        raise ValueError(
            f"the kernel must be finite, but K[{row}, {column}] is {K[row, column]}; "
            "check the kernel's parameters and the rows it was computed from."
        )
    return K


def check_device(device):
    """Raise if torch cannot compute on a device.

    Parameters
    ----------
    device : str, torch.device or None
        What the user passed; None is the CPU.

    Raises
    ------
    ValueError
        If there is no such device, or not on this machine.
    """
    try:
        is_real = torch.empty(0, device=device).device.type != "meta"
        error = "it holds shapes without numbers"
    except (RuntimeError, AssertionError) as caught:
        is_real, error = False, caught
    if not is_real:
        raise ValueError(
            f"device={device!r} cannot be used: {error}; use device=None for the CPU."
        )
