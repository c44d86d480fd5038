"""The samplers by name, and what plans, estimates, costs and runs ask of them."""

from skshap.attribution._permutations import Permutations
from skshap.attribution._sweep import Sweep

__all__ = ["SAMPLERS", "make_sampler"]

# None enumerates all coalitions. Each other has a `game`, a `problem` and `options`,
# such that ``type(sampler)(game, **options)`` is the same again, as in a worker. A
# draw is ``start()``, which is not random, and for each of its `parts`, a sequence,
# the ``run(t, part)`` of its index. ``state()`` is what a checkpoint holds, from which
# ``resumed(seed, state)`` goes on. ``flops()`` and ``count_floats()`` say what a draw
# takes, `_cost.py` times it, and `draws` is what they are called. Sweeps alone have the
# inverse of their game, of which leave-one-out values come exactly; give way to
# enumeration where that takes less work; are adapted by a pilot (`_allocation.py`),
# scores that other schedules suit by themselves; and run together (`_together.py`).
SAMPLERS = {"sweep": Sweep, "permutation": Permutations, "exact": None}


def make_sampler(kind, game, problem, method):
    """Return a sampler of a kind of `SAMPLERS`."""
    if kind is Permutations:
        return Permutations(game, problem, method.truncation_tol)
    return Sweep(game, problem)
