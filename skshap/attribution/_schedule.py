"""The schedule of a sweep: which stops its permutations make, and what these take."""

from typing import NamedTuple

import numpy as np

__all__ = [
    "list_parts",
    "scoring_work",
    "size_bins",
    "stop_costs",
    "stop_shares",
    "usual_bins",
    "usual_counts",
]

# What passes over numbers take, in operations of a matrix product that take as long: of
# a stop, however small, and of each score that is kept by itself.
STOP_WORK = 1e7
KEEPING_WORK = 250

# Bins of sizes, one stop in each. Marginals change with the logarithm of the size: in a
# bin it grows by GROWTH. Stops of one permutation tell more of the same than direct
# ones, each of its own, so that fewer of them are enough.
GROWTH = {"growing": 1.8, "direct": 1.4}
# No bin holds more of a semivalue than one over FEWEST_STOPS, by whether scores are
# smooth. Those that jump tell something else at each size, so that more stops may pay:
# the variance of a permutation falls with their number B about as 1 + ALONE / B, down
# to NEAREST sizes a bin.
FEWEST_STOPS = {True: 6, False: 40}
ALONE = 75
NEAREST = 20
NEGLIGIBLE = 1e-15  # share of the semivalue of a size that is never visited
SCORED_SHARE = 0.2  # of the rows to predict, where a sample of them is enough

# Permutations of one draw that grow coalitions, by whether scores are smooth: the
# variance of these lies at small coalitions. Other routes have one.
REPEATS = {True: 3, False: 1}


class Part(NamedTuple):
    """One permutation of a draw.

    Attributes
    ----------
    route : int
    n_stops : int
        How many of the route's stops it makes.
    drawn_by : int
        Part of the draw whose permutation it is.
    is_reversed : bool
        Whether it is the reverse of that.
    """

    route: int
    n_stops: int
    drawn_by: int
    is_reversed: bool


def usual_bins(game, problem):
    """Cut the sizes of coalitions into bins, in each of which a sweep stops once.

    Parameters
    ----------
    game : KernelGame or FeatureGame
    problem : Problem

    Returns
    -------
    list of tuple of int
        See `size_bins`. Where a score jumps, as many as bring variance times work down,
        between `FEWEST_STOPS` and bins of `NEAREST` sizes: the more, the more of the
        work all stops of a permutation share.
    """
    weights = problem.weights.mean(0)
    half = game.n_players // 2
    route = game.routes([(half, half)])[0]
    n_stops = FEWEST_STOPS[problem.is_smooth]
    if not problem.is_smooth:
        m = problem.n_scored * (SCORED_SHARE if problem.samples_rows else 1)
        route = route._replace(ranges=[(0, 0), (half, half)])
        fixed, by_row = stop_costs(game, problem, route)
        stop, stop_and_way = fixed + m * by_row
        shared = 2 * (stop_and_way - stop)  # on the ways from nobody and from all
        best = np.sqrt(ALONE * shared / stop)
        n_sizes = 1 / (problem.weights**2).sum(1).min()  # that count in a semivalue
        n_stops = max(n_stops, min(best, n_sizes / NEAREST))
    return size_bins(weights, 1 / n_stops, GROWTH[route.kind])


def size_bins(weights, largest_share, growth):
    """Cut the sizes of coalitions into bins, of each of which one size is drawn.

    Bins grow with the size, since marginals change with its logarithm, but hold only so
    much of the semivalue.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Share of each size in the semivalue.
    largest_share : float
        Of the semivalue, that a bin may hold.
    growth : float
        Of the sizes at the two ends of a bin, at most.

    Returns
    -------
    list of tuple of int
        First and last size of each bin, from 1 to n, in increasing order.
    """
    n = len(weights)
    # At size k, outsiders tell of coalitions of size k and members of size k - 1.
    mass = np.zeros(n + 1)
    mass[1:n] += weights[1:] / 2
    mass[2:] += weights[1:] / 2
    bins, held = [], np.inf  # as if a bin before were full
    for size in range(1, n + 1):
        if mass[size] <= NEGLIGIBLE:
            held = np.inf
            continue
        if held + mass[size] > largest_share or size >= growth * bins[-1][0]:
            bins.append((size, size))
            held = 0.0
        bins[-1] = bins[-1][0], size
        held += mass[size]
    return bins


def usual_counts(routes, is_smooth):
    """Return a schedule that suits most games.

    Parameters
    ----------
    routes : list of Route
    is_smooth : bool
        Whether the score is a smooth function of predictions.

    Returns
    -------
    list of ndarray of int
        By route, how many permutations of a draw go as far as each of its stops.
    """
    repeats = {"growing": REPEATS[is_smooth]}
    return [np.full(len(route.ranges), repeats.get(route.kind, 1)) for route in routes]


def list_parts(routes, counts):
    """List the permutations of a draw.

    Parameters
    ----------
    routes : list of Route
    counts : list of ndarray of int
        See `usual_counts`; none more than as far as the stop before.

    Returns
    -------
    list of Part
    """
    parts, drawn_by = [], {}
    for route, count in enumerate(counts):
        # Routes of a single size are independent of each other.
        own = route if routes[route].kind == "direct" else None
        for j in range(count[0]):
            pair, is_second = divmod(j + 1, 2)
            first = drawn_by.setdefault((own, pair), len(parts))
            parts.append(Part(route, int((count > j).sum()), first, is_second == 1))
    return parts


def stop_shares(route, counts, n_players):
    """Return the weight of each stop of a route in a draw.

    Parameters
    ----------
    route : Route
    counts : ndarray of int of shape (n_stops,)
        How many permutations of a draw visit each stop.
    n_players : int

    Returns
    -------
    ndarray of shape (n_stops,)
    """
    first, last = np.array(route.ranges).T
    return (last - first + 1) * n_players / (n_players + 1) / counts


def stop_costs(game, problem, route):
    """Count what each stop of a route takes, with what its moves are scored by.

    Parameters
    ----------
    game : KernelGame or FeatureGame
    problem : Problem
    route : Route

    Returns
    -------
    fixed, by_row : ndarray of shape (n_stops,)
        Floating-point operations, or what takes as long: however many rows are scored,
        and for each of them.
    """
    fixed, by_row = game.walk_flops(route)
    work = scoring_work(game, problem)
    if problem.samples_rows:  # chosen by predictions for all of them
        m, width = problem.n_scored, game.arrays[0].shape[1]
        fixed = fixed + 2 * width * m * game.n_outputs
    return fixed + STOP_WORK, by_row + work * game.n_players


def scoring_work(game, problem):
    """Count what scoring one prediction takes, in floating-point operations."""
    work = KEEPING_WORK if problem.per_sample else 0
    for utility in problem.utilities:
        work += utility.work * (1 if utility.uses_margin else game.n_outputs)
    return work
