"""How values are estimated: the parameters of sampling, their checks and their use."""

import os
from numbers import Integral, Real
from typing import NamedTuple

from skshap.attribution._checkpoint import check_path
from skshap.attribution._samplers import SAMPLERS
from skshap.attribution._stopping import check_tol
from skshap.utils._sklearn import Interval, StrOptions

__all__ = ["METHOD_CONSTRAINTS", "Method", "check_method", "read_method"]

METHOD_CONSTRAINTS = {
    "sampler": [StrOptions(set(SAMPLERS))],
    "n_permutations": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="neither"), tuple, None],
    "truncation_tol": [Interval(Real, 0, None, closed="left"), None],
    "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
    "checkpoint": [str, os.PathLike, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class Method(NamedTuple):
    """How values are estimated; see :class:`skshap.FreeShapAttributor`.

    Attributes
    ----------
    is_seeded : bool
        Whether the seed is the user's, so that a checkpoint of another is refused.
    task : str
        What the progress bar says first, as "split 1 of 5, ".
    """

    sampler: str
    n_permutations: int
    tol: object
    truncation_tol: float | None
    n_jobs: int | None
    checkpoint: object
    is_seeded: bool
    verbose: int
    task: str


def check_method(attributor):
    """Check what the table of constraints cannot.

    Raises
    ------
    ValueError
        If `tol` is no stopping rule, `checkpoint` is no path, or `truncation_tol` meets
        another sampler than the one that it is of.
    """
    check_path(attributor.checkpoint)
    check_tol(attributor.tol)
    truncation_tol, sampler = attributor.truncation_tol, attributor.sampler
    if truncation_tol is not None and sampler != "permutation":
        raise ValueError(
            f"truncation_tol={truncation_tol} ends permutations of "
            f"sampler='permutation', not of sampler={sampler!r}; set it to None, or "
            "use tol to stop once errors are small."
        )


def read_method(attributor):
    """Return the `Method` that an attributor's parameters ask for."""
    return Method(
        sampler=attributor.sampler,
        n_permutations=attributor.n_permutations,
        tol=attributor.tol,
        truncation_tol=attributor.truncation_tol,
        n_jobs=attributor.n_jobs,
        checkpoint=attributor.checkpoint,
        is_seeded=attributor.random_state is not None,
        verbose=attributor.verbose,
        task=attributor._task,
    )
