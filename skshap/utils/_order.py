"""Whether there are labels of rows, in their order by the indices of pandas."""

from collections import Counter

import numpy as np

from skshap.utils._rows import check_several
from skshap.utils._warn import warn_caller

__all__ = ["check_entries", "check_order", "named_rows"]


def check_order(X, y, names=("X", "y")):
    """Raise if labels are a single value, or, by their indices, in another order.

    Indices of other names say nothing of which row is whose. One that only numbers its
    rows may have been reset, so that there is a warning only, as where only some of the
    names are others.

    Parameters
    ----------
    X : rows
        As the user passed them.
    y : array-like or None
        Their labels, as the user passed them.
    names : tuple of (str, str), default=("X", "y")
        Of the two, in messages.

    Raises
    ------
    ValueError
        If labels are a single text or number, or if both are of pandas and their
        indices hold the same names, each as often, in another order.

    Warns
    -----
    UserWarning
        If so, but one of them only numbers its rows; or if some of the names are the
        same, and others not, unless `X` only numbers its rows, as one that was made of
        another table does.
    """
    if names[1] == "y":  # groups have a message of their own
        check_several(y)
    if not (hasattr(X, "iloc") and hasattr(y, "iloc")):
        return
    index, other = X.index, y.index
    if len(index) != len(other) or index.equals(other):
        return
    rows, labels = names
    if index.nlevels != other.nlevels:
        index, other = index.to_flat_index(), other.to_flat_index()
    if any(hasattr(part, "closed") for part in (index, other)):
        # Names are equal or not: an index of intervals finds what lies inside of them.
        index, other = index.astype(object), other.astype(object)
    index, other = hashable(index), hashable(other)
    if not (index.is_unique and other.is_unique):
        is_moved = any(a != b for a, b in zip(index, other, strict=True))
        if is_moved and Counter(index) == Counter(other):
            raise ValueError(
                f"{labels} must be in the order of {rows}, but its index has the names "
                f"of that of {rows} in another order, some of them more than once. "
                "Number rows, by reset_index(drop=True), before their order is "
                f"changed, or pass {labels}.to_numpy() if the order is right."
            )
        return
    places = index.get_indexer(other)  # -1 for a name that is not there
    is_moved = places != np.arange(len(index))
    may_be_reset = is_reset(index) or is_reset(other)
    n_others = int((places < 0).sum())
    taken = " The order is taken, since an index that counts up may be a new one."
    if 0 < n_others < len(index) and not is_reset(index):
        message = (
            f"{n_others} of {len(index)} names in the index of {labels} are not in "
            f"that of {rows}; rows and entries are matched by their order. Pass "
            f"{labels}.loc[{rows}.index], from all of {labels}, if names tell which "
            f"entry is whose, or {labels}.to_numpy() if the order does."
        )
        warn_caller(message + taken if may_be_reset else message)
    if is_moved.any() and places.min() >= 0:
        row = int(is_moved.argmax())
        name, label = (part[[row]].tolist()[0] for part in (index, other))
        message = (
            f"{labels} must be in the order of {rows}, but its index has the names of "
            f"that of {rows} in another order: row {row} is {name!r} in {rows} "
            f"and {label!r} in {labels}. Pass {labels}.loc[{rows}.index] if the "
            f"names tell which entry of {labels} is whose, or {labels}.to_numpy() if "
            "the order does."
        )
        if not may_be_reset:
            raise ValueError(message)
        warn_caller(message + taken)


def named_rows(X, y, names=("X", "y")):
    """Return rows, or their labels if only these have names, and what it is called."""
    has_names = hasattr(X, "iloc") and not (hasattr(y, "iloc") and is_reset(X.index))
    return (X, names[0]) if has_names else (y, names[1])


def check_entries(entries, name, X, y):
    """Raise if entries are in another order than their rows, by `check_order`.

    Parameters
    ----------
    entries : array-like or None
        One for each row, such as weights.
    name : str
        Of them, in messages.
    X : rows
    y : array-like or None
        Labels: what entries are compared with where rows have no names.
    """
    rows, of = named_rows(X, y)
    check_order(rows, entries, (of, name))


def hashable(index):
    """Return an index, by the texts of its names if these are lists or the like."""
    try:
        hash(tuple(index))
    except TypeError:
        return index.map(repr)
    return index


def is_reset(index):
    """Whether an index of pandas only numbers its rows, as without any of its own."""
    numbers = (getattr(index, name, None) for name in ("start", "step"))
    return tuple(numbers) == (0, 1)
