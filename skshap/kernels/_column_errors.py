"""What to say when a kernel cannot read its columns."""

import re
from contextlib import contextmanager

import numpy as np

from skshap.utils._validation import is_missing

__all__ = ["noted"]

# What messages on values that are no numbers have in common.
DATA = "NaN|NaT|missing|infinity|dtype|convert|float|date|numbers"


@contextmanager
def noted(name, columns, part):
    """Say of what is raised inside which kernel it comes from, and what may mend it.

    Parameters
    ----------
    name : str
        Of the kernel.
    columns : object
        What was said to select its columns.
    part : dataframe, series or ndarray
        These columns.
    """
    try:
        yield
    except Exception as error:
        hints = []
        if isinstance(error, (TypeError, ValueError)):
            hints = [*_brackets(str(error), columns), *_suspects(str(error), part)]
        if hints:
            raise ValueError(
                f"kernel {name!r} cannot read columns {columns!r}: {error} "
                + " ".join(hints)
            ) from error
        error.add_note(f"This comes from kernel {name!r} on columns {columns!r}.")
        raise


def _brackets(message, columns):
    """Say that brackets around a column are missing, or too many."""
    is_single = isinstance(columns, (str, int, np.integer))
    if is_single and re.search("2D array|2D input|2-dimensional", message):
        yield (
            "A column without brackets is read as one-dimensional, as texts are; for "
            f"numbers and categories write [{columns!r}]."
        )
    is_list = isinstance(columns, list) and not any(
        isinstance(c, bool) for c in columns
    )
    if is_list and len(columns) == 1 and "has 1 columns" in message:
        yield (
            "Brackets make a table, and texts are read from a single column; write "
            f"{columns[0]!r} without brackets."
        )


def _suspects(message, part):
    """Name the columns of a table with missing values, and those with dates."""
    if len(part.shape) < 2 or not re.search(DATA, message):
        return
    is_frame = hasattr(part, "columns")
    names = list(part.columns) if is_frame else range(part.shape[1])
    missing, dates = [], []
    for name in names:
        values = np.asarray(part[name] if is_frame else part[:, name])
        if values.dtype.kind in "Mm":
            dates.append(name)
        elif any(map(is_missing, values.ravel())):
            missing.append(name)
    if missing:
        yield f"Columns {missing} have missing values: fill them, or drop the rows."
    if dates:
        yield (
            f"Columns {dates} hold dates: turn them into numbers, as with skrub's "
            "TableVectorizer in front of the kernel."
        )
