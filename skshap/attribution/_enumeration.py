"""Semivalues of small games, from the utility of every coalition."""

from itertools import combinations, islice
from math import comb

import torch

from skshap.attribution._schedule import scoring_work
from skshap.utils._progress import progress_bar

__all__ = [
    "LARGEST_GAME",
    "enumerate_coalitions",
    "enumeration_floats",
    "enumeration_flops",
]

LARGEST_GAME = 20  # players
CHUNK_NUMBERS = 1 << 23  # of a batch of enumerated coalitions
BATCH_TIMES = 1.1  # the largest batch: with what an allocator keeps of those before
SCORED_TIMES = 10  # floats a prediction: itself, and what scores are made by


def enumerate_coalitions(game, problem, *, verbose=0):
    """Compute semivalues from the utility of every coalition.

    Parameters
    ----------
    game : KernelGame or FeatureGame
        Of at most 20 players.
    problem : Problem
        What is computed.
    verbose : int, default=0
        Show a progress bar.

    Returns
    -------
    Tensor of shape (n_semivalues, n_scorings, n_players)
        Or with m more if values are kept by the row scored.
    """
    subsets, n, m = game.subsets(), game.n_players, problem.n_scored
    device = problem.device
    weights = torch.tensor(problem.weights, device=device)
    nulls = weights.new_tensor(problem.nulls).reshape(1, -1, 1, 1)
    # The empty coalition: minus its utility, weighted, to everyone who joins it.
    values = -weights[:, :1, None, None] * nulls.expand(1, -1, n, m)
    options = {"desc": "coalitions", "unit": "coalition", "verbose": verbose}
    with progress_bar(total=2**n - 1, **options) as bar:
        for size, chunk in chunks(game, problem):
            decision = subsets.predict(chunk)
            scores = torch.stack([u.score(decision) for u in problem.utilities])
            # A member gains the coalition's utility, an outsider is charged it.
            member = weights[:, size - 1] / comb(n - 1, size - 1)
            outsider = -weights[:, size] / comb(n - 1, size) if size < n else 0 * member
            players = torch.tensor(chunk, device=device)
            is_member = weights.new_zeros(len(chunk), n).scatter_(1, players, 1.0)
            share = (
                outsider[:, None, None] + is_member * (member - outsider)[:, None, None]
            )
            values = values + torch.einsum("vbn,sbm->vsnm", share, scores)
            bar.update(len(chunk))
    return values if problem.per_sample else values.mean(3)


def chunks(game, problem):
    """Yield sizes and coalitions of that size, as many at a time as memory is for.

    From large to small, as what is smaller has room where what is larger was.
    """
    n = game.n_players
    for size in range(n, 0, -1):
        coalitions = combinations(range(n), size)
        batch = max(1, int(CHUNK_NUMBERS // coalition_floats(game, problem, size)))
        while chunk := list(islice(coalitions, batch)):
            yield size, chunk


def coalition_floats(game, problem, size):
    """Count the floats that a coalition of so many players takes in a batch."""
    solved, outputs = game.subset_floats(size)
    n_scores = len(problem.utilities) * problem.n_scored
    # And predictions, scores and what these are made by.
    return solved + SCORED_TIMES * outputs + n_scores + 2 * game.n_players


def enumeration_flops(game, problem):
    """Count the floating-point operations of scores of all coalitions."""
    n = game.n_players
    solving = sum(comb(n, size) * game.subset_flops(size) for size in range(1, n + 1))
    # Each score goes to every player.
    n_outputs = len(problem.weights) * len(problem.utilities)
    by_score = scoring_work(game, problem) + 2 * n * n_outputs
    scoring = 2.0**n * by_score * problem.n_scored
    return game.subsets_setup_flops() + solving + scoring


def enumeration_floats(game, problem):
    """Count the floats, of 8 bytes each, that enumeration takes on the way."""
    n, largest = game.n_players, 0.0
    for size in range(1, n + 1):
        one = coalition_floats(game, problem, size)
        count = max(1, min(CHUNK_NUMBERS // one, comb(n, size)))
        largest = max(largest, count * one)
    # Values are kept by the row scored until they are averaged.
    values = 3 * problem._replace(per_sample=True).size
    return game.subsets_setup_floats() + BATCH_TIMES * largest + values
