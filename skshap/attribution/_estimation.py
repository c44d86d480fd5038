"""The choice of how values are computed: by which game, exactly or by which sampler."""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skshap.attribution._checkpoint import Checkpoint, digest
from skshap.attribution._enumeration import (
    LARGEST_GAME,
    enumerate_coalitions,
    enumeration_flops,
)
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._leave_one_out import leave_one_out_values
from skshap.attribution._moments import SMALLEST_SAMPLE, Estimate, StoppingRule
from skshap.attribution._permutations import Permutations
from skshap.attribution._problem import PLAYERS
from skshap.attribution._running import Run
from skshap.attribution._sweep import Sweep
from skshap.utils._describe import describe
from skshap.utils._threads import at_most
from skshap.utils._warn import warn_caller

__all__ = [
    "estimate_values",
    "make_plan",
    "make_sampler",
    "n_threads",
    "sampled_part",
]

LARGEST_CONDITION = 1e6  # of features, for values by them to be exact to 1e-5
ITERATIONS = 20  # of the power method
FEW_ROWS = 500  # one thread is the fastest, most of all where cores are busy
USUAL_DRAWS = 100  # that the work of setting up a game is spread over
FORMAT = 3  # of checkpoints; another one for draws that differ


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


def n_threads(data):
    """Return how many threads are of use: of few rows, threads wait for each other."""
    return 1 if len(data.rows) <= FEW_ROWS else torch.get_num_threads()


def estimate_values(data, problem, method):
    """Compute the values of players.

    Parameters
    ----------
    data : Data
        What coalitions are trained on.
    problem : Problem
        What is estimated.
    method : Method
        How.

    Returns
    -------
    Estimate
        Of shape (n_semivalues, n_scorings, n_players), or (n_semivalues, n_scorings, m,
        n_players) if values are kept by the row scored.
    """
    plan = make_plan(data, problem, method)
    with at_most(n_threads(data)):
        estimate = _estimate(data, problem, method, plan)
    return _arrange(problem, *estimate)


def _estimate(data, problem, method, plan):
    """Follow a plan; return values and standard errors."""
    game = data.game(plan.kind)
    if plan.is_enumerated:
        values = enumerate_coalitions(game, problem, verbose=method.verbose)
        return values.cpu().numpy(), 0.0
    if method.sampler == "permutation":
        return _run(data, game, problem, method)
    game, is_loo = game.with_inverse(), problem.is_loo
    if not is_loo.any():
        return _run(data, game, problem, method)
    shape = problem.shape(data.n_players)
    values, errors = np.empty(shape), np.zeros(shape)
    values[is_loo] = leave_one_out_values(game, problem).cpu().numpy()
    if not is_loo.all():
        rest = sampled_part(problem, method)
        values[~is_loo], errors[~is_loo] = _run(data, game, rest, method)
    return values, errors


def _run(data, game, problem, method):
    """Estimate by sampling; return values and standard errors."""
    sampler = make_sampler(game, problem, method)
    if not sampler.parts:  # a single player: all there is is the empty coalition
        return Estimate(sampler.start().cpu().numpy(), 0.0)
    identity = (
        "" if method.checkpoint is None else _identify(data, game, problem, method)
    )
    run = Run(
        sampler,
        n_draws=method.n_permutations,
        rule=StoppingRule(method.tol, PLAYERS),
        checkpoint=Checkpoint(method.checkpoint, identity),
        n_jobs=method.n_jobs,
        verbose=method.verbose,
        task=method.task,
    )
    estimate, is_met = run.estimate(is_seeded=method.is_seeded)
    if not is_met:
        why = (
            f"was not reached in n_permutations={method.n_permutations}; the largest "
            f"standard error is {estimate.standard_error.max():.2g}. Raise "
            "n_permutations, or ask for less."
        )
        if method.n_permutations < SMALLEST_SAMPLE:
            why = (
                f"is not looked at before {SMALLEST_SAMPLE} permutations, when errors "
                f"can be trusted; raise n_permutations={method.n_permutations}."
            )
        warn_caller(
            f"tol={method.tol!r} {why}",
            ConvergenceWarning,
        )
    return estimate


def _identify(data, game, problem, method):
    """Digest what values depend on, but for the seed and the number of draws."""
    scores = [
        (type(u).__name__, describe(getattr(u, "scoring", None)))
        for u in problem.utilities
    ]
    groups = () if data.groups is None else (data.groups,)
    return digest(
        data.rows,
        data.cross,
        data.targets,
        *groups,
        problem.utilities[0].y.cpu().numpy(),
        problem.weights,
        (FORMAT, type(game).__name__, data.alpha, scores, problem.nulls),
        (problem.per_sample, method.sampler, method.truncation_tol),
    )


def _arrange(problem, values, errors):
    """Put training rows last; raise if a number is too large."""
    if not np.isfinite(values).all():
        raise ValueError(
            "values are too large for float64: scores of predictions overflow. Scale "
            "the targets, or raise alpha."
        )
    values, errors = np.broadcast_arrays(values, errors)
    if problem.per_sample:
        values, errors = (np.swapaxes(part, 2, 3) for part in (values, errors))
    return Estimate(np.ascontiguousarray(values), np.ascontiguousarray(errors))
