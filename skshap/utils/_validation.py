"""Checks of what users pass: rows (text or numbers), labels, kernel matrices."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from skshap.exceptions import NotPositiveDefiniteError


def is_text(X):
    """Whether `X` holds texts or pairs of texts rather than numbers.

    Parameters
    ----------
    X : object
        What a user passed as rows.

    Returns
    -------
    bool
        True for a sequence whose first element is a `str`, or a pair of them.

    Raises
    ------
    ValueError
        If `X` is one bare string: its characters are not rows.
    """
    if isinstance(X, str):
        raise ValueError(
            f"X must be a sequence of texts, got the single string {X[:40]!r}; "
            "wrap it in a list: [text]."
        )
    if not hasattr(X, "__len__") or hasattr(X, "nnz") or len(X) == 0:
        return False
    if hasattr(X, "dtypes"):  # dataframe
        X = X.head(1).to_numpy()
    elif not isinstance(X, (list, tuple)):
        X = np.asarray(X[:1] if isinstance(X, np.ndarray) else X)
        if X.dtype.kind not in "OUT":
            return False
    first = X[0]
    if isinstance(first, str):
        return True
    is_row = isinstance(first, (list, tuple, np.ndarray)) and np.ndim(first) == 1
    return is_row and 0 < len(first) <= 2 and all(isinstance(v, str) for v in first)


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
    is_pairs = not isinstance(rows[0], str)
    texts = []
    for index, row in enumerate(rows):
        parts = tuple(row) if is_pairs and not isinstance(row, str) else (row,)
        if len(parts) != 1 + is_pairs:
            what = f"a row of {len(parts)} columns" if is_pairs else "a text"
            raise ValueError(
                "X must hold one text a row or one pair of texts a row, but row "
                f"{index} is {what}; pass a column of texts as one-dimensional."
            )
        for part in parts:
            if not isinstance(part, str):
                raise ValueError(
                    f"X must hold texts only, but row {index} holds {part!r} of type "
                    f"{type(part).__name__}; drop the row or fill the missing text."
                )
            if not part.strip():
                raise ValueError(
                    f"X must not hold empty texts, but row {index} is {part!r}; drop "
                    "the row or fill in a placeholder."
                )
        texts.append(tuple(map(str, parts)) if is_pairs else str(row))
    return texts


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
        If rows are malformed, or of another kind than those of `fit`.
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
        return check_text(X)
    if not reset and not hasattr(estimator, "n_features_in_"):
        raise ValueError(
            f"X must hold texts, as in fit of {type(estimator).__name__}, but got "
            f"{type(X).__name__} without any."
        )
    return validate_data(
        estimator,
        X,
        reset=reset,
        dtype=np.float64,
        accept_sparse="csr" if sparse else False,
    )


def check_targets(y, rows):
    """Check training labels and encode them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    rows : sequence of length n_samples
        The rows they belong to.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    y_index : ndarray of shape (n_samples,)
        Index into `classes` of each label.

    Raises
    ------
    ValueError
        If labels are missing, continuous, of one class only, or of another number
        than the rows.
    """
    if y is None:
        raise ValueError(
            "y must be an array of class labels, got None: this estimator requires y "
            "to be passed, but the target y is None."
        )
    y = column_or_1d(y, warn=True)
    check_labels_present(y)
    check_consistent_length(rows, y)
    check_classification_targets(y)
    classes, y_index = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            "y must hold at least two classes, but every label is "
            f"{classes[0]!r} (one class); pass rows of another class as well."
        )
    return classes, y_index


def encode_targets(y, classes, rows):
    """Encode the labels of rows whose predictions are valued.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels, all among `classes`.
    classes : ndarray of shape (n_classes,)
        The sorted training labels.
    rows : sequence of length n_samples
        The rows they belong to.

    Returns
    -------
    ndarray of shape (n_samples,)
        Index into `classes` of each label.

    Raises
    ------
    ValueError
        If labels are missing, were not seen in training, or of another number than
        the rows.
    """
    if y is None:
        raise ValueError(
            "y must be the labels of the rows in X, got None: a value says how much a "
            "training row helps to predict them. For rows without labels use explain."
        )
    y = column_or_1d(y, warn=True)
    check_labels_present(y)
    check_consistent_length(rows, y)
    unseen = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unseen:
        raise ValueError(
            f"y holds labels that the training rows do not have: {unseen[:5]}; the "
            f"classes are {classes.tolist()[:20]}."
        )
    return np.searchsorted(classes, y.astype(classes.dtype, copy=False))


def check_labels_present(y):
    """Raise if a label is missing (NaN, None) or infinite."""
    if y.dtype.kind == "f":
        check_array(y.reshape(-1, 1), input_name="y", dtype=None, ensure_min_samples=0)
    elif y.dtype.kind == "O":
        missing = [i for i, v in enumerate(y) if v is None or v != v]
        if missing:
            raise ValueError(
                f"y must not hold missing labels, but rows {missing[:5]} are "
                f"{y[missing[0]]!r}; drop or label them."
            )


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
    if K.shape[0] != K.shape[1]:
        raise ValueError(
            f"Precomputed metric requires shape (n_samples, n_samples): the training "
            f"kernel must be a square matrix, got {K.shape}."
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
    K = np.asarray(K, dtype=np.float64)
    if not np.isfinite(K).all():
        row, column = np.argwhere(~np.isfinite(K))[0]
        raise ValueError(
            f"the kernel must be finite, but K[{row}, {column}] is {K[row, column]}; "
            "check the kernel's parameters and the rows it was computed from."
        )
    return K


def check_pivots(pivots, info, *, largest, alpha):
    """Raise if a Cholesky factor failed, or succeeded by rounding alone.

    Parameters
    ----------
    pivots : Tensor of shape (n,)
        Squares of the factor's diagonal.
    info : int or Tensor
        What the factorization returned: zero, or the first row that failed.
    largest : float
        Largest entry of the kernel's diagonal.
    alpha : float
        What was added to it.

    Raises
    ------
    NotPositiveDefiniteError
        If the smallest pivot is not above the rounding error of the largest.
    """
    floor = len(pivots) * np.finfo(np.float64).eps * (largest + alpha)
    if int(info) == 0 and float(pivots.min()) > floor:
        return
    raise NotPositiveDefiniteError(
        f"the kernel matrix plus alpha={alpha:.3g} on its diagonal is not positive "
        f"definite to working precision (largest diagonal entry {largest:.3g}): rows "
        "are duplicated or nearly so, or the kernel is not positive semi-definite. "
        f"Raise alpha; {max(1e-8 * largest, 10 * alpha):.1g} would be a start."
    )
