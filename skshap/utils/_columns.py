"""Which columns of a table hold what is no number, and what to do about it."""

import re
from datetime import date, time, timedelta

import numpy as np

from skshap.utils._warn import warn_caller

__all__ = [
    "ADVICE",
    "column_advice",
    "has_dates",
    "is_missing",
    "is_series",
    "missing_dates",
    "shortened",
    "text_advice",
    "warn_of_target",
]

FEWEST = 10  # rows, of which a column is not the same as others by chance
N_NAMED = 10  # columns that a message names
# Types of dates, times and spans of time, missing ones included.
DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
# A text that begins with the year, month and day, or ends in the year.
DATE_TEXT = re.compile(r"(\d{4}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3\d{4})(?!\d)")
# What columns hold that are no numbers, in this order, and what to do about it.
ADVICE = {
    "texts": "hold texts: a kernel that reads texts takes one of them, as X['text']; "
    "else give each kind of columns a kernel of its own with make_column_kernel, or "
    "encode them, as OneHotEncoder does with categories.",
    "mixed": "hold numbers and texts that are none, as by units or decimal commas: "
    "mend these and make all numbers, as pandas.to_numeric does, or encode them "
    "if they are categories.",
    "days": "hold dates in texts: turn them into numbers, as "
    "(pandas.to_datetime(dates) - pandas.Timestamp(0)).dt.days does, or put skrub's "
    "TableVectorizer in front of the kernel.",
    "dates": "hold dates: turn them into numbers, such as days since the first, or "
    "put skrub's TableVectorizer in front of the kernel.",
    "others": "hold neither numbers nor texts: turn them into one or the other, or "
    "drop them.",
    "gaps": "have missing values (NaN): fill them, as with SimpleImputer in front (of "
    "DataRemoval too: rows are valued before its estimator sees them), or drop the "
    "rows.",
    "infinite": "hold infinity: replace it by a number, or drop the rows.",
}


def has_dates(X):
    """Whether a table has columns of dates or times, which would count as numbers.

    Parameters
    ----------
    X : dataframe, list or ndarray
        The table.

    Returns
    -------
    bool
        True if so.
    """
    if hasattr(X, "columns") and hasattr(X, "dtypes") and hasattr(X, "shape"):
        return any(
            is_time(dtype) or (str(dtype).lower() == "object" and holds_dates(X[name]))
            for name, dtype in zip(X.columns, X.dtypes, strict=True)
        )
    table = as_array(X) if isinstance(X, (list, tuple)) else X
    if is_time(getattr(table, "dtype", None)):
        return True
    return isinstance(table, np.ndarray) and holds_dates(table)


def is_time(dtype):
    """Whether a dtype is one of dates, times or spans of time."""
    if hasattr(dtype, "is_temporal"):
        return dtype.is_temporal()
    return getattr(dtype, "kind", None) in ("m", "M")


def holds_dates(values):
    """Whether there is a date, a time or a span of time among objects."""
    values = np.asarray(values).ravel()
    kinds = set(map(type, values)) if values.dtype.kind == "O" else ()
    return any(issubclass(kind, DATES) for kind in kinds)


def column_advice(X):
    """Name the columns of texts, dates, other objects, gaps and infinity: what to do.

    Parameters
    ----------
    X : dataframe, list of lists or ndarray of two dimensions
        The table.

    Returns
    -------
    list of str
        A sentence for each kind of columns that there are; none for what is no table.
    """
    is_frame = hasattr(X, "columns")
    table = X if is_frame or hasattr(X, "shape") else as_array(X)
    if len(table.shape) != 2 or hasattr(table, "nnz"):
        return []
    found = {kind: [] for kind in ADVICE}
    for name, values in named_columns(table):
        if values.dtype.kind in "mM" or holds_dates(values):
            found["dates"].append(name)
        elif values.dtype.kind in "OUT" and any(map(is_word, values)):
            found[kind_of_texts(values)].append(name)
        elif values.dtype.kind in "OSV" and not all(map(is_number, values)):
            found["others"].append(name)
        if has_gaps(values):
            found["gaps"].append(name)
        if values.dtype.kind == "f" and np.isinf(values).any():
            found["infinite"].append(name)
    return [
        f"Columns {shortened(names)} {ADVICE[kind]}"
        for kind, names in found.items()
        if names
    ]


def is_series(X):
    """Whether a column is a series of pandas or polars, which steps may read as one."""
    is_polars = type(X).__module__.partition(".")[0] == "polars"
    return (hasattr(X, "iloc") or is_polars) and not hasattr(X, "columns")


