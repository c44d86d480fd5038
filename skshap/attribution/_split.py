"""An attributor on a part of its training rows, without its kernel computed again."""

from copy import copy
from pathlib import Path

import numpy as np

from skshap.attribution._checkpoint import is_folder

__all__ = ["split_attributor"]


def split_attributor(attributor, split, number, n_splits):
    """Return an attributor of a part of its training rows, to be evaluated on another.

    Nothing is fitted: values need no ridge trained on all rows, and coalitions of a
    part have a factor where those of all rows do.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted on all rows, of labels that the part has too. Its kernel serves for every
        part; it knows no labels.
    split : (ndarray, ndarray)
        Positions of the rows trained on, and of the rows evaluated on.
    number, n_splits : int
        Which of how many splits it is, from 0 on: for progress bars, and for
        `checkpoint`, where "values.npz" becomes "values-0.npz" and so on. In a folder
        files have names of their own. Each split has permutations of its own, so that
        errors of sampling are independent.

    Returns
    -------
    part : FreeShapAttributor
        For `attribute` alone.
    M_test : ndarray
        The rows evaluated on, as `attribute` of the part takes them.
    """
    train, test = split
    kernel, seed = attributor._training_kernel, attributor._seed
    part = copy(attributor)  # with all that a subclass has beside its parameters
    part._training_kernel = kernel.part(train)
    part._y = attributor._y[train]
    part.null_score_ = part._null(part._scoring)
    part._named_rows = None, "X_train"
    part._map = lambda M: M  # from rows to kernel values, which are known
    part._names_of_own = None  # copies on both sides are no choice of the user's
    entropy = np.random.SeedSequence([seed, number])
    part._drawn_seed = int(entropy.generate_state(1)[0])
    part._task = f"split {number + 1} of {n_splits}, "
    if attributor.checkpoint is not None and not is_folder(attributor.checkpoint):
        path = Path(attributor.checkpoint)
        part.checkpoint = path.with_name(f"{path.stem}-{number}{path.suffix}")
    M_test = kernel.values[test]
    return part, M_test if kernel.is_explicit else M_test[:, train]
