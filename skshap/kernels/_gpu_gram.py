"""The kernel matrix on GPUs: tiles whose gradients stay where they are computed.

To copy gradients to the memory of the CPU and back takes many times as long as to
compute them again. A tile is as large as the memory of a GPU allows, up to a number of
rows: in most cases it is the whole matrix.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from skshap.exceptions import SmallerBatchWarning
from skshap.kernels._workers import count_workers, map_tasks
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._capture_checks import is_memory_error
from skshap.nn._gram import gram, gram_cost, squared_norms
from skshap.utils._progress import progress_bar
from skshap.utils._warn import warn_caller

__all__ = ["GPU_TILE_ROWS", "complete_on_gpus"]

SIDE_SHARE = 0.3  # of a GPU's free memory, for the gradients of either side of a tile
LEAST_SHARE = 0.01  # of it, at which memory that does not do is an error
GPU_TILE_ROWS = 1 << 13  # of a tile, at most
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
    with progress_bar(
        total=tiles.n_missing(),
        desc="kernel",
        unit=" values",
        verbose=gradients.verbose,
    ) as bar:
        share = SIDE_SHARE
        # Rows that lack the most come first: those added to others that are stored.
        while (lacking := tiles.missing_in_rows()).any():
            i = np.flatnonzero(2 * lacking >= lacking.max())
            j = np.flatnonzero(tiles.missing_in_columns(i))
            try:
                _complete_part(gradients, tiles, bar, (left, i), (right, j), share)
            except RuntimeError as error:
                share /= 2
                if not is_memory_error(error) or share < LEAST_SHARE:
                    raise
            else:
                continue
            # Out of the handler, which holds on to what the tile takes.
            warn_caller(
                "a tile of the kernel does not fit into the memory of the GPU and is "
                "halved; set a smaller batch_size or max_length, or method='sketch'.",
                SmallerBatchWarning,
            )


def _complete_part(gradients, tiles, bar, above, beside, share):
    """Compute the tiles between some rows and some columns."""
    (left, i), (right, j) = above, beside
    is_symmetric = left.keys == right.keys and len(i) == len(j) == len(left.keys)
    n_workers = count_workers(gradients.devices)
    # Of many workers each holds all of the shorter side and a part of the longer one.
    is_turned = n_workers > 1 and not is_symmetric and len(i) < len(j)
    sides = [above] if is_symmetric else [above, beside]
    sides = [_cut(gradients, *side, share) for side in sides]
    blocks, others = (sides * 2)[:2]
    if is_turned:
        blocks, others = others, blocks
    unknown = np.isnan(gradients.store.get_norms(left.keys))
    tasks = []
    for k, block in enumerate(blocks):
        some = others[: k + 1] if is_symmetric else others
        some = [other for other in some if _lacks(tiles, block, other, is_turned)]
        with_norms = not is_turned and unknown[block.places].any()
        if some:
            tasks.append((block, some, with_norms))
    function = partial(
        _compute,
        gradients.options["is_sign"],
        _follow(bar) if n_workers == 1 else None,
    )
    # The largest first, so that workers end together.
    for (block, computed, _), (norms, found) in map_tasks(
        function, gradients.capture, tasks[::-1], gradients.devices
    ):
        if norms is not None:
            gradients.store.put_norms([left.keys[k] for k in block.places], norms)
        for other, K in zip(computed, found, strict=True):
            if is_turned:
                tiles.keep(other.places, block.places, K.T)
            else:
                tiles.keep(block.places, other.places, K)
        bar.update(bar.total - tiles.n_missing() - bar.n)


def _lacks(tiles, block, other, is_turned):
    """Whether values between two blocks are missing."""
    i, j = block.places, other.places
    return (tiles.missing(j, i) if is_turned else tiles.missing(i, j)).any()


def _follow(bar):
    """Return what moves a bar on by a share of a tile of some values."""

    def advance(n_values, share):
        bar.update(min(round(n_values * share), bar.total - bar.n))

    return advance


def _cut(gradients, side, places, share):
    """Cut rows into blocks whose gradients fit into memory."""
    rows = [side.rows[k] for k in places]
    batches = list(gradients.batches(rows))
    sizes = np.array([_n_bytes(gradients, rows, *batch[:2]) for batch in batches])
    n_workers, devices = count_workers(gradients.devices), gradients.devices
    workers_a_device = -(-n_workers // len(devices))
    free = min(free_bytes(device or gradients.device) for device in devices)
    most_bytes, most_rows = share * free / workers_a_device, GPU_TILE_ROWS
    if n_workers > 1:
        most_rows = min(most_rows, -(-len(rows) // (n_workers * TILES_A_WORKER)))
    blocks, n_bytes, n_rows = [], np.inf, 0
    for (some, *batch), size in zip(batches, sizes, strict=True):
        if n_bytes + size > most_bytes or n_rows + len(some) > most_rows:
            blocks.append(([], []))
            n_bytes = n_rows = 0
        n_bytes, n_rows = n_bytes + size, n_rows + len(some)
        blocks[-1][0].append(places[some])
        blocks[-1][1].append(batch)
    return [Block(np.concatenate(places), batches) for places, batches in blocks]


def _n_bytes(gradients, rows, places, lengths):
    """Return how much memory the gradients of a batch take."""
    counts = gradients.token_counts(rows, 1 if lengths is None else max(lengths))
    return gram_cost(gradients.layout, len(places), counts, gradients.itemsize)[0]


def _compute(is_sign, advance, capture, task):
    """Compute tiles between a block of rows and others.

    Parameters
    ----------
    is_sign : bool
    advance : callable or None
        Called with the values of a tile and the share of it that a step has computed.
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
        columns = None if other is block else _held(capture, other)
        step = advance and partial(advance, len(block.places) * len(other.places))
        found.append(
            gram(capture.layout(), rows, columns, is_sign=is_sign, advance=step)
        )
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
