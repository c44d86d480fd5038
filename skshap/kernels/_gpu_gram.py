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
from skshap.nn._gram import gram, squared_norms
from skshap.nn._gram_cost import gram_cost
from skshap.utils._progress import progress_bar
from skshap.utils._warn import warn_caller

__all__ = ["GPU_TILE_ROWS", "SIDE_SHARE", "complete_on_gpus", "free_bytes"]

SIDE_SHARE = 0.3  # of a GPU's free memory, for the gradients of either side of a tile
GPU_TILE_ROWS = 1 << 13  # of a tile, at most
TILES_A_WORKER = 2  # of a side, at least


class Block(NamedTuple):
    """Rows whose gradients are held together.

    Attributes
    ----------
    indices : ndarray of shape (n,)
        Which rows of a side of the matrix.
    batches : list of (ndarray or None, batch)
        Lengths of the rows of a batch, and what the network reads.
    """

    indices: np.ndarray
    batches: list


def complete_on_gpus(gradients, tiles, left, right):
    """Compute what is missing in a kernel matrix, tile by tile.

    Squared norms of rows are stored as they come on the way; others are left out.

    Parameters
    ----------
    gradients : RowGradients
        Of a network on a GPU.
    tiles : Tiles
        The matrix.
    left, right : Rows
        Its rows and columns.
    """
    gradients.find_layout(left.rows)  # which copies of the network keep
    most_rows = GPU_TILE_ROWS
    with progress_bar(
        total=tiles.n_missing(),
        desc="kernel",
        unit=" values",
        verbose=gradients.verbose,
    ) as bar:
        # Rows that lack the most come first: those added to others that are stored.
        while (lacking := tiles.missing_in_rows()).any():
            i = np.flatnonzero(2 * lacking >= lacking.max())
            j = np.flatnonzero(tiles.missing_in_columns(i))
            is_symmetric = left.keys == right.keys and len(i) == len(j) == len(lacking)
            # Tasks are blocks of the longer side, if there are several workers; each
            # computes the gradients of the shorter side again.
            is_turned = count_workers(gradients.devices) > 1 and len(i) < len(j)
            sides = [(left, i), (right, j)][:: -1 if is_turned else 1]
            blocks = _cut(gradients, *sides[0], most_rows, is_shared=True)
            others = blocks
            if not is_symmetric:
                others = _cut(gradients, *sides[1], most_rows)
            tasks = _tasks(gradients, tiles, left, blocks, others, is_turned)
            try:
                _run(gradients, tiles, left, tasks, is_turned, bar)
            except RuntimeError as error:
                largest = max(len(block.indices) for block in (*blocks, *others))
                if not is_memory_error(error) or largest <= gradients.reader.batch_size:
                    raise
                most_rows = largest // 2
            else:
                continue
            # Out of the handler, which holds on to what the tile takes.
            _catch_up(bar, tiles)
            warn_caller(
                f"a tile of the kernel of {largest} rows does not fit into the memory "
                "of the GPU and is halved.",
                SmallerBatchWarning,
            )


def _tasks(gradients, tiles, left, blocks, others, is_turned):
    """Yield a block, the others with which values are missing, and if norms are."""
    unknown = np.isnan(gradients.store.get_norms(left.keys))
    # The largest first, so that workers end together.
    for k in reversed(range(len(blocks))):
        block, some = blocks[k], others[: k + 1] if others is blocks else others
        some = [other for other in some if _lacks(tiles, block, other, is_turned)]
        if some:
            yield block, some, not is_turned and unknown[block.indices].any()


def _run(gradients, tiles, left, tasks, is_turned, bar):
    """Compute tiles and keep them."""
    advance = None
    if count_workers(gradients.devices) == 1:

        def advance(n_values, share):
            bar.update(min(round(n_values * share), bar.total - bar.n))

    function = partial(_compute, gradients.options["is_sign"], advance)
    for (block, others, _), (norms, found) in map_tasks(
        function, gradients.capture, tasks, gradients.devices
    ):
        if norms is not None:
            gradients.store.put_norms([left.keys[k] for k in block.indices], norms)
        for other, K in zip(others, found, strict=True):
            if is_turned:
                tiles.keep(other.indices, block.indices, K.T)
            else:
                tiles.keep(block.indices, other.indices, K)
        _catch_up(bar, tiles)


def _catch_up(bar, tiles):
    """Have a bar show what is there, with mirror images of tiles."""
    bar.update(bar.total - tiles.n_missing() - bar.n)


def _lacks(tiles, block, other, is_turned):
    """Whether values between two blocks are missing."""
    i, j = block.indices, other.indices
    return (tiles.missing(j, i) if is_turned else tiles.missing(i, j)).any()


def _cut(gradients, side, indices, most_rows, *, is_shared=False):
    """Cut rows into blocks whose gradients fit into memory.

    Parameters
    ----------
    gradients : RowGradients
    side : Rows
    indices : ndarray
        Which of them.
    most_rows : int
        Of a block; a batch is not cut.
    is_shared : bool, default=False
        Whether there should be a block for each worker.

    Returns
    -------
    list of Block
    """
    rows = [side.rows[k] for k in indices]
    n_workers, devices = count_workers(gradients.devices), gradients.devices
    if is_shared and n_workers > 1:
        most_rows = min(most_rows, -(-len(rows) // (n_workers * TILES_A_WORKER)))
    free = min(free_bytes(device or gradients.device) for device in devices)
    most_bytes = SIDE_SHARE * free / -(-n_workers // len(devices))
    blocks, n_bytes, n_rows = [], np.inf, 0
    for places, lengths, batch in gradients.reader.batches(rows):
        size = _n_bytes(gradients, rows, len(places), lengths)
        if n_bytes + size > most_bytes or n_rows + len(places) > most_rows:
            blocks.append(([], []))
            n_bytes = n_rows = 0
        n_bytes, n_rows = n_bytes + size, n_rows + len(places)
        blocks[-1][0].append(indices[places])
        blocks[-1][1].append((lengths, batch))
    return [Block(np.concatenate(parts), batches) for parts, batches in blocks]


def _n_bytes(gradients, rows, n, lengths):
    """Return how much memory the gradients of a batch of n of some rows take."""
    counts = gradients.token_counts(rows, 1 if lengths is None else max(lengths))
    return gram_cost(gradients.layout, n, counts, gradients.itemsize)[0]


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
    rows, norms, found = _held(capture, block, is_alone=True), None, []
    if with_norms:
        norms = squared_norms(capture.layout(), rows, is_sign=is_sign)
    for other in others:
        columns = None if other is block else _held(capture, other)
        step = advance and partial(advance, len(block.indices) * len(other.indices))
        found.append(
            gram(capture.layout(), rows, columns, is_sign=is_sign, advance=step)
        )
    return norms, found


def _held(capture, block, *, is_alone=False):
    """Compute the gradients of a block's rows; say if no others are held."""
    batches = []
    for lengths, batch in block.batches:
        # A batch is halved only if it is what does not fit, and not the tile.
        may_halve = is_alone and not batches
        batches.append(capture.gradients(batch, lengths, may_halve=may_halve))
    return BatchedRows(capture.layout(), batches)


def free_bytes(device):
    """Return how much memory of a GPU is free for tensors."""
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + unused
