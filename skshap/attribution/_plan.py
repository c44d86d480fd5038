"""The plan of a computation: by which game, and whether to enumerate or to sample."""

from typing import NamedTuple

import numpy as np

from skshap.attribution._enumeration import LARGEST_GAME, enumeration_flops
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._samplers import SAMPLERS, make_sampler
from skshap.attribution._sweep import Sweep
from skshap.utils._warn import warn_caller

__all__ = ["make_plan", "warn_of_matrix"]

MOSTLY_OF_ALL = 0.5  # share of a semivalue
LARGEST_CONDITION = 1e6  # of features, for values by them to be exact to 1e-5
LARGE_MATRIX = 2**30  # bytes of a kernel matrix that features would do without
ITERATIONS = 20  # of the power method
# Rows up to which values are enumerated for `tol`: draws of so few agree too often.
ENUMERATED = 8
USUAL_DRAWS = 100  # that the work of setting up a game is spread over


class Plan(NamedTuple):
    """How values are computed.

    Attributes
    ----------
    kind : type
        KernelGame or FeatureGame.
    sampler : type or None
        Of `SAMPLERS`; None if all coalitions are looked at.
    is_loo : ndarray of shape (n_semivalues,) or None
        Which semivalues are leave-one-out values that are known without draws.
    runs : sequence of (ndarray of int, Problem)
        Of the other semivalues: what is sampled together, by positions of scorings.
        Empty if no draws are needed.
    """

    kind: type
    sampler: type | None = None
    is_loo: np.ndarray | None = None
    runs: tuple = ()

    @property
    def is_enumerated(self):
        """Whether all coalitions are looked at."""
        return self.sampler is None


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
        Enumeration for "exact", for few rows with `tol`, and for sweeps of few groups
        that take more work. The game is that of less work, where there are features and
        they are well-conditioned; of samplers it does not depend on the number of
        permutations, so that a checkpoint may go on with more of them.

    Raises
    ------
    ValueError
        If "exact" is asked of too many players, or if permutations are to stop by
        leave-one-out values: those of rows that were last in none agree on zero.
    """
    kinds, n = [KernelGame], data.n_players
    # By features, rounding grows with the square of the condition.
    if data.is_explicit:
        limit = LARGEST_CONDITION * data.alpha
        if largest_eigenvalue(data.rows) <= limit:
            kinds.insert(0, FeatureGame)
    sampler = SAMPLERS[method.sampler]
    are_few = data.groups is None and n <= ENUMERATED
    if sampler is None or (method.tol is not None and are_few):
        if n > LARGEST_GAME:
            raise ValueError(
                f"sampler='exact' enumerates the coalitions of at most {LARGEST_GAME} "
                f"players, but there are {n}; use sampler='sweep'."
            )
        return least_enumeration(data, problem, kinds)[0]
    is_of_all = (problem.weights[:, -1] > MOSTLY_OF_ALL).any()
    if sampler is Permutations and method.tol is not None and is_of_all:
        raise ValueError(
            f"tol={method.tol!r} cannot stop sampler='permutation' with a semivalue "
            "that is mostly of coalitions of all others, as semivalue='loo': what a "
            "row has of it is seen only once it came last. Use sampler='sweep', which "
            "computes leave-one-out values exactly, or tol=None."
        )
    plan, work = least_sampling(data, problem, method, kinds)
    is_of_few = data.groups is not None and n <= LARGEST_GAME
    if is_of_few and sampler is Sweep and plan.runs:
        by_all, work_by_all = least_enumeration(data, problem, kinds)
        if work_by_all <= work:
            return by_all
    return plan


def warn_of_matrix(data, problem, method, plan):
    """Warn of a large kernel matrix that a larger `alpha` would spare."""
    n, n_features = data.rows.shape
    size = 8 * n**2
    if not data.is_explicit or plan.kind is not KernelGame or size <= LARGE_MATRIX:
        return
    largest = largest_eigenvalue(data.rows)
    alpha = 1.1 * largest / LARGEST_CONDITION
    spared = make_plan(data._replace(alpha=alpha), problem, method)
    if alpha > data.alpha and spared.kind is FeatureGame:
        warn_caller(
            f"values are computed from a kernel matrix of {n:,} x {n:,}, "
            f"{size / 1e9:.0f} GB, and copies of it, as rounding would spoil what is "
            f"computed by {n_features:,} features: the largest eigenvalue of their "
            f"inner products is {largest:.2g}, more than a million times "
            f"alpha={data.alpha:.3g}. alpha={alpha:.2g} or more would spare it, or "
            "centred and scaled columns."
        )


def least_enumeration(data, problem, kinds):
    """Return the plan by all coalitions that takes the fewest operations, and these."""
    works = [enumeration_work(data, problem, kind) for kind in kinds]
    best = int(np.argmin(works))
    return Plan(kinds[best]), works[best]


def least_sampling(data, problem, method, kinds):
    """Return the plan by draws that usually takes the fewest operations, and these."""
    sampler = SAMPLERS[method.sampler]
    is_loo = problem.is_loo & (sampler is Sweep)
    sampled = problem._replace(weights=problem.weights[~is_loo])
    alike = sampled.kinds() if sampler is Sweep else [np.arange(len(problem.nulls))]
    runs = [(some, sampled.part(some)) for some in alike if not is_loo.all()]
    plans = [Plan(kind, sampler, is_loo, runs) for kind in kinds]
    works = [sampling_work(data, plan, method) for plan in plans]
    best = int(np.argmin([setup + USUAL_DRAWS * draw for setup, draw in works]))
    setup, draw = works[best]
    return plans[best], setup + method.n_permutations * draw


def enumeration_work(data, problem, kind):
    """Count the operations of looking at all coalitions."""
    work = enumeration_flops(data.outline(kind), problem)
    if data.is_explicit and kind is KernelGame:
        n, d = data.rows.shape
        work += 2 * n * d * (n + len(data.to_predict))
    return work


def sampling_work(data, plan, method):
    """Count the operations before any draw, and those of a draw."""
    outline, setup, draw = data.outline(plan.kind), 0.0, 0.0
    if plan.sampler is Sweep:
        fixed, by_row = outline.walk_flops(outline.to_everyone)
        setup += (fixed + len(data.to_predict) * by_row).sum() + outline.setup_flops()
    for _, sampled in plan.runs:
        draw += make_sampler(plan.sampler, outline, sampled, method).flops()
    return setup, draw


def largest_eigenvalue(F):
    """Estimate the largest eigenvalue of ``F F'``, from below, by power iteration."""
    v, value = np.random.default_rng(0).normal(size=F.shape[1]), 0.0
    for _ in range(ITERATIONS):
        v = F.T @ (F @ (v / np.linalg.norm(v)))
        size = np.abs(v).max(initial=0.0)
        if not size:
            break
        v /= size  # squares of tiny or huge numbers are none
        value = size * np.linalg.norm(v)
    return float(value)
