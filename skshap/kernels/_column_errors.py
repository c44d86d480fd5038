"""What to say when parameters of a `ColumnKernel` or the columns it reads are wrong."""

import re
from contextlib import contextmanager

import numpy as np

from skshap.kernels._base import is_precomputed
from skshap.kernels._features import last_step
from skshap.kernels._pairwise import check_name
from skshap.utils._columns import ADVICE, column_advice

__all__ = [
    "check_kernel",
    "check_kernel_weights",
    "check_triples",
    "noted",
]

# What messages have in common, on one dimension where two are wanted, on texts where
# numbers are, on what is no text, on missing values, and on all that are no numbers.
FLAT = "2D array|2D input|2-dimensional|two dimensions"
WORDS = "non-numeric|string to float|works on numbers"
NO_TEXT = "invalid document|object has no attribute"
GAPS = "NaN|NaT|missing|infinity|numbers"
DATA = f"{GAPS}|dtype|DType|convert|float|date"


def check_triples(kernels):
    """Raise if a parameter `kernels` is not made of names, kernels and columns."""
    if not kernels or not all(
        isinstance(item, tuple) and len(item) == 3 and isinstance(item[0], str)
        for item in kernels
    ):
        raise ValueError(
            "kernels must be a list of at least one tuple (name, kernel, columns), "
            f"got {kernels!r}."
        )
    for name, kernel, columns in kernels:
        if hasattr(columns, "fit"):
            raise ValueError(
                "kernels must be tuples (name, kernel, columns), but that of kernel "
                f"{name!r} has {kernel!r} and then {columns!r}; swap the two."
            )


def check_kernel(name, kernel):
    """Raise if a kernel, or the last step of a pipeline, is none."""
    last = last_step(kernel)
    is_kernel = hasattr(last, "fit_transform") and hasattr(last, "diag")
    is_vector_kernel = isinstance(last, str) or callable(last)
    if is_precomputed(last) or not (is_kernel or is_vector_kernel):
        what = "ends in" if last is not kernel else "is"
        raise ValueError(
            f"kernel {name!r} {what} {last!r}, which is none; use a name such "
            "as 'rbf', a callable, an object with fit, fit_transform, transform"
            " and diag such as EmpiricalNTK or PairwiseKernel, or a pipeline "
            "that ends in one."
        )
    check_name(last)


def check_kernel_weights(weights, names):
    """Return the weights of named kernels as an array; ones for None."""
    n = len(names)
    index = [*weights.index] if hasattr(weights, "iloc") else []
    if index != names and not {*index}.isdisjoint(names):
        raise ValueError(
            f"weights go by the order of kernels, {names}, but their index is {index}; "
            f"pass weights.loc[{names}]."
        )
    checked = np.ones(n) if weights is None else np.asarray(weights)
    is_valid = checked.shape == (n,) and checked.dtype.kind in "iuf"
    with np.errstate(over="ignore"):
        is_valid = is_valid and (checked >= 0).all() and 0 < checked.sum() < np.inf
    if not is_valid:
        raise ValueError(
            f"weights must be one number a kernel, here {n}, none of them negative, "
            f"not all zero, and with a finite sum, got {weights!r}."
        )
    return checked


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
        if isinstance(error, (TypeError, ValueError, AttributeError)):
            message = str(error)
            hints = [*_brackets(message, columns), *_missing_texts(message, part)]
            if is_single(columns) and re.search(WORDS, message):
                part = part.to_frame() if hasattr(part, "to_frame") else part
            if re.search(DATA, message) and (advice := column_advice(part)):
                if not re.search(GAPS, message):  # a step may fill what is missing
                    gaps = ADVICE["gaps"]
                    advice = [a for a in advice if not a.endswith(gaps)] or advice
                # By names, in place of that by what a step before made of the columns,
                # of the same kinds: it may have encoded others.
                kinds = tuple(what for what in ADVICE.values() if what in message)
                same = [hint for hint in advice if hint.endswith(kinds)]
                message = message.split(" Columns [")[0]
                hints += same or advice
        if hints:
            end = "" if message.endswith((".", "!", "?")) else "."
            said = [message + end, *(hint for hint in hints if hint not in message)]
            raise ValueError(
                f"kernel {name!r} cannot read columns {columns!r}: {' '.join(said)}"
            ) from error
        if type(error) is ValueError:
            raise ValueError(
                f"kernel {name!r} fails on columns {columns!r}: {error}"
            ) from error
        error.add_note(f"This comes from kernel {name!r} on columns {columns!r}.")
        raise


def _missing_texts(message, part):
    """Say which rows of a column of texts have none, where a step fails for that."""
    if len(part.shape) != 1 or not re.search(NO_TEXT, message):
        return
    missing = [row for row, text in enumerate(part) if not isinstance(text, str)]
    if 0 < len(missing) < len(part):
        yield (
            f"The column has no text in {len(missing)} rows, the first of them row "
            f"{missing[0]}: drop these rows, or fill them, as with fillna('')."
        )


def is_single(columns):
    """Whether columns are one that is named without brackets."""
    return isinstance(columns, (str, int, np.integer))


def _brackets(message, columns):
    """Say that brackets around a column are missing, or too many."""
    if is_single(columns) and re.search(f"{FLAT}|{WORDS}", message):
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