def text_advice(X):
    """Say what to do about texts, or pairs of them, where numbers are needed.

    Parameters
    ----------
    X : sequence of texts, or array-like of shape (n_samples, 2)

    Returns
    -------
    str
        Sentences, of texts that are numbers and of frames; of others none.
    """
    values = np.asarray(X, dtype=object)
    if all(map(is_number, values.ravel())):
        column = ".reshape(-1, 1)" if values.ndim == 1 else ""
        return f"If these are numbers, pass np.asarray(X, dtype=float){column}."
    return " ".join(column_advice(X)) if hasattr(X, "columns") else ""


def named_columns(table):
    """Yield the columns of a table as arrays, with their names or positions."""
    is_frame = hasattr(table, "columns")
    for name in list(table.columns) if is_frame else range(table.shape[1]):
        column = table[name] if is_frame else table[:, name]
        values = np.asarray(column)
        if values.ndim > 1 and is_series(column):  # of arrays, as polars has them
            values = np.fromiter(values.tolist(), dtype=object)
        yield name, values.ravel()


def warn_of_target(X, y, names):
    """Warn of columns of a frame that are the labels or targets of its rows.

    Parameters
    ----------
    X : dataframe
        The training rows.
    y : array-like
        Their labels or targets.
    names : list
        Of the columns that count.

    Warns
    -----
    UserWarning
        If there are such columns, and ten rows or more.
    """
    if len(y) < FEWEST:
        return
    y, same = np.ravel(np.asarray(y)), []
    for name in names:
        values = np.asarray(X[name])  # of two columns of one name it has two axes
        # Some first: most columns are others.
        if all(_are_same(values[:n], y[:n]) for n in (FEWEST, None)):
            same.append(name)
    if same:
        warn_caller(
            f"X has columns {shortened(same)} that are the same as y in every row, so "
            "that y is predicted from itself; pass X without them."
        )


def _are_same(values, y):
    """Whether two arrays hold the same numbers, or other things of the same names."""
    are_numbers = all(part.dtype.kind in "biuf" for part in (values, y))
    return np.array_equal(
        *(p.astype(float if are_numbers else str) for p in (values, y))
    )


def missing_dates(table):
    """Name the columns of dates, times or spans of time some of which are missing."""
    if not hasattr(table, "columns") and table.dtype.kind not in "mMO":
        return []
    return [name for name, values in named_columns(table) if _has_missing_dates(values)]


def _has_missing_dates(values):
    """Whether some values of a column are NaT, that of numpy or that of pandas."""
    if values.dtype.kind in "mM":
        return bool(np.isnat(values).any())
    is_object = values.dtype.kind == "O"  # as of dates with a time zone
    return is_object and any(type(value).__name__ == "NaTType" for value in values)


def shortened(names):
    """Write the first names of columns, and how many more there are; none: nothing."""
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return f"{names[:N_NAMED]}{more}" if names else ""


def as_array(rows):
    """Return a list of rows as an array that keeps its values, () if it is ragged."""
    is_typed = all(hasattr(row, "dtype") for row in rows)
    try:
        return np.array(rows, dtype=None if is_typed else object)
    except ValueError:
        return np.empty(())


def is_word(value):
    """Whether a value is a text other than that of a number."""
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def kind_of_texts(values):
    """Tell texts of dates, and those among numbers, from others."""
    if are_date_texts(values):
        return "days"
    present = [value for value in values if not is_missing(value)]
    n_numbers = sum(map(is_number, present))
    return "mixed" if 2 * n_numbers > len(present) else "texts"


def are_date_texts(values):
    """Whether all values, but for missing ones, are texts of dates."""
    return all(
        DATE_TEXT.match(value) if isinstance(value, str) else is_missing(value)
        for value in values
    )


def is_number(value):
    """Whether a value is one that `float` takes; missing ones are."""
    try:
        float(value)
    except (TypeError, ValueError):
        return is_missing(value)
    return True


def has_gaps(values):
    """Whether a column has missing values."""
    if values.dtype.kind in "fc":
        return bool(np.isnan(values).any())
    if values.dtype.kind in "mM":
        return bool(np.isnat(values).any())
    return values.dtype.kind == "O" and any(map(is_missing, values))


def is_missing(value):
    """Whether a value is None, NaN or a pandas NA or NaT."""
    if value is None or hasattr(value, "__len__"):
        return value is None
    try:
        return str(value == value) != "True"  # NA == NA is neither True nor False
    except ArithmeticError:  # a signalling NaN
        return True
