"""Predicting time and memory: operations counted, and pieces of them timed here."""

import time
from functools import partial

import numpy as np
import torch
from joblib import cpu_count, effective_n_jobs

from skshap.attribution._enumeration import enumerate_coalitions, enumeration_flops
from skshap.attribution._estimation import n_threads
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._leave_one_out import leave_one_out_values
from skshap.attribution._memory import enumeration_bytes, peak_bytes
from skshap.attribution._permutations import Permutations
from skshap.attribution._plan import make_plan
from skshap.attribution._samplers import make_sampler
from skshap.attribution._schedule import stop_shares
from skshap.attribution._scored import Scored, make_choice
from skshap.attribution._sweep import Sweep
from skshap.attribution._together import count_together, run_together
from skshap.utils._threads import at_most
from skshap.utils._timing import timed

__all__ = ["predict_cost"]

PIECE_FLOPS = 1e10  # of a piece that is timed
PIECE_STOPS = 3  # that are timed if each is reached directly
PIECE_PLAYERS = 13  # of an enumeration that is timed
PIECE_SCORED = 500  # rows to predict of it


def predict_cost(data, problem, method):
    """Predict what `estimate_values` will take.

    Parameters
    ----------
    data : Data
        Its `to_predict` may hold anything.
    problem : Problem
    method : Method

    Returns
    -------
    dict
        `seconds` of wall time and `memory` in bytes.
    """
    plan = make_plan(data, problem, method)
    kind = plan.kind
    if plan.is_enumerated:
        return _enumeration_cost(data, problem, kind)
    outline = data.outline(kind)
    n_workers = effective_n_jobs(method.n_jobs)
    is_inverted = plan.sampler is Sweep and kind is KernelGame
    seconds, samplers = 0.0, []
    with at_most(min(n_threads(data), max(1, cpu_count() // n_workers))):
        if is_inverted:
            per_flop = _product_seconds(min(outline.n_rows, 1500), data.device)
            seconds += outline.setup_flops() * per_flop
        piece = _make_piece(data, kind, problem.utilities[0].y.cpu().numpy())
        if plan.is_loo.any() and kind is FeatureGame:
            compute = partial(leave_one_out_values, piece, problem)
            seconds += timed(compute, compute)[0]
        for _, sampled in plan.runs:
            sampler = make_sampler(plan.sampler, piece, sampled, method)
            samplers.append(sampler)
            n_parts = method.n_permutations * len(sampler.parts)
            n_together = min(count_together(sampler), n_parts)
            if n_together > 1:
                seconds += n_parts * _together_seconds(sampler, n_together) / n_workers
            elif n_parts:  # else a single player, who joins nobody
                seconds += method.n_permutations * _draw_seconds(sampler) / n_workers
    options = {"n_workers": n_workers, "is_inverted": is_inverted}
    memory = max(
        peak_bytes(data, outline, problem, sampler, **options)
        for sampler in samplers or [None]
    )
    return {"seconds": float(seconds), "memory": memory}


def _make_piece(data, kind, y):
    """Return a game on the training rows, some of which stand in for those to predict.

    These belong to players that `_random_order` puts last: few coalitions hold them.
    """
    rows, n_players = data.rows, data.n_players
    if kind is KernelGame and data.is_explicit:
        rows = rows @ rows.T
    last = _random_order(n_players)[n_players // 2 :]
    groups = np.arange(n_players) if data.groups is None else data.groups
    likely = _stand_ins(np.flatnonzero(np.isin(groups, last)), data.targets, y)
    cross = rows[:, likely] if kind is KernelGame else rows[likely]
    arrays = (rows, np.ascontiguousarray(cross), data.targets)
    return kind(arrays, data.alpha, data.groups, data.device)


def _stand_ins(rows, targets, y):
    """Choose rows of the labels that those to predict have, where these matter."""
    if targets.shape[1] == 1:
        return np.resize(rows, len(y))
    labels, out = targets[rows].argmax(1), np.resize(rows, len(y))
    for label in np.unique(labels):
        own = y == label
        out[own] = np.resize(rows[labels == label], own.sum())
    return out


def _random_order(n):
    """Return a random order of players, the same each time."""
    return np.random.default_rng(0).permutation(n)


def _together_seconds(sampler, n_together):
    """Time parts of a sweep that are computed together; return seconds of one."""
    whole = type(sampler)(sampler.game.with_inverse(), **sampler.options)
    compute = partial(run_together, whole, range(n_together))
    return timed(compute, compute)[0] / n_together


def _draw_seconds(sampler):
    """Time pieces of a draw; return seconds of all of it."""
    if isinstance(sampler, Permutations):
        return _prefix_seconds(sampler)
    if type(sampler.game) is FeatureGame:
        return _direct_seconds(sampler)
    m = sampler.problem.n_scored
    seconds, small = 0.0, None
    for route, count in zip(sampler.routes, sampler.counts, strict=True):
        fixed, by_row = sampler.game.walk_flops(route)
        if small is None:
            total = np.cumsum(fixed + m * by_row)
            depth = max(1, int(np.searchsorted(total, PIECE_FLOPS)))
            small = route._replace(kind="growing", ranges=route.ranges[:depth])
            walking, scoring, kept = _time_route(sampler, small)
            kept = np.concatenate([kept, np.full(len(count) - depth, kept[-1])])
            flops = fixed + m * by_row * kept
            walking /= float(flops[:depth].sum())
        else:
            kept = _kept_of_large(sampler, route, count, small)
            flops = fixed + m * by_row * kept
        seconds += float(count @ flops) * walking + float(count @ kept) * scoring
    return seconds


def _kept_of_large(sampler, route, count, small):
    """Foresee which share of the rows to predict large coalitions are scored on.

    Predictions are those of a route of small coalitions, at sizes in proportion.
    """
    game = sampler.game
    shares = stop_shares(route, count, game.n_players)
    rng = np.random.default_rng(0)
    choose = make_choice(game, sampler.problem, route, shares, rng)
    if choose is None:
        return np.ones(len(count))
    n, sizes, seen = game.n_players, _middles(small), []
    order = _random_order(n)
    next(game.walk(small, order, sizes, lambda *found: seen.extend(found)))
    left = sizes[-1] * (1 - np.array(_middles(route)) / n)
    nearest = np.abs(np.subtract.outer(left, sizes)).argmin(1)
    decisions, reach = (part[nearest] for part in seen)
    return np.array(choose(decisions, reach).counts) / decisions.shape[-1]


def _middles(route):
    """Return the middle of the sizes of each stop."""
    return [max(1, (first + last) // 2) for first, last in route.ranges]


def _direct_seconds(sampler):
    """Time some stops of a sweep that reaches each directly."""
    sizes = [route.ranges[0][0] for route in sampler.routes]
    looked_at = np.unique(np.linspace(0, len(sizes) - 1, PIECE_STOPS).astype(int))
    found = []
    for index in looked_at:
        walking, scoring, kept = _time_route(sampler, sampler.routes[index])
        found.append(walking + scoring * kept[0])
    each = np.interp(sizes, np.take(sizes, looked_at), found)
    return float(each @ [count[0] for count in sampler.counts])


def _time_route(sampler, route):
    """Walk a route.

    Returns
    -------
    walking : float
        Seconds.
    scoring : float
        Seconds that scoring moves at all rows to predict takes at a stop.
    kept : ndarray of shape (n_stops,)
        Share of these that stops are scored on.
    """
    order = _random_order(sampler.game.n_players)
    counts = np.ones(len(route.ranges))
    stops = _middles(route)

    def walk():
        rng = np.random.default_rng(0)
        return list(sampler.visit(route, counts, order, stops, rng))

    walking, visited = timed(walk, walk)
    m = sampler.problem.n_scored
    kept = np.array([coalition.decision.shape[1] / m for _, coalition in visited])
    out = sampler.problem.zeros()

    def score():  # numbers were overwritten since, but not their number
        for share, coalition in visited:
            sampler.add_marginals(out, coalition, share)

    return walking, timed(score, score)[0] / max(kept.sum(), 1 / m), kept


def _prefix_seconds(sampler):
    """Time the first prefixes of a permutation; return seconds of a draw of them."""
    game = sampler.game
    rows, _ = game.players.arrange(np.arange(game.n_players))
    ridge = game.prefixes()
    start = time.perf_counter()
    done = 0
    for joined, decision in ridge.decisions(rows):
        for utility in sampler.problem.utilities:
            utility.score(decision)
        done += len(joined)
        if time.perf_counter() - start > 1.0:
            break
    elapsed = time.perf_counter() - start
    n, m = game.n_rows, sampler.problem.n_scored
    # Later blocks take more: they lean on all rows before them.
    share = (done**3 / 3 + done**2 * m) / (n**3 / 3 + n**2 * m)
    linear = done / n
    whole = elapsed / (share if type(game) is KernelGame else linear)
    return len(sampler.parts) * whole


def _product_seconds(n, device):
    """Time a matrix product, in seconds a floating-point operation."""
    A = torch.ones(n, n, dtype=torch.float64, device=device)
    seconds, _ = timed(lambda: A @ A, lambda: A @ A)
    return seconds / (2 * n**3)


def _enumeration_cost(data, problem, kind):
    """Time a game of fewer players and rows to predict, and rows if it must be."""
    whole = data.outline(kind)
    whole_flops = enumeration_flops(whole, problem)
    memory = enumeration_bytes(data, whole, problem)
    data, problem = _fewer_scored(data, problem)
    n, labels = data.n_players, data.groups
    if labels is None:
        labels = np.arange(n)
    largest_first = np.argsort(-np.bincount(labels), kind="stable")
    labels = np.argsort(largest_first)[labels]
    k, step = min(n, PIECE_PLAYERS), 1
    while True:
        kept = np.flatnonzero(labels < k)
        kept = kept[np.argsort(labels[kept], kind="stable")][::step]
        piece = _part_of(data, kept, np.unique(labels[kept], return_inverse=True)[1])
        small = problem._replace(weights=problem.weights[:, : piece.n_players])
        flops = enumeration_flops(piece.outline(kind), small)
        if flops <= PIECE_FLOPS or len(kept) == 1:
            break
        k, step = (k - 1, 1) if k > 2 else (k, 2 * step)
    compute = partial(enumerate_coalitions, piece.game(kind), small)
    seconds = timed(compute, compute)[0] * whole_flops / flops
    return {"seconds": seconds, "memory": memory}


def _fewer_scored(data, problem):
    """Return data and problem with at most so many rows to predict as are timed."""
    m = min(PIECE_SCORED, problem.n_scored)
    some = torch.arange(m, device=data.device)
    scored = Scored(some, torch.ones(m, dtype=torch.float64, device=data.device))
    problem = problem._replace(utilities=[u.at(scored) for u in problem.utilities])
    return data._replace(to_predict=data.to_predict[:m]), problem


def _part_of(data, kept, groups):
    """Return data of some of the training rows."""
    if data.is_explicit:
        rows, others = data.rows[kept], data.to_predict
    else:
        rows, others = data.rows[np.ix_(kept, kept)], data.to_predict[:, kept]
    targets = data.targets[kept]
    return data._replace(rows=rows, to_predict=others, targets=targets, groups=groups)
