"""The plan of a computation: by which game, and whether to enumerate or to sample."""

from typing import NamedTuple

import numpy as np

from skshap.attribution._enumeration import LARGEST_GAME, enumeration_flops
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._sweep import Sweep

__all__ = ["Plan", "make_plan", "make_sampler", "needs_draws", "sampled_part"]

LARGEST_CONDITION = 1e6  # of features, for values by them to be exact to 1e-5
ITERATIONS = 20  # of the power method
USUAL_DRAWS = 100  # that the work of setting up a game is spread over


class Plan(NamedTuple):
    """How values are computed.

    Attributes
    ----------
    kind : type
        KernelGame or FeatureGame.
    is_enumerated : bool
        Whether all coalitions are looked at.
    """

    kind: type
    is_enumerated: bool


def make_plan(data, problem, method):
    """Choose between a game by kernel and one by features, and whether to enumerate.

    Parameters
    ----------
    data : Data
    problem : Problem
    method : Method

    Returns
    -------
    Plan
        Enumeration for "exact", and for sweeps of few groups that take more work. The
        game is that of less work, where there are features and they are
        well-conditioned; of samplers it does not depend on the number of permutations,
        so that a checkpoint may go on with more of them.

    Raises
    ------
    ValueError
        If "exact" is asked of too many players.
    """
    kinds, n = [KernelGame], data.n_players
    # By features, rounding grows with the square of the condition.
    if data.is_explicit:
        limit = LARGEST_CONDITION * data.alpha
        if largest_eigenvalue(data.rows) <= limit:
            kinds.insert(0, FeatureGame)
    is_exact = method.sampler == "exact"
    if is_exact and n > LARGEST_GAME:
        raise ValueError(
            f"sampler='exact' enumerates the coalitions of at most {LARGEST_GAME} "
            f"players, but there are {n}; use sampler='sweep'."
        )
    is_sweep_of_few = (
        method.sampler == "sweep"
        and data.groups is not None
        and n <= LARGEST_GAME
        and not problem.is_loo.all()
    )
    if is_exact or is_sweep_of_few:
        by_all = {kind: enumeration_work(data, problem, kind) for kind in kinds}
        least = min(by_all, key=by_all.get)
        if is_exact:
            return Plan(least, True)
    setup, draw = {}, {}
    for kind in kinds:
        setup[kind], draw[kind] = sampling_work(data, problem, method, kind)
    kind = min(kinds, key=lambda kind: setup[kind] + USUAL_DRAWS * draw[kind])
    sampled = setup[kind] + method.n_permutations * draw[kind]
    if is_sweep_of_few and by_all[least] <= sampled:
        return Plan(least, True)
    return Plan(kind, False)


def needs_draws(data, problem, method):
    """Whether values are sampled, but for those that are known exactly."""
    is_sampled = len(sampled_part(problem, method).weights) > 0
    return is_sampled and not make_plan(data, problem, method).is_enumerated


def enumeration_work(data, problem, kind):
    """Count the operations of looking at all coalitions."""
    work = enumeration_flops(data.outline(kind), problem)
    if data.is_explicit and kind is KernelGame:
        n, d = data.rows.shape
        work += 2 * n * d * (n + len(data.cross))
    return work


def sampling_work(data, problem, method, kind):
    """Count the operations before any draw, and those of a draw."""
    outline, setup, draw = data.outline(kind), 0.0, 0.0
    if method.sampler == "sweep":
        fixed, by_row = outline.walk_flops(outline.to_everyone)
        setup += (fixed + len(data.cross) * by_row).sum() + outline.setup_flops()
    sampled = sampled_part(problem, method)
    if len(sampled.weights):
        draw += make_sampler(outline, sampled, method).flops()
    return setup, draw


def largest_eigenvalue(F):
    """Estimate the largest eigenvalue of ``F F'``, from below, by power iteration."""
    v = np.random.default_rng(0).normal(size=F.shape[1])
    for _ in range(ITERATIONS):
        v = F.T @ (F @ (v / np.linalg.norm(v)))
        if not v.any():
            break
    return float(np.linalg.norm(v))


def sampled_part(problem, method):
    """Return the problem of those semivalues that need draws."""
    if method.sampler != "sweep":
        return problem
    return problem._replace(weights=problem.weights[~problem.is_loo])


def make_sampler(game, problem, method):
    """Return the sampler of a game."""
    if method.sampler == "sweep":
        return Sweep(game, problem)
    return Permutations(game, problem, method.truncation_tol)
