"""The samplers by name, and what plans, estimates, costs and runs ask of them."""

from skshap.attribution._permutations import Permutations
from skshap.attribution._sweep import Sweep

__all__ = ["SAMPLERS", "make_sampler"]

# None enumerates all coalitions. Each other has a `game`, a `problem` and `options`,
# such that ``type(sampler)(game, **options)`` is the same again, as in a worker. A
# draw is ``start()``, which is not random, and for each of its `parts`, a sequence,
# the ``run(t, part)`` of its index. ``state()`` is what a checkpoint holds, from which
# ``resumed(seed, state)`` goes on. ``flops()`` and ``count_floats()`` say what a draw
# takes; `MEASURES` of `_cost.py` times it. A class says by itself
# - `draws`: what they are called;
# - `parameters`: of an attributor, those that it takes besides game and problem;
# - `has_inverse`: whether the game is to have its inverse, of which leave-one-out
#   values come exactly, without draws;
# - `gives_way`: whether few groups are enumerated instead where that takes less work;
# - `is_adaptive`: whether it has `profile` and `usual`, and what `adapted` asks for;
#   scores that other schedules suit are then sampled by themselves;
# - `runs_together`: whether `run_together` computes its parts where rows are few.
SAMPLERS = {"sweep": Sweep, "permutation": Permutations, "exact": None}


def make_sampler(kind, game, problem, method):
    """Return a sampler of a game.

    Parameters
    ----------
    kind : type
        Of `SAMPLERS`.
    game : KernelGame or FeatureGame
    problem : Problem
    method : Method

    Returns
    -------
    Sweep or Permutations
    """
    options = {name: getattr(method, name) for name in kind.parameters}
    return kind(game, problem, **options)
