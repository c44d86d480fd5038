"""Naive implementations that the fast paths are held against.

Nothing here shares code with skshap: Shapley values by enumeration of coalitions,
ridge by `numpy.linalg.solve`, tangent kernels by one backward pass an example.
"""

import copy
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import torch
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_squared_error,
)


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
                    (torch.zeros_like(p) if g is None else g.to_dense())
                    .flatten()
                    .double()
                    for g, p in zip(grads, parameters, strict=True)
                ]
            )
        )
    gradients = torch.stack(gradients).numpy()
    return gradients @ gradients.T


# What a head reads of the states of one text, of shape (n_tokens, hidden).
POOLED = {
    "mean": lambda states: sum(states) / len(states),
    "first": lambda states: states[0],
    "last": lambda states: states[-1],
}


def encoder_kernel(
    encoder,
    tokenizer,
    rows,
    *,
    seed,
    readout="mean",
    n_frozen_layers=None,
    dtype=torch.float64,
    max_length=None,
):
    """Tangent kernel of an encoder with a seeded linear head, one text at a time.

    Parameters
    ----------
    encoder : transformers.PreTrainedModel
        BERT, RoBERTa or DistilBERT without a head.
    tokenizer : PreTrainedTokenizerBase
    rows : list of str or list of pairs of str
    seed : int
        Of `numpy.random.RandomState`, which draws the seed of the head.
    readout : str
        What the head reads, a name in `POOLED`.
    n_frozen_layers : int or None
        First layers whose parameters do not count; None: two thirds, rounded down.
    dtype : torch.dtype
    max_length : int or None
        Tokens after which texts are cut.

    Returns
    -------
    ndarray of shape (n_rows, n_rows)
    """
    encoder = copy.deepcopy(encoder).to(dtype).requires_grad_(True).eval()
    hidden = encoder.config.hidden_size
    seed = int(np.random.RandomState(seed).randint(2**31 - 1))
    weight = torch.randn(1, hidden, generator=torch.Generator().manual_seed(seed))
    weight = (weight / np.sqrt(hidden)).to(dtype).requires_grad_()
    bias = torch.zeros(1, dtype=dtype, requires_grad=True)
    body = encoder.encoder if hasattr(encoder, "encoder") else encoder.transformer
    layers = list(body.layer)
    if n_frozen_layers is None:
        n_frozen_layers = int(2 / 3 * len(layers) + 1e-9)
    parameters = [p for k in layers[n_frozen_layers:] for p in k.parameters()]

    def output(row):
        parts = [row] if isinstance(row, str) else row
        encoded = tokenizer(
            *parts,
            return_tensors="pt",
            truncation=max_length is not None,
            max_length=max_length,
        )
        states = encoder(**encoded).last_hidden_state[0]
        return weight[0] @ POOLED[readout](states) + bias[0]

    return tangent_kernel(output, [*parameters, weight, bias], rows)


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
            # The first class of those equal to the largest but for rounding.
            best = [c for c in range(n_classes) if row[c] >= max(row) - 1e-9]
            scores.append(float(best[0] == label))
        elif scoring == "neg_log_loss":
            scores.append(np.log(p[label]))
        elif scoring == "neg_brier_score":
            loss = sum((p[c] - (c == label)) ** 2 for c in range(n_classes))
            scores.append(-loss / 2 if n_classes == 2 else -loss)
        else:
            raise ValueError(f"no definition of scoring={scoring!r}")
    return np.array(scores)


def null_by_metrics(scoring, null_score, y, n_classes):
    """Score of predicting the frequencies of labels for each of these labels.

    Parameters
    ----------
    scoring : str or callable
        Built in, or a score of rows by probabilities and labels.
    null_score : {"prior", "chance"}
        Frequencies of `y`, or of each class once.
    y : ndarray of shape (n,)
    n_classes : int

    Returns
    -------
    float
    """
    labels = y if null_score == "prior" else np.arange(n_classes)
    indicators = np.eye(n_classes)[labels]
    P = np.tile(indicators.mean(0), (len(labels), 1))
    if callable(scoring):
        return scoring(P, labels).mean()
    if scoring == "accuracy":
        return accuracy_score(labels, P.argmax(1))
    if scoring == "neg_log_loss":
        return -log_loss(labels, P, labels=np.arange(n_classes))
    if scoring == "neg_brier_score" and n_classes == 2:
        return -brier_score_loss(labels, P[:, 1])
    if scoring == "neg_brier_score":
        return -n_classes * mean_squared_error(indicators, P)
    raise ValueError(
        f"no metric of scoring={scoring!r}: say here what it makes of probabilities"
    )


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


