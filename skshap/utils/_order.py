"""Whether there are labels of rows, in their order by the indices of pandas."""

import numpy as np

from skshap.utils._rows import check_several
from skshap.utils._warn import warn_caller

__all__ = ["check_order"]


def check_order(X, y, names=("X", "y")):
    """Raise if labels are a single value, or, by their indices, in another order.

    Indices of other names say nothing of which row is whose. One that only numbers its
    rows may have been reset, so that there is a warning only.

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
        indices, without duplicates, hold the same names in another order.

    Warns
    -----
    UserWarning
        If so, but one of them only numbers its rows.
    """
    if names[1] == "y":  # groups have a message of their own
        check_several(y)
    if not (hasattr(X, "iloc") and hasattr(y, "iloc")):
        return
    index, other = X.index, y.index
    if len(index) != len(other) or index.equals(other):
        return
    if not (index.is_unique and other.is_unique):
        return
    places = index.get_indexer(other)  # -1 for a name that is not there
    is_moved = places != np.arange(len(index))
    if is_moved.any() and places.min() >= 0:
        rows, labels = names
        row = int(is_moved.argmax())
        name, label = (part[[row]].tolist()[0] for part in (index, other))
        message = (
            f"{labels} must be in the order of {rows}, but its index has the names of "
            f"that of {rows} in another order: row {row} is {name!r} in {rows} "
            f"and {label!r} in {labels}. Pass {labels}.loc[{rows}.index] if the "
            f"names tell which entry of {labels} is whose, or {labels}.to_numpy() if "
            "the order does."
        )
        if not (is_reset(index) or is_reset(other)):
            raise ValueError(message)
        message += (
            " The order is taken, since an index that counts up may be a new one."
        )
        warn_caller(message)


def is_reset(index):
    """Whether an index of pandas only numbers its rows, as without any of its own."""
    numbers = (getattr(index, name, None) for name in ("start", "step"))
    return tuple(numbers) == (0, 1)
