"""Checks of the rows that users pass: texts, numbers or tables."""

import re

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skshap.utils._columns import column_advice, has_dates, is_missing
from skshap.utils._rows import check_real, check_unmasked
from skshap.utils._texts import NO_ROWS, check_collected, check_text, is_text

__all__ = [
    "check_column_names",
    "check_rows",
    "check_table",
]

# What scikit-learn says where values are no numbers.
NO_NUMBERS = "NaN|infinity|convert|dtype|could not|real number|sequence"


def check_rows(estimator, X, *, reset, sparse=False, copy=False):
    """Check the rows that an estimator is given: texts, pairs of texts or numbers.

    Parameters
    ----------
    estimator : BaseEstimator
        Carries `n_features_in_` for tables of numbers, and `feature_names_in_` for
        dataframes, of numbers or pairs of texts.
    X : list of str, list of pairs of str, or array-like of shape \
            (n_samples, n_features)
        The rows.
    reset : bool
        True in `fit`.
    sparse : bool, default=False
        Whether a sparse table of numbers is accepted (as CSR).
    copy : bool, default=False
        Whether a table of numbers must be another one than the caller's.

    Returns
    -------
    list of str, list of tuple, or ndarray of shape (n_samples, n_features)
        Checked rows; numbers as float64, no entry of a sparse table twice.

    Raises
    ------
    ValueError
        If rows are malformed, which names columns of texts, of dates, of other objects
        and with gaps, are masked, or are of another kind than those of `fit` or in
        columns of other names.
    TypeError
        If objects in a table cannot be turned into numbers.
    """
    X = check_column_names(estimator, X, reset=reset)
    if is_text(X):
        return _check_texts(estimator, X, reset=reset)
    return _check_numbers(estimator, X, reset=reset, sparse=sparse, copy=copy)


def _check_texts(estimator, X, *, reset):
    """Check texts, or pairs of texts, see `check_rows`."""
    if reset:
        vars(estimator).pop("n_features_in_", None)
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
    # Names of columns alone: texts are not counted as features.
    options = {"skip_check_array": True, "ensure_2d": False}
    validate_data(estimator, X, reset=reset, **options)
    return texts


def _check_numbers(estimator, X, *, reset, sparse, copy):
    """Check a table of numbers, see `check_rows`."""
    if not reset and not hasattr(estimator, "n_features_in_"):
        raise ValueError(
            f"X must hold texts, as in fit of {type(estimator).__name__}, in a list or "
            f"a column as X['text'], but got {type(X).__name__} of something else."
        )
    _check_is_table(X)
    try:
        rows = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=np.float64,
            accept_sparse="csr" if sparse else False,
            copy=copy,
        )
    except OverflowError as error:
        raise ValueError(
            f"X holds an integer that is too large for float64 ({error}); divide the "
            "column by a power of ten, or take logarithms."
        ) from error
    except (TypeError, ValueError) as error:
        is_table = not get_tags(estimator).input_tags.pairwise
        advice = (
            column_advice(X) if is_table and re.search(NO_NUMBERS, str(error)) else []
        )
        if not advice:
            raise
        words = ["X must hold numbers.", *advice]
        if isinstance(error, TypeError):  # names the type: it is none that is known
            raise TypeError(" ".join([*words, f"({error})"])) from error
        raise ValueError(" ".join(words)) from error
    if issparse(rows) and not rows.has_canonical_format:
        rows = rows.copy()  # the caller's stay as they are
        rows.sum_duplicates()  # scikit-learn's norms of rows do not
    return rows


def _check_is_table(X):
    """Raise if rows are no table of numbers, saying more than scikit-learn would."""
    if X is None:
        raise ValueError(f"{NO_ROWS}, got None.")
    is_list = isinstance(X, (list, tuple))
    check_unmasked(X)
    check_real(X, "X")
    if has_dates(X):
        raise ValueError(" ".join(["X must hold numbers.", *column_advice(X)]))
    if is_list and any(isinstance(row, str) for row in X):
        check_text(X)  # texts, apart from the first one
    if is_flat(X):
        if len(X) == 0:
            raise ValueError("X has no rows; pass a minimum of 1 row.")
        raise ValueError(
            "X must hold texts, or be a table of two dimensions, got "
            f"{type(X).__name__} of shape {(len(X),)} without texts. Reshape your "
            "data with reshape(-1, 1), or to_frame(), if it is one column of numbers, "
            "with reshape(1, -1), or X.iloc[[i]], if it is one row."
        )
    lengths = {len(row) for row in X if is_sequence(row)} if is_list else set()
    if len(lengths) > 1:
        raise ValueError(
            f"Rows of X must have one length, got rows of {min(lengths)} to "
            f"{max(lengths)} entries; fill or drop those that lack some."
        )


def is_flat(X):
    """Say whether X is one column, or a list of what are no rows."""
    if isinstance(X, (list, tuple)):
        return all(isinstance(row, str) or not hasattr(row, "__len__") for row in X)
    return len(getattr(X, "shape", ())) == 1


def is_sequence(row):
    """Say whether a row of a list is one whose entries can be counted."""
    is_array = isinstance(row, np.ndarray) and row.ndim > 0
    return is_array or isinstance(row, (list, tuple))


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
        A dataframe as it is, but for its names, see `check_column_names`; what its
        columns hold is left to who reads them.

    Raises
    ------
    ValueError
        If it is no table, is empty, or has other columns than in `fit`.
    """
    check_collected(X)
    check_unmasked(X)
    if is_flat(X) and len(X) > 0 and not isinstance(X, np.ndarray):
        raise ValueError(
            "X must be a table, whose columns are read by their names, got "
            f"{type(X).__name__} of shape {(len(X),)}; pass a dataframe, of one row as "
            "df.iloc[[0]], of one column as df[['name']]."
        )
    X = check_column_names(estimator, X, reset=reset)
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


def check_column_names(estimator, X, *, reset):
    """Check names of columns that are no strings: scikit-learn passes over them.

    Parameters
    ----------
    estimator : BaseEstimator
        Carries `_columns`.
    X : rows
        Of any kind; only a pandas frame has such names.
    reset : bool
        True in `fit`.

    Returns
    -------
    rows
        `X`, under the names of `fit` where the columns of either are merely numbered
        from 0 on, which says nothing of which they are.

    Raises
    ------
    ValueError
        If columns have other names than in `fit`, or another order.
    """
    is_frame = hasattr(X, "iloc") and hasattr(X, "columns")
    columns = X.columns if is_frame else []
    names = [plain_name(name) for name in columns]
    if reset:
        estimator._columns = names
        return X
    fitted = getattr(estimator, "_columns", [])
    has_strings = any(isinstance(name, str) for name in names + fitted)
    if has_strings or len(names) != len(fitted) or names == fitted:
        return X
    is_moved = set(names) == set(fitted)
    if not is_moved and list(range(len(names))) in (names, fitted):
        return X.set_axis(fitted, axis=1)
    place = next(i for i, name in enumerate(names) if name != fitted[i])
    in_order = " in the same order" * is_moved
    raise ValueError(
        f"X must have the columns of fit{in_order}, but column {place} was "
        f"{fitted[place]!r} there and is {names[place]!r} here; pass "
        "X[X_train.columns], or X.to_numpy() if the order is right."
    )


def plain_name(name):
    """Return the name of a column, None in the place of what is missing in it."""
    if isinstance(name, tuple):
        return tuple(map(plain_name, name))
    return None if is_missing(name) else name
