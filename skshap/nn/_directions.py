"""Directions that the gradients of a sample of rows lead in, and how many to keep."""

import heapq

import torch

__all__ = ["allocate", "busiest_rows", "leading_directions"]

N_ROUNDS = 3  # of subspace iteration
OVERSAMPLING = 8  # directions more than are wanted, while it goes on


def busiest_rows(pairs, n_kept):
    """Return the numbers of the rows of a table that have most gradient.

    Parameters
    ----------
    pairs : list of (Tensor, Tensor)
        Numbers of rows looked up, and their gradients, of some batches.
    n_kept : int
        How many, at most.

    Returns
    -------
    Tensor of shape (n_kept,)
        From the most on.
    """
    numbers = torch.cat([a.flatten() for a, _ in pairs])
    squares = torch.cat([d.square().sum(2).flatten() for _, d in pairs])
    numbers, inverse = numbers.unique(return_inverse=True)
    energy = squares.new_zeros(len(numbers)).index_add_(0, inverse, squares)
    return numbers[energy.argsort(descending=True, stable=True)[:n_kept]]


def leading_directions(pairs, side, weights, n_directions, generator):
    """Return the leading eigenvectors and values of ``sum_i X_i' W_i X_i``.

    Parameters
    ----------
    pairs : list of (Tensor, Tensor)
        The tokens X_i of shape (n, n_tokens, p) are at `side` of each.
    side : int
    weights : list of Tensor of shape (n, n_tokens, n_tokens)
    n_directions : int
    generator : torch.Generator

    Returns
    -------
    vectors : Tensor of shape (p, n_directions)
    values : Tensor of shape (n_directions,)
    """
    tokens = [pair[side] for pair in pairs]
    p = tokens[0].shape[2]
    n_columns = min(p, n_directions + OVERSAMPLING)
    Q = torch.randn(p, n_columns, generator=generator, dtype=torch.float64)
    Q = Q.to(tokens[0])
    # Rounds, and what comes after them, take 2 p n_columns operations a token each.
    if p <= (N_ROUNDS + 1) * n_columns:
        Q = torch.eye(p, dtype=Q.dtype, device=Q.device)
    for _ in range(N_ROUNDS if Q.shape[1] < p else 0):
        products = [w @ (x @ Q) for x, w in zip(tokens, weights, strict=True)]
        # QR in double precision: columns of small values are all but parallel.
        Q = sum(_inner(x, y) for x, y in zip(tokens, products, strict=True))
        Q = torch.linalg.qr(Q.double())[0].to(tokens[0])
    projected = tokens if Q.shape[1] == p else [x @ Q for x in tokens]
    inner = sum(_inner(y, w @ y) for y, w in zip(projected, weights, strict=True))
    values, vectors = torch.linalg.eigh(inner.double())
    vectors = (Q.double() @ vectors.flip(1)[:, :n_directions]).to(Q)
    return vectors, values.flip(0)[:n_directions].clamp(min=0)


def _inner(x, y):
    """Return ``sum_i X_i' Y_i``."""
    return x.flatten(0, 1).T @ y.flatten(0, 1)


def allocate(values, width):
    """Choose how many directions of either side each matrix keeps.

    The error of the kernel goes by the squares of the eigenvalues left out, and r and s
    directions cost r s numbers: whatever takes away most of it for a number goes next.

    Parameters
    ----------
    values : list of (list of float, list of float)
        Eigenvalues of the left and right side of each matrix, falling.
    width : int
        Numbers to spend.

    Returns
    -------
    list of list of int
        r and s of each matrix.
    """
    sizes = [[1, 1] for _ in values]

    def best(i):
        """Return gain a number, matrix, side and the size that comes next."""
        options = []
        for side, all_values in enumerate(values[i]):
            size, other = sizes[i][side], sizes[i][1 - side]
            if size < len(all_values):
                stop = min(len(all_values), size + max(1, len(all_values) // 32))
                gain = sum(value**2 for value in all_values[size:stop])
                options.append((-gain / ((stop - size) * other), i, side, stop))
        return min(options, default=None)

    heap = [option for option in map(best, range(len(values))) if option]
    heapq.heapify(heap)
    spent = len(values)
    while heap and spent < width:
        _, i, side, size = heapq.heappop(heap)
        spent += (size - sizes[i][side]) * sizes[i][1 - side]
        sizes[i][side] = size
        if following := best(i):
            heapq.heappush(heap, following)
    return sizes
