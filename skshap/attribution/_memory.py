"""Memory: what is alive at the peak of an estimate, from what its parts count.

Counts are of floats, of 8 bytes each, and of those that are ever written: a buffer
that is made but not touched takes no memory. Each stands beside what writes them.
"""

from skshap.attribution._enumeration import enumeration_floats
from skshap.attribution._leave_one_out import leave_one_out_floats
from skshap.attribution._running import STATE

__all__ = ["enumeration_bytes", "peak_bytes"]

# What an allocator keeps, at most, of buffers that are made anew again and again: as
# much as them, or 32 MiB.
KEPT = 1 << 22
LIBRARIES = 1 << 19  # numbers: what BLAS works in, and what else a process takes


def peak_bytes(data, game, problem, sampler, *, n_workers, is_inverted):
    """Count the bytes that an estimate takes at its peak.

    Parameters
    ----------
    data : Data
    game : KernelGame or FeatureGame
        Of the right shapes, without its inverse.
    problem : Problem
    sampler : Sweep, Permutations or None
        Of a game of the same shapes; None if nothing is sampled.
    n_workers : int
    is_inverted : bool
        Whether large coalitions are reached from all rows.

    Returns
    -------
    int
    """
    given = data.to_predict.size
    held = given + sum(array.size for array in game.arrays)
    meanwhile, afterwards = game.setup_floats() if is_inverted else (0, 0)
    setup, held = held + meanwhile, held + afterwards + LIBRARIES
    if sampler is None:  # nothing to share out among workers
        n_workers, floats = 1, leave_one_out_floats(game, problem)
    else:
        floats = sampler.count_floats()
    kept, passing, own = floats
    running = kept + passing + own
    if n_workers > 1 or not kept:  # a task finds no buffers of the one before
        running += min(kept + passing, KEPT)
    if n_workers > 1:
        # They share the arrays with each other, not with this process.
        running = held - given + n_workers * (running + LIBRARIES)
    running += STATE * problem.size
    return int(8 * max(setup, held + running))


def enumeration_bytes(data, game, problem):
    """Count the bytes that enumerating all coalitions takes at its peak."""
    held = data.to_predict.size + sum(array.size for array in game.arrays)
    return int(8 * (held + enumeration_floats(game, problem) + LIBRARIES))
