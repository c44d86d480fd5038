"""Texts and pairs of texts among what users pass as rows."""

from collections.abc import Iterator, Mapping, Set, ValuesView
from itertools import filterfalse

import numpy as np

from skshap.utils._columns import is_missing
from skshap.utils._rows import check_unmasked

__all__ = ["NO_ROWS", "check_collected", "check_text", "is_text"]

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
    if isinstance(X, (Mapping, Set, ValuesView, Iterator, bytes)) and not is_table:
        raise ValueError(f"{NO_ROWS}, got {type(X).__name__}.")
    is_array = hasattr(X, "__len__") and not hasattr(X, "nnz")
    if not is_array or getattr(X, "shape", None) == () or len(X) == 0:
        return False
    is_list = isinstance(X, (list, tuple))
    if hasattr(X, "columns") and X.shape[1] > 2:  # no pairs
        return False
    if not is_list:
        X = X.to_numpy() if hasattr(X, "to_numpy") else array_of(X)
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


def array_of(X):
    """Return rows as an array; raise if they do not become one, as some tensors."""
    try:
        return np.asarray(X)
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"X must be an array, but this {type(X).__name__} cannot be made one: "
            f"{error}"
        ) from error


def check_collected(X):
    """Raise if a table is not in memory yet, as a LazyFrame of polars, or of pyarrow.

    Columns of the latter have neither names nor types of numpy.
    """
    if hasattr(type(X), "collect"):
        raise ValueError(
            f"X must hold its rows, but a {type(X).__name__} has yet to compute them; "
            "pass X.collect()."
        )
    if hasattr(X, "column_names") and hasattr(X, "to_pandas"):
        raise ValueError(
            f"X must be a dataframe or an array, but is a {type(X).__name__} of "
            f"{type(X).__module__.split('.')[0]}; pass X.to_pandas()."
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
        If an element is not a `str`, is empty, blank or masked, or rows differ in kind.
    """
    check_unmasked(X)
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
        # The text itself, also of a member of an Enum, which `str` names.
        plain = tuple(map(str.__str__, parts))
        texts.append(plain if is_pairs else plain[0])
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
