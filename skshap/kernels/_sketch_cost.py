"""Predicting the cost of a sketch: pieces are timed, and how many there are counted."""

from functools import partial

import numpy as np
import torch
from sklearn.utils import Bunch

from skshap.kernels._cost import typical_rows
from skshap.kernels._sketched import CHUNK, N_HELD_OUT, SAMPLE_BYTES, SAMPLE_ROWS
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._factors import BatchGradients, Layout
from skshap.nn._gram import gram, quick_squared_norms
from skshap.nn._sketch import GradientSketch
from skshap.utils._timing import timed

__all__ = ["predict_sketch_cost"]

N_MEASURED = 16  # of the rows that the error is measured on, whose products are timed
N_PRODUCTS = 256  # rows whose products with the second projection are timed


def predict_sketch_cost(sketched, rows, *, is_stored):
    """Predict what the kernel matrix of rows takes, if nothing of it is stored yet.

    Parameters
    ----------
    sketched : SketchedRows
        Not fitted.
    rows : list or ndarray
        The training rows.
    is_stored : bool
        Whether a `DiskStore` will be used.

    Returns
    -------
    Bunch
        `seconds` of wall time, `memory` and `disk` in bytes.
    """
    gradients, n = sketched.gradients, len(rows)
    some, share = typical_rows(gradients, rows)
    passing, held = timed(
        lambda: list(gradients.captured(some)),
        lambda: list(gradients.captured(some[:2])),
    )
    batches = [batch for _, batch in held]
    held_bytes = sum(a.nbytes + d.nbytes for b in batches for a, d in b.pairs) * share
    held_bytes = max(1, held_bytes)  # of a network without matrices
    n_found = min(n, SAMPLE_ROWS, CHUNK * -int(-SAMPLE_BYTES // (CHUNK * held_bytes)))

    sketch = sketched.new_sketch(rows)
    fixed, growing = _finding_seconds(sketch, batches)
    mapping, first = timed(lambda: [sketch.features(batch) for batch in batches])
    alone = [BatchedRows(sketch.layout, [batch]) for batch in batches]
    norming, _ = timed(
        lambda: [quick_squared_norms(sketch.layout, rows) for rows in alone]
    )
    one_row = (passing + mapping + norming) * share
    n_sample, width = min(n, 2 * sketched.n_components), first[0].shape[1]
    n_kept = min(n_sample, sketched.n_components)
    second, flops = _second_stage(first[0], n, n_sample, n_kept)
    n_held_out = min(N_HELD_OUT, n // 8)
    exact = [row for batch in batches for row in batch.rows()]
    exact = exact[: min(n_held_out, N_MEASURED)]
    measuring, _ = timed(lambda: gram(sketch.layout, exact)) if exact else (0.0, None)

    seconds = n * one_row + fixed + growing * share * n_found + second * flops
    seconds += measuring * (n_held_out / max(1, len(exact))) ** 2
    seconds += (
        timed(lambda: np.ones((512, n_kept)) @ np.ones((n_kept, 512)))[0]
        * (n / 512) ** 2
    )
    itemsize = first[0].itemsize
    sampled, projections = (itemsize * width * k for k in (n_sample, n_kept))
    memory = max(
        n_found * held_bytes + sampled,
        sampled + projections + 8 * 3 * n_sample**2,
        3 * projections,  # as they are stored
    )
    network = sum(p.nbytes for p in gradients.network.parameters())
    passed = 4 * gradients.reader.batch_size * held_bytes  # a batch on its way
    memory += 24 * n * n_kept + 8 * n**2 + network + passed
    disk = n * (n_kept + 1) * itemsize + projections
    return Bunch(
        seconds=float(seconds), memory=int(memory), disk=int(disk) if is_stored else 0
    )


def _finding_seconds(sketch, batches):
    """Find directions; return seconds that do not grow with rows, and those that do.

    The first are what one row takes, timed once for each shape of a factor.
    """
    whole, _ = timed(lambda: sketch.fit_directions(batches))
    factors, known = sketch.layout.factors, {}
    for index, factor in enumerate(factors):
        if factor not in known:
            one = GradientSketch(Layout(0, [factor]), sketch.width // len(factors))
            vector, pairs, counts = batches[-1]
            pair = tuple(part[:1] for part in pairs[index])
            row = BatchGradients(vector[:1, :0], [pair], [counts[index][:1]])
            known[factor], _ = timed(partial(one.fit_directions, [row]))
    fixed = min(whole, sum(known[factor] for factor in factors))
    return fixed, whole - fixed


def _second_stage(first, n, n_sample, n_kept):
    """Return seconds an operation, and operations, of the second projection."""
    width = first.shape[1]
    left = torch.ones(N_PRODUCTS, width, dtype=first.dtype, device=first.device)
    taken, _ = timed(lambda: left @ left.T)
    flops = n_sample**2 * width * 2  # in double precision, but half of it
    flops += 9 * n_sample**3 * 2  # eigenvectors
    flops += 2 * n_sample * width * n_kept  # of the projection itself
    flops += 2 * n * width * n_kept
    return taken / (2 * N_PRODUCTS**2 * width), flops
