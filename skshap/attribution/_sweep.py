"""The sweep: marginals of every row at many sizes of every permutation.

A row that is outside of a random coalition S tells the marginal of that row for
coalitions of size ``|S|``, a row inside that for size ``|S| - 1``, both in closed form
from one factor. Over random permutations and one random size in each bin, every row
gets a marginal at every bin.
"""

import numpy as np
import torch

from skshap.attribution._marginals import GrowingCoalitions, ShrinkingCoalitions

__all__ = ["size_bins", "sweep_marginals"]

GROWTH = 1.4  # of the sizes at the two ends of a bin
# Of the semivalue that a bin may hold. Marginals of a smooth score change little from
# one size of a permutation to the next, those of accuracy jump.
LARGEST_SHARE = {True: 1 / 4, False: 1 / 40}
# Permutations of one draw that grow coalitions up to half of the rows, and that shrink
# them down to it: the variance of a smooth score lies at small coalitions.
REPEATS = {True: (3, 1), False: (1, 1)}
NEGLIGIBLE = 1e-15  # share of the semivalue of a size that is never visited


def size_bins(weights, is_smooth):
    """Cut the sizes of coalitions into bins, of each of which one size is drawn.

    Bins grow with the size, since marginals change with its logarithm, but hold only so
    much of the semivalue.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Share of each size in the semivalue.
    is_smooth : bool
        Whether the score is a smooth function of decision values.

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
    bins, first, held = [], None, 0.0
    for size in range(1, n + 1):
        if mass[size] <= NEGLIGIBLE:
            if first is not None:
                bins.append((first, size - 1))
            first, held = None, 0.0
            continue
        full = first is not None and (
            size >= GROWTH * first or held + mass[size] > LARGEST_SHARE[is_smooth]
        )
        if full:
            bins.append((first, size - 1))
        if full or first is None:
            first, held = size, 0.0
        held += mass[size]
    if first is not None:
        bins.append((first, n))
    return bins


def sweep_marginals(game, utility, rngs, *, weights, null, per_sample):
    """Weigh the marginals of every row along random permutations.

    Parameters
    ----------
    game : tuple
        K, cross, targets and alpha of :class:`GrowingCoalitions`.
    utility : Utility
        Scores predictions.
    rngs : iterable of numpy.random.Generator
        One a draw.
    weights : ndarray of shape (n,)
        Share of each size of coalition in the semivalue.
    null : float
        Utility of the empty coalition.
    per_sample : bool
        Whether to keep the rows scored apart.

    Yields
    ------
    Tensor of shape (n,), or (n, m) if `per_sample`
        An unbiased estimate of the values, by training row, one for each generator;
        overwritten by the next one.

    Notes
    -----
    At size k, each row gets one marginal: for coalitions of size k if it is outside,
    with probability ``(n - k) / n``, of size k - 1 if it is inside, with probability
    ``k / n``. Over the sizes 1 to n, coalitions of each size from 1 to n - 1 so come up
    with probability ``(n + 1) / n``, which is divided by. The empty coalition is left
    to a term of its own, which is exact.

    Sizes up to half of the rows are reached by growing coalitions, larger ones by
    shrinking the coalition of all rows, along other permutations.
    """
    n = len(weights)
    bins = size_bins(weights, utility.is_smooth)
    small = [(first, last) for first, last in bins if 2 * last <= n]
    large = [(first, last) for first, last in bins if 2 * last > n]
    grow = GrowingCoalitions(*game, largest=small[-1][1] if small else 0)
    out = _alone(grow, utility, null, per_sample) * weights[0]
    alone = out.clone()
    ends = [(grow, small, False)] if small else []
    if large:
        # As numbers of rows taken out, the smallest first.
        large = [(n - last, n - first) for first, last in reversed(large)]
        ends.append((ShrinkingCoalitions(*game, most=large[-1][1]), large, True))
    repeats = REPEATS[utility.is_smooth]
    for rng in rngs:
        out.copy_(alone)
        for ridge, ranges, is_shrinking in ends:
            first, last = np.array(ranges).T
            shares = (last - first + 1) * n / (n + 1) / repeats[is_shrinking]
            for _ in range(repeats[is_shrinking]):
                order = torch.from_numpy(rng.permutation(n)).to(out.device)
                stops = rng.integers(first, last + 1).tolist()
                for share, coalition in zip(
                    shares, ridge.coalitions(order, stops), strict=True
                ):
                    _add_marginals(out, coalition, share, utility, weights, per_sample)
        yield out


def _add_marginals(out, coalition, share, utility, weights, per_sample):
    """Add what every row changes when it joins a coalition, or has joined it."""
    size, decision, joining, leaving = coalition
    if size < len(weights):
        gains = utility.gains(decision, *joining[1:], per_sample=per_sample)
        out.index_add_(0, joining.rows, gains, alpha=float(share * weights[size]))
    if size > 1:
        losses = utility.gains(decision, *leaving[1:], per_sample=per_sample)
        weight = float(-share * weights[size - 1])
        out.index_add_(0, leaving.rows, losses, alpha=weight)


def _alone(grow, utility, null, per_sample):
    """What every row adds to the empty coalition."""
    order = torch.arange(len(grow.K), device=grow.K.device)
    empty = next(grow.coalitions(order, [0]))
    start = utility(empty.decision) - null
    gains = utility.gains(empty.decision, *empty.joining[1:], per_sample=per_sample)
    return gains + (start if per_sample else start.mean())


def leave_one_out_values(game, utility, *, per_sample):
    """Compute what every row adds to all others, exactly.

    Parameters
    ----------
    game : tuple
        K, cross, targets and alpha of :class:`GrowingCoalitions`.
    utility : Utility
        Scores predictions.
    per_sample : bool
        Whether to keep the rows scored apart.

    Returns
    -------
    Tensor of shape (n,), or (n, m) if `per_sample`
        By training row.
    """
    order = torch.arange(len(game[0]), device=game[0].device)
    everyone = next(ShrinkingCoalitions(*game, most=0).coalitions(order, [0]))
    leaving = everyone.leaving[1:]
    return -utility.gains(everyone.decision, *leaving, per_sample=per_sample)
