"""The kernel matrix on GPUs: tiles whose gradients stay where they are computed.

To copy gradients to the memory of the CPU and back takes many times as long as to
compute them again. A tile is as large as the memory of a GPU allows: in most cases it
is the whole matrix.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from skshap.kernels._workers import count_workers, map_tasks
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._gram import gram, gram_cost, squared_norms
from skshap.utils._progress import progress_bar

__all__ = ["complete_on_gpus"]

SIDE_SHARE = 0.3  # of a GPU's free memory, for the gradients of either side of a tile
TILES_A_WORKER = 2  # of a side, at least


class Block(NamedTuple):
    """Rows whose gradients are held together.

    Attributes
    ----------
    places : ndarray of shape (n,)
        Where the rows are.
    batches : list of tuple
        Lengths of the rows of a batch, and what the network reads.
    """

    places: np.ndarray
    batches: list


def complete_on_gpus(gradients, tiles, left, right):
    """Compute what is missing in a kernel matrix, tile by tile, and norms of its rows.

    Parameters
    ----------
    gradients : RowGradients
        Of a network on a GPU.
    tiles : Tiles
        The matrix.
    left, right : Rows
        Its rows and columns.
    """
    gradients.find_layout(left.rows)
    sides = [_cut(gradients, left)]
    is_symmetric = left.keys == right.keys
    sides.append(sides[0] if is_symmetric else _cut(gradients, right))
    tasks = []
    unknown = np.isnan(gradients.store.get_norms(left.keys))
    for k, block in enumerate(sides[0]):
        others = sides[1][: k + 1] if is_symmetric else sides[1]
        others = [b for b in others if tiles.missing(block.places, b.places).any()]
        if others:
            tasks.append((block, others, unknown[block.places].any()))
    function = partial(_compute, gradients.options["is_sign"])
    with progress_bar(
        total=tiles.n_missing(),
        desc="kernel",
        unit=" values",
        verbose=gradients.verbose,
    ) as bar:
        # The largest first, so that workers end together.
        for (block, others, _), (norms, found) in map_tasks(
            function, gradients.capture, tasks[::-1], gradients.devices
        ):
            if norms is not None:
                gradients.store.put_norms([left.keys[k] for k in block.places], norms)
            for other, K in zip(others, found, strict=True):
                n_new = tiles.keep(block.places, other.places, K)
                bar.update(n_new)


def _cut(gradients, side):
    """Cut rows into blocks whose gradients fit into memory."""
    batches = list(gradients.batches(side.rows))
    sizes = np.array([_n_bytes(gradients, side.rows, *batch[:2]) for batch in batches])
    n_workers = count_workers(gradients.devices)
    most = SIDE_SHARE * free_bytes(gradients.device)
    if n_workers > 1:
        most = min(most, sizes.sum() / (n_workers * TILES_A_WORKER))
    blocks, held = [], np.inf
    for (places, *batch), size in zip(batches, sizes, strict=True):
        if held + size > most:
            blocks.append(([], []))
            held = 0
        held += size
        blocks[-1][0].append(places)
        blocks[-1][1].append(batch)
    return [Block(np.concatenate(places), batches) for places, batches in blocks]


def _n_bytes(gradients, rows, places, lengths):
    """Return how much memory the gradients of a batch take."""
    counts = gradients.token_counts(rows, 1 if lengths is None else max(lengths))
    return gram_cost(gradients.layout, len(places), counts, gradients.itemsize)[0]


def _compute(is_sign, capture, task):
    """Compute tiles between a block of rows and others.

    Parameters
    ----------
    is_sign : bool
    capture : GradientCapture
    task : tuple of (Block, list of Block, bool)
        The bool asks for norms.

    Returns
    -------
    norms : ndarray or None
        Squared, of the rows of the block.
    found : list of ndarray
        A tile for each of the others.
    """
    block, others, with_norms = task
    rows, norms, found = _held(capture, block), None, []
    if with_norms:
        norms = squared_norms(capture.layout(), rows, is_sign=is_sign)
    for other in others:
        if other is block:
            found.append(gram(capture.layout(), rows, is_sign=is_sign))
        else:
            columns = _held(capture, other)
            found.append(gram(capture.layout(), rows, columns, is_sign=is_sign))
    return norms, found


def _held(capture, block):
    """Compute the gradients of a block's rows."""
    batches = [capture.gradients(batch, lengths) for lengths, batch in block.batches]
    return BatchedRows(capture.layout(), batches)


def free_bytes(device):
    """Return how much memory of a GPU is free for tensors."""
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + unused
