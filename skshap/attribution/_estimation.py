"""The estimation of values by a plan: exactly, or by a sampler that is run."""

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skshap.attribution._checkpoint import Checkpoint, digest
from skshap.attribution._enumeration import enumerate_coalitions
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._leave_one_out import leave_one_out_values
from skshap.attribution._plan import make_plan, warn_of_matrix
from skshap.attribution._running import Run
from skshap.attribution._samplers import make_sampler
from skshap.attribution._stopping import SMALLEST_SAMPLE, StoppingRule
from skshap.attribution._sweep import Sweep
from skshap.utils._describe import describe
from skshap.utils._threads import at_most
from skshap.utils._warn import warn_caller

__all__ = ["estimate_values", "n_threads"]

ONE_THREAD = 500  # rows: one is the fastest, most of all where cores are busy
FORMAT = 8  # of checkpoints; another one for draws, or a digest, that differ


def n_threads(data):
    """Return how many threads are of use: of few rows, threads wait for each other."""
    return 1 if len(data.rows) <= ONE_THREAD else torch.get_num_threads()


def estimate_values(data, problem, method, *, with_errors=False):
    """Compute the values of players.

    Parameters
    ----------
    data : Data
        What coalitions are trained on.
    problem : Problem
        What is estimated.
    method : Method
        How.
    with_errors : bool, default=False
        Whether standard errors are asked for, which a single draw does not have.

    Returns
    -------
    values : ndarray
        Of shape (n_semivalues, n_scorings, n_players), or (n_semivalues, n_scorings, m,
        n_players) if values are kept by the row scored.
    errors : ndarray of the same shape
        Standard errors: NaN after a single permutation, zero if values are exact.

    Raises
    ------
    ValueError
        If errors are asked for of a single draw, or values or errors are too large.
    """
    plan = make_plan(data, problem, method)
    if with_errors and plan.runs and method.n_permutations < 2:
        raise ValueError(
            "return_std=True needs n_permutations of at least 2, got 1: one "
            "permutation has no standard error."
        )
    warn_of_matrix(data, problem, method, plan)
    with at_most(n_threads(data)):
        estimate = _estimate(data, problem, method, plan)
    return _arrange(problem, *estimate)


def _estimate(data, problem, method, plan):
    """Follow a plan; return values and standard errors."""
    game = data.game(plan.kind)
    if plan.is_enumerated:
        values = enumerate_coalitions(game, problem, verbose=method.verbose)
        return values.cpu().numpy(), 0.0
    if plan.sampler is Sweep:
        game = game.with_inverse()
    is_loo = plan.is_loo
    values, errors = np.zeros((2, *problem.shape))
    if is_loo.any():
        values[is_loo] = leave_one_out_values(game, problem).cpu().numpy()
    if plan.runs:
        others = problem._replace(weights=problem.weights[~is_loo])
        found = _sample(data, game, others, plan, method)
        values[~is_loo], errors[~is_loo] = found
    return values, errors


def _sample(data, game, problem, plan, method):
    """Estimate by sampling; return values and standard errors."""
    is_kept = method.checkpoint is not None
    identity = _identify(data, game, problem, method) if is_kept else ""
    seed = problem.seed if method.is_seeded else None
    checkpoint = Checkpoint(method.checkpoint, identity, seed)
    rule = StoppingRule(method.tol, problem.size)
    values, errors = np.empty((2, *problem.shape))
    task, n_runs = method.task, len(plan.runs)
    for stage, (scorings, sampled) in enumerate(plan.runs):
        checkpoint.stage = stage
        if n_runs > 1:
            method = method._replace(task=f"{task}scores {stage + 1} of {n_runs}, ")
        sampler = make_sampler(plan.sampler, game, sampled, method)
        found = _run(sampler, rule, checkpoint, method)
        values[:, scorings], errors[:, scorings] = found
    return values, errors


def _run(sampler, rule, checkpoint, method):
    """Run a sampler; return values and standard errors, or warn."""
    if not sampler.parts:  # a single player: all there is is the empty coalition
        return sampler.start().cpu().numpy(), 0.0
    run = Run(sampler, rule, checkpoint, method)
    estimate, is_met = run.estimate()
    if not is_met:
        if method.n_permutations < SMALLEST_SAMPLE:
            why = (
                f"is not looked at before {SMALLEST_SAMPLE} permutations, when errors "
                f"can be trusted; raise n_permutations={method.n_permutations}."
            )
        else:
            why = (
                f"was not reached in n_permutations={method.n_permutations}; "
                f"{rule.describe_lack(run.moments)}. Raise n_permutations, or ask "
                "for less."
            )
        warn_caller(f"tol={method.tol!r} {why}", ConvergenceWarning)
    return estimate


def _identify(data, game, problem, method):
    """Digest what a checkpoint depends on, but for the seed and the number of draws."""
    scorings = [utility.scoring for utility in problem.utilities]
    scores = [describe(s) if callable(s) else str(s) for s in scorings]
    warn_of_what_no_other_finds(scorings, scores)
    groups = () if data.groups is None else (data.groups,)
    return digest(
        data.rows,
        data.to_predict,
        data.targets,
        *groups,
        problem.utilities[0].y.cpu().numpy(),
        problem.weights,
        (FORMAT, isinstance(game, FeatureGame), data.alpha, scores, problem.nulls),
        (problem.per_sample, method.sampler, method.truncation_tol),
    )


def warn_of_what_no_other_finds(scorings, described):
    """Warn of callables that no other process will know again by their description."""
    for scoring, text in zip(scorings, described, strict=True):
        if callable(scoring) and describe(scoring, {"unknown": ""}) != text:
            warn_caller(
                f"scoring={scoring!r} reads what cannot be pickled, as a lock, so that "
                "another process takes it for another function and cannot go on from "
                "the checkpoint. Keep that out of what it reads, or do without a "
                "checkpoint."
            )


def _arrange(problem, values, errors):
    """Put training rows last; raise if a value or error is too large."""
    if np.isinf(errors).any():
        raise ValueError(
            "standard errors are too large for float64: squares of scores overflow. "
            "Let scoring return smaller numbers; of a regression, scale the targets."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "values are too large for float64: scores of predictions overflow. Scale "
            "X, or the kernel, down, or raise alpha; of a regression, scale the "
            "targets."
        )
    values, errors = np.broadcast_arrays(values, errors)
    if problem.per_sample:
        values, errors = (np.swapaxes(part, 2, 3) for part in (values, errors))
    return np.ascontiguousarray(values), np.ascontiguousarray(errors)
