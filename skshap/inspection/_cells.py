"""What a row holds, of any kind of table or text: its cells, and their names."""

import numpy as np
from scipy.sparse import issparse

__all__ = ["cells_of", "column_name", "has_names"]


def has_names(X):
    """Whether rows have names in an index, other than their positions."""
    return hasattr(X, "iloc") and list(X.index) != list(range(len(X)))


def cells_of(X, i):
    """What row i of X holds, by the name of the column; "" names a text alone."""
    if hasattr(X, "columns"):
        if hasattr(X, "iloc"):  # a series of a row would make integers floats
            row = next(X.iloc[[i]].itertuples(index=False, name=None))
        else:
            row = X.row(i)
        cells = {}
        for name, value in zip(X.columns, row, strict=True):
            cells[free_name(str(name), cells)] = value
        return cells
    if issparse(X):
        row = X[[i]].tocoo()
        row.sum_duplicates()
        entries = zip(row.col, row.data, strict=True)
        return {f"x{place}": value for place, value in entries if value}
    row = X.iloc[i] if hasattr(X, "iloc") else X[i]
    is_array = isinstance(row, np.ndarray) and row.ndim == 1
    if is_array or isinstance(row, (list, tuple)):
        if all(isinstance(value, str) for value in row):  # a pair of texts
            return {" " * place: value for place, value in enumerate(row)}
        return {f"x{place}": value for place, value in enumerate(row)}
    return {"": row}


def column_name(name, taken):
    """Name of a column of the frame that is not among those taken."""
    name = f"text_{len(name)}" if name and not name.strip() else name or "text"
    while name in taken:
        name = f"X_{name}"
    return name


def free_name(name, taken):
    """Name of a column, with a number behind it if there is one of that name."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
