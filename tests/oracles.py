"""Naive implementations that the fast paths are held against.

Nothing here shares code with skshap: Shapley values by enumeration of coalitions,
ridge by `numpy.linalg.solve`, tangent kernels by one backward pass an example.
"""

from itertools import combinations
from math import comb

import numpy as np
import torch


def tangent_kernel(output, parameters, examples):
    """Gram matrix of gradients, one backward pass an example, by definition.

    Parameters
    ----------
    output : callable
        Maps one example to a scalar tensor.
    parameters : list of torch.nn.Parameter
        Which the gradient is taken of.
    examples : list
        The examples.

    Returns
    -------
    ndarray of shape (n_examples, n_examples)
    """
    gradients = []
    for example in examples:
        grads = torch.autograd.grad(output(example), parameters, allow_unused=True)
        gradients.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).flatten().double()
                    for g, p in zip(grads, parameters, strict=True)
                ]
            )
        )
    gradients = torch.stack(gradients).numpy()
    return gradients @ gradients.T


def ridge_predictions(K, y_index, k_val, alpha, n_classes, rows):
    """Predictions of kernel ridge trained on some rows, by one fresh solve.

    Parameters
    ----------
    K : ndarray of shape (n, n)
    y_index : ndarray of shape (n,)
    k_val : ndarray of shape (m, n)
    alpha : float
    n_classes : int
    rows : list of int
        The training rows used.

    Returns
    -------
    ndarray of shape (m, n_classes)
    """
    rows = list(rows)
    Y = np.eye(n_classes)[y_index[rows]]
    A = K[np.ix_(rows, rows)] + alpha * np.eye(len(rows))
    return k_val[:, rows] @ np.linalg.solve(A, Y)


def per_sample_score(scoring, decision, y_index):
    """Score of each row's prediction, one row at a time.

    Parameters
    ----------
    scoring : {"accuracy", "neg_log_loss", "neg_brier_score"}
    decision : ndarray of shape (m, n_classes)
    y_index : ndarray of shape (m,)

    Returns
    -------
    ndarray of shape (m,)
    """
    scores = []
    for row, label in zip(decision, y_index, strict=True):
        n_classes = len(row)
        weights = [np.exp(n_classes * value) for value in row]
        p = [w / sum(weights) for w in weights]
        if scoring == "accuracy":
            scores.append(float(max(range(n_classes), key=lambda c: row[c]) == label))
        elif scoring == "neg_log_loss":
            scores.append(np.log(p[label]))
        else:
            loss = sum((p[c] - (c == label)) ** 2 for c in range(n_classes))
            scores.append(-loss / 2 if n_classes == 2 else -loss)
    return np.array(scores)


def shapley_values(value, n):
    """Shapley values by the definition, over all subsets.

    Parameters
    ----------
    value : callable
        Maps a tuple of players to an ndarray (or a float).
    n : int
        Number of players.

    Returns
    -------
    ndarray of shape (..., n)
    """
    cache = {
        S: np.asarray(value(S), dtype=float)
        for size in range(n + 1)
        for S in combinations(range(n), size)
    }
    phi = []
    for i in range(n):
        total = 0.0
        for S in cache:
            if i not in S:
                gain = cache[tuple(sorted((*S, i)))] - cache[S]
                total = total + gain / (n * comb(n - 1, len(S)))
        phi.append(total)
    return np.stack(phi, -1)
