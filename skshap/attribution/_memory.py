"""Counting memory: the arrays that are alive at the peak of an estimate.

Counts are of numbers, of 8 bytes each, and of those that are ever written: a buffer
that is made but not touched takes no memory.
"""

from math import comb

import numpy as np

from skshap.attribution._enumeration import CHUNK_NUMBERS
from skshap.attribution._games import KernelGame
from skshap.attribution._sweep import Sweep
from skshap.attribution._utility import SCORED
from skshap.utils._ridge import BLOCK

__all__ = ["enumeration_bytes", "peak_bytes"]

JOINED = 128  # rows that join a coalition in one step
TRIANGLE = 0.6  # of a square that a triangle is written to, by whole pages
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
    n, m = game.n_rows, len(problem.utilities[0].y)
    w = m + game.n_outputs
    values = problem.size(game.n_players)
    given = data.cross.size
    held = given + sum(array.size for array in game.arrays)
    # While the inverse is made of a factor, and once it is there.
    blocks = 2 * min(n, BLOCK) * n * is_inverted
    setup = held + 2 * n * n * is_inverted + blocks
    held += (n * n + n * w) * is_inverted + blocks + LIBRARIES
    if sampler is None:
        running = 2 * n * w + 3 * values
    else:
        running = _buffers(sampler, is_anew=n_workers > 1) + _draw(sampler)
        if n_workers > 1:
            # They share the arrays with each other, not with this process.
            running = held - given + n_workers * (running + LIBRARIES)
        running += 4 * values
    return int(8 * max(setup, held + running))


def enumeration_bytes(game, problem):
    """Count the bytes that enumerating all coalitions takes at its peak.

    Parameters
    ----------
    game : KernelGame
        Of the right shapes.
    problem : Problem

    Returns
    -------
    int
    """
    n, m = game.n_players, len(problem.utilities[0].y)
    # The kernel of a batch of coalitions, with each other and with the rows to predict.
    batch, n_rows = 0, 1
    for size in range(1, n + 1):
        k = game.players.most_rows(size)
        numbers = min(CHUNK_NUMBERS, comb(n, size) * k * (k + m))
        batch, n_rows = max((batch, n_rows), (numbers, k), key=lambda found: found[0])
    # It twice, at most, and predictions, scores and what these are made by.
    numbers = batch * (2 + 3 * game.n_outputs / n_rows) + LIBRARIES
    return int(8 * (numbers + 3 * problem.size(n)))


def _buffers(sampler, is_anew):
    """Count the numbers that coalitions are reached with."""
    game, is_sweep = sampler.game, isinstance(sampler, Sweep)
    n, q, m = game.n_rows, game.n_outputs, len(sampler.problem.utilities[0].y)
    w, scored = m + q, (3 * q + 3) * m
    if isinstance(game, KernelGame):
        if is_sweep:
            numbers = 3 * JOINED * n + _of_routes(sampler)
        else:
            numbers = TRIANGLE * n * n + 2 * n * w + JOINED * (2 * n + scored)
    else:
        d = game.arrays[0].shape[1]
        if is_sweep:  # members, as they are, whitened and squared
            is_anew = True
            numbers = 3 * n * d + 5 * d * d + 2 * d * m
        else:
            b = max(JOINED, d // 2)
            numbers = 5 * d * d + 3 * d * w + b * (2 * d + scored + 3 * b)
    return numbers + min(numbers, KEPT) * is_anew


def _of_routes(sampler):
    """Count the numbers of coalitions that grow, and of those that shrink."""
    game = sampler.game
    n, q, m = game.n_rows, game.n_outputs, len(sampler.problem.utilities[0].y)
    total = copied = 0
    for route, count in zip(sampler.routes, sampler.counts, strict=True):
        k = game.players.most_rows(route.ranges[-1][1])
        total += n * k - (1 - TRIANGLE) * k * k + k * k  # the factor, its inverse
        total += (n + 2 * k) * (m + q)
        shares = sampler.shares(route, count)
        if sampler.chooser(route, shares, np.random.default_rng()) is None:
            total += n * (m + q)
        else:  # of rows to predict that are chosen, while one permutation lasts
            copied = max(copied, 2 * n * (m + q))
    return total + copied


def _draw(sampler):
    """Count the numbers that scores and values of one draw take."""
    game, problem = sampler.game, sampler.problem
    n, q, m = game.n_players, game.n_outputs, len(problem.utilities[0].y)
    values = 3 * problem.size(n)
    if not isinstance(sampler, Sweep):
        return values
    values += n * m * problem.per_sample  # gains
    values += 0 if game.groups is None else (q + 1) * n * m  # what groups move
    n_stops = max(len(route.ranges) for route in sampler.routes)
    return values + 4 * max(SCORED, q * m) + 6 * n_stops * m
