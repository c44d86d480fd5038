"""An attributor on a part of its training rows, without its kernel computed again."""

from copy import copy
from numbers import Integral
from pathlib import Path

__all__ = ["split_attributor"]


def split_attributor(attributor, y, split, number, n_splits):
    """Fit an attributor to a part of its training rows, to be judged on another part.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted on all rows. Its kernel serves for every part; it knows no labels.
    y : ndarray of shape (n,)
        Labels of all rows.
    split : (ndarray, ndarray)
        Positions of the rows trained on, and of the rows judged on.
    number, n_splits : int
        Which of how many splits it is, from 0 on: for progress bars, and for
        `checkpoint`, where "values.npz" becomes "values-0.npz" and so on. In a folder
        files have names of their own.

    Returns
    -------
    part : FreeShapAttributor
        Fitted, all parameters the same but for the kernel.
    X_test : ndarray
        The rows judged on, as `part` takes them.
    """
    train, test = split
    kernel = attributor._training_kernel
    rows, is_explicit = kernel.values, kernel.is_explicit
    part = copy(attributor)  # with all that a subclass has beside its parameters
    part.kernel = "linear" if is_explicit else "precomputed"
    part.kernel_params, part.alpha = None, attributor._alpha
    part._task = f"split {number + 1} of {n_splits}, permutations"
    if attributor.checkpoint is not None:
        path = Path(attributor.checkpoint).expanduser()
        if not path.is_dir():
            part.checkpoint = path.with_name(f"{path.stem}-{number}{path.suffix}")
    if not isinstance(attributor.random_state, Integral):
        part.random_state = attributor._seed  # whatever other splits draw
    columns = slice(None) if is_explicit else train
    part.fit(rows[train][:, columns], y[train])
    return part, rows[test][:, columns]
