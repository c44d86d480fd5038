"""What to say when a kernel cannot read its columns."""

import re
from contextlib import contextmanager

import numpy as np

from skshap.utils._columns import column_advice

__all__ = ["noted"]

# What messages on values that are no numbers have in common.
DATA = "NaN|NaT|missing|infinity|dtype|DType|convert|float|date|numbers"


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
            message = str(error)
            hints = list(_brackets(message, columns))
            if re.search(DATA, message):
                hints += column_advice(part)
        if hints:
            said = [message, *(hint for hint in hints if hint not in message)]
            raise ValueError(
                f"kernel {name!r} cannot read columns {columns!r}: {' '.join(said)}"
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