def exact_ridge(K, y_index, alpha, n_classes, k_val=None, rows=None):
    """Predictions of kernel ridge, in rational arithmetic.

    Parameters
    ----------
    K : array-like of shape (n, n)
    y_index : sequence of int of length n
    alpha : float
    n_classes : int
    k_val : array-like of shape (m, n) or None
        Kernel of the rows to predict with the training rows; None for the training rows
        themselves.
    rows : sequence of int or None
        The training rows used; None for all.

    Returns
    -------
    list of list of Fraction
        Of shape (m, n_classes). A consistent singular system (alpha 0) is not solved.
    """
    rows = range(len(K)) if rows is None else list(rows)
    n = len(rows)
    system = [
        [Fraction(float(K[i][j])) + (i == j) * Fraction(float(alpha)) for j in rows]
        + [Fraction(int(y_index[i] == c)) for c in range(n_classes)]
        for i in rows
    ]
    for j in range(n):  # Gauss-Jordan elimination
        pivot = next(i for i in range(j, n) if system[i][j] != 0)
        system[j], system[pivot] = system[pivot], system[j]
        system[j] = [value / system[j][j] for value in system[j]]
        for i in range(n):
            if i != j and system[i][j] != 0:
                factor = system[i][j]
                system[i] = [
                    a - factor * b for a, b in zip(system[i], system[j], strict=True)
                ]
    predicted = K if k_val is None else k_val
    values = [[Fraction(float(k[i])) for i in rows] for k in predicted]
    return [
        [sum(k[i] * system[i][n + c] for i in range(n)) for c in range(n_classes)]
        for k in values
    ]


def permutation_gains(value, order, null, *, full=None, tolerance=None):
    """What each row adds when it joins along a permutation, by the paper's rule.

    Parameters
    ----------
    value : callable
        Maps a tuple of rows to the scores of the rows predicted, of shape (m,).
    order : sequence of int
        The permutation of all n rows.
    null : float
        Score of no row at all.
    full, tolerance : float or None
        If given, the rows after two prefixes in a row whose mean score is within
        `tolerance` of `full` add nothing.

    Returns
    -------
    gains : ndarray of shape (n, m)
    n_scored : int
        How many prefixes were scored.
    """
    gains = np.zeros((len(order), len(value(tuple(order)))))
    previous, n_close = null, 0
    for k in range(1, len(order) + 1):
        scores = value(tuple(sorted(order[:k])))
        gains[order[k - 1]] = scores - previous
        previous = scores
        if tolerance is not None:
            is_close = abs(np.mean(scores) - full) <= tolerance
            n_close = n_close + 1 if is_close else 0
            if n_close == 2:
                return gains, k
    return gains, len(order)


def semivalues(value, weights):
    """Semivalues by the definition, over all subsets.

    Parameters
    ----------
    value : callable
        Maps a tuple of players to an ndarray (or a float).
    weights : sequence of length n
        Share of each size of coalition.

    Returns
    -------
    ndarray of shape (..., n)
    """
    n = len(weights)
    values = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        total = 0.0
        for size in range(n):
            gains = [
                np.asarray(value(tuple(sorted((*S, i))))) - np.asarray(value(S))
                for S in combinations(others, size)
            ]
            total = total + weights[size] * np.mean(gains, axis=0)
        values.append(total)
    return np.stack(values, -1)


def greedy_gains(K, y_index, views, alpha, chosen):
    """Fall of the Brier score if each row were trained on too, by refits.

    Parameters
    ----------
    K : ndarray of shape (n, n)
    y_index : ndarray of shape (n,)
    views : list of (is_candidate, K_view, y_view)
        Which training rows predict, the kernel of the rows predicted with them, of
        shape (m, n), and the labels of these.
    alpha : float
    chosen : sequence of int
        Rows trained on already.

    Returns
    -------
    ndarray of shape (n,)
        NaN for rows that were chosen.
    """
    n, n_classes = len(y_index), y_index.max() + 1
    centred = np.eye(n_classes) - 1 / n_classes
    gains = np.full(n, np.nan)
    for i in set(range(n)) - set(chosen):
        falls = []
        for is_candidate, K_view, y_view in views:
            if not is_candidate[i]:
                continue
            errors = []
            for rows in ([*chosen], [*chosen, i]):
                rows = [r for r in rows if is_candidate[r]]
                A = K[np.ix_(rows, rows)] + alpha * np.eye(len(rows))
                f = K_view[:, rows] @ np.linalg.solve(A, centred[y_index[rows]])
                error = ((centred[y_view] - f) ** 2).sum(1)
                errors.append(error / 2 if n_classes == 2 else error)
            falls += (errors[0] - errors[1]).tolist()
        gains[i] = np.mean(falls)
    return gains


def lost_without_a_rate(probabilities, given, transition, a, b, rate):
    """Nats that labels lose if class a turned into b at a lower rate.

    Other labels of class a are then given in proportion.
    """
    other = transition.copy()
    other[a] *= (1 - rate) / (1 - transition[a, b])
    other[a, b] = rate
    return sum(
        np.log(p @ transition[:, label]) - np.log(p @ other[:, label])
        for p, label in zip(probabilities, given, strict=True)
    )
