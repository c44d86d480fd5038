"""The sweep: marginals of every row at many sizes of every permutation.

A row that is outside of a random coalition S tells the marginal of that row for
coalitions of size ``|S|``, a row inside that for size ``|S| - 1``, both in closed form
from one factor. Over random permutations and one random size in each bin, every row
gets a marginal at every bin.
"""

import numpy as np
import torch

__all__ = ["size_bins", "sweep_marginals"]

GROWTH = 1.4  # of the sizes at the two ends of a bin
# Of the semivalue that a bin may hold. Marginals of a smooth score change little from
# one size of a permutation to the next, those of accuracy jump.
LARGEST_SHARE = {True: 1 / 4, False: 1 / 40}
# With a smooth score the variance lies at smaller sizes, which cost less: beside each
# whole permutation go some that stop at a share of the rows. Measured on sentence
# embeddings, 2,000 rows: a third less time for the same error of log loss.
SHALLOW, DEPTH = 2, 0.4
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


def sweep_marginals(ridge, utility, rngs, *, weights, null, per_sample):
    """Weigh the marginals of every row along random permutations.

    Parameters
    ----------
    ridge : SweepingRidge
        Gives coalitions and what joining and leaving would change.
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

    With a smooth score, two more permutations of each draw stop at 40 % of the rows;
    the bins up to there are averaged over the three.
    """
    n = len(weights)
    first, last = np.array(size_bins(weights, utility.is_smooth)).T
    shares = (last - first + 1) * n / (n + 1)
    n_shallow = int((last <= DEPTH * n).sum()) if utility.is_smooth else 0
    shares[:n_shallow] /= 1 + SHALLOW
    # The bins visited in each permutation of a draw.
    depths = [len(shares)] + [n_shallow] * (SHALLOW if n_shallow else 0)
    alone = _alone(ridge, utility, null, per_sample) * weights[0]
    out = torch.empty_like(alone)
    for rng in rngs:
        out.copy_(alone)
        for depth in depths:
            order = torch.from_numpy(rng.permutation(n)).to(out.device)
            sizes = rng.integers(first[:depth], last[:depth] + 1)
            coalitions = ridge.coalitions(order, sizes.tolist())
            _add_marginals(out, order, coalitions, shares, utility, weights, per_sample)
        yield out


def _add_marginals(out, order, coalitions, shares, utility, weights, per_sample):
    """Add what every row would change at some coalitions of a permutation."""
    n = len(order)
    for share, coalition in zip(shares, coalitions, strict=False):
        size, decision, outside, inside = coalition
        if size < n:
            gains = utility.gains(decision, *outside, per_sample=per_sample)
            gains *= share * weights[size]
            out.index_add_(0, order[size:], gains)
        if size > 1:
            losses = utility.gains(decision, *inside, per_sample=per_sample)
            losses *= -share * weights[size - 1]
            out.index_add_(0, order[:size], losses)


def _alone(ridge, utility, null, per_sample):
    """What every row adds to the empty coalition."""
    order = torch.arange(len(ridge.K), device=ridge.K.device)
    _, decision, outside, _ = next(ridge.coalitions(order, [0]))
    start = utility(decision) - null
    gains = utility.gains(decision, *outside, per_sample=per_sample)
    return gains + (start if per_sample else start.mean())


def leave_one_out(ridge, utility, *, per_sample):
    """Compute what every row adds to all others, exactly.

    Parameters
    ----------
    ridge : SweepingRidge
        Gives the coalition of all rows and what leaving it would change.
    utility : Utility
        Scores predictions.
    per_sample : bool
        Whether to keep the rows scored apart.

    Returns
    -------
    Tensor of shape (n,), or (n, m) if `per_sample`
        By training row.
    """
    n = len(ridge.K)
    order = torch.arange(n, device=ridge.K.device)
    _, decision, _, inside = next(ridge.coalitions(order, [n]))
    return -utility.gains(decision, *inside, per_sample=per_sample)
