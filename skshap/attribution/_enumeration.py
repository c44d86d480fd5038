"""Semivalues of small games, from the utility of every coalition."""

from itertools import combinations, islice
from math import comb

import numpy as np
import torch

from skshap.utils._ridge import factorize

__all__ = ["LARGEST_GAME", "enumerate_coalitions", "enumeration_floats"]

LARGEST_GAME = 20  # players
CHUNK_NUMBERS = 1 << 22  # of a batch of enumerated coalitions


def enumerate_coalitions(game, problem):
    """Compute semivalues from the utility of every coalition.

    Parameters
    ----------
    game : KernelGame
        Of at most 20 players.
    problem : Problem
        What is computed.

    Returns
    -------
    Tensor of shape (n_semivalues, n_scorings, n_players)
        Or with m more if values are kept by the row scored.
    """
    K, cross, targets = game.tensors[:3]
    n, m = game.n_players, cross.shape[1]
    rows = [game.players.arrange(np.array([p]))[0] for p in range(n)]
    weights = torch.tensor(problem.weights, device=K.device)
    nulls = K.new_tensor(problem.nulls).reshape(1, -1, 1, 1)
    # The empty coalition: minus its utility, weighted, to everyone who joins it.
    values = -weights[:, :1, None, None] * nulls.expand(1, -1, n, m)
    for size in range(1, n + 1):
        coalitions = combinations(range(n), size)
        n_rows = game.players.most_rows(size)
        batch = max(1, CHUNK_NUMBERS // (n_rows * (n_rows + m) + n))
        while chunk := list(islice(coalitions, batch)):
            index, is_row = _pad([[rows[p] for p in players] for players in chunk])
            decision = _predict(K, cross, targets, game.alpha, index, is_row)
            scores = torch.stack([u.score(decision) for u in problem.utilities])
            # A member gains the coalition's utility, an outsider is charged it.
            member = weights[:, size - 1] / comb(n - 1, size - 1)
            outsider = -weights[:, size] / comb(n - 1, size) if size < n else 0 * member
            players = torch.tensor(chunk, device=K.device)
            is_member = K.new_zeros(len(chunk), n).scatter_(1, players, 1.0)
            share = (
                outsider[:, None, None] + is_member * (member - outsider)[:, None, None]
            )
            values = values + torch.einsum("vbn,sbm->vsnm", share, scores)
    return values if problem.per_sample else values.mean(3)


def enumeration_floats(game, problem):
    """Count the floats, of 8 bytes each, that enumeration takes on the way.

    Parameters
    ----------
    game : KernelGame
        Of the right shapes.
    problem : Problem

    Returns
    -------
    float
    """
    n, m = game.n_players, problem.n_scored
    # The kernel of a batch of coalitions, with each other and with the rows to predict.
    batch, n_rows = 0, 1
    for size in range(1, n + 1):
        k = game.players.most_rows(size)
        numbers = min(CHUNK_NUMBERS, comb(n, size) * k * (k + m))
        batch, n_rows = max((batch, n_rows), (numbers, k), key=lambda found: found[0])
    # It twice, at most, and predictions, scores and what these are made by.
    return batch * (2 + 3 * game.n_outputs / n_rows) + 3 * problem.size(n)


def _pad(coalitions):
    """Return rows of coalitions, of shape (b, k), and which of them are not padding."""
    coalitions = [torch.cat(parts) for parts in coalitions]
    index = torch.nn.utils.rnn.pad_sequence(
        coalitions, batch_first=True, padding_value=-1
    )
    return index.clamp_min(0), index >= 0


def _predict(K, cross, targets, alpha, index, is_row):
    """Predict with every coalition, (n_outputs, n_coalitions, m)."""
    A = K[index[:, :, None], index[:, None, :]]
    A *= is_row[:, :, None] & is_row[:, None, :]
    # Padding has a one of its own, and explains nothing.
    ones = torch.ones_like(A[:, :, 0])
    A.diagonal(dim1=1, dim2=2).add_(torch.where(is_row, alpha * ones, ones))
    L = factorize(A, alpha=alpha)
    weights = torch.cholesky_solve(targets[index] * is_row.unsqueeze(2), L)
    return torch.einsum("bsq,bsm->qbm", weights, cross[index])
