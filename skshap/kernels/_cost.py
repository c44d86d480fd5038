"""Predicting the cost of a kernel: pieces are timed, and how many there are counted."""

import tempfile
import time

import numpy as np
from sklearn.utils import Bunch

from skshap.kernels import _memory_store, _row_gram
from skshap.kernels._store import DiskStore
from skshap.nn._factors import Layout
from skshap.nn._gram import CHUNK_BYTES, gram
from skshap.nn._gram_cost import count_operations
from skshap.nn._sorted_rows import BUCKET, CHUNK_COLUMNS
from skshap.nn._texts import cut_batches
from skshap.utils._timing import timed

__all__ = ["predict_cost", "typical_rows"]

N_MEASURED = 1000  # rows whose lengths are looked at
N_PASSED = 8, 64  # rows that go through the network, at least and at most
PASSED_SHARE = 1 / 16  # of the rows, in between
N_FEW = 256  # rows whose products by tokens are timed, at most
PIECE_COLUMNS = 1 << 13  # of multiplied-out gradients whose products are timed


def predict_cost(gradients, rows, *, is_stored):
    """Predict what the kernel matrix of rows takes, if nothing of it is stored yet.

    Parameters
    ----------
    gradients : RowGradients
        With a `MemoryStore`.
    rows : list or ndarray
        The training rows.
    is_stored : bool
        Whether a `DiskStore` will be used.

    Returns
    -------
    Bunch
        `seconds` of wall time, `memory` and `disk` in bytes.
    """
    sample, share = typical_rows(gradients, rows)
    passing, flat = timed(
        lambda: gradients.compute(sample), lambda: gradients.compute(sample[:2])
    )
    passing *= share  # seconds a row
    norming, _ = timed(
        lambda: _norms(gradients, flat), lambda: _norms(gradients, flat[:1])
    )
    norming /= len(flat)
    row_bytes = float(np.mean([row.nbytes for row in flat]))

    n = len(rows)
    most = max(1, int(_row_gram.TILE_BYTES / row_bytes))
    size = min(n, _row_gram.TILE_ROWS, most)
    n_sides = n / size  # of tiles
    n_beside = n_sides * (n_sides - 1) / 2
    seconds = n * (passing + norming) + n_sides * _tile_seconds(gradients, flat, size)
    if n_beside:
        seconds += n_beside * _tile_seconds(gradients, flat, size, is_square=False)
    n_fetched = n_beside * size + n  # rows whose gradients tiles ask for
    held = min(n, 2 * size)
    if is_stored:
        write, read = _disk_seconds(flat)
        seconds += n * write + n_fetched * read
    else:
        room = min(n, _memory_store.MEMORY_BYTES / row_bytes)
        seconds += (n - room) / n * n_fetched * passing
        held = room + min(n - room, held)
    network = sum(p.nbytes for p in gradients.network.parameters())
    passed = 2 * gradients.reader.batch_size * max(row.nbytes for row in flat)
    # Tiles beside the matrix and what of it is missing; at last twice the matrix.
    most = max(passed, 9 * n**2 + _tile_bytes(gradients, flat, size), 16 * n**2)
    memory = network + held * row_bytes + most
    disk = n * row_bytes + 8 * (n_sides + n_beside) * size**2 + 64 * n
    return Bunch(
        seconds=float(seconds), memory=int(memory), disk=int(disk) if is_stored else 0
    )


def typical_rows(gradients, rows):
    """Return a few rows of lengths as those of all, and what share of them one row is.

    It is that of all rows' mean length in the tokens of the few, with padding.
    """
    chosen = np.random.default_rng(0).permutation(len(rows))[:N_MEASURED]
    lengths = gradients.reader.lengths([rows[i] for i in chosen])
    least, most = N_PASSED
    n = min(len(chosen), max(least, min(most, int(PASSED_SHARE * len(rows)))))
    spread = (np.arange(n) + 0.5) / n * len(chosen)
    order = np.argsort(lengths, kind="stable")[spread.astype(np.intp)]
    sample = [rows[i] for i in chosen[order]]
    return sample, lengths.mean() / _padded_tokens(gradients.reader, sample)


def _norms(gradients, flat):
    for start in range(0, len(flat), gradients.reader.batch_size):
        gradients.norms_of(flat[start : start + gradients.reader.batch_size])


def _padded_tokens(reader, rows):
    """Count the tokens of batches by length, with those of padding."""
    longest = -np.sort(-reader.lengths(rows))
    batches = cut_batches(longest, reader.batch_size)
    return sum(longest[start] * (stop - start) for start, stop in batches)


def _tile_seconds(gradients, flat, size, *, is_square=True):
    """Time pieces of a tile of `size` rows and columns; return seconds of all of it."""
    layout, options = gradients.layout, gradients.options
    counts = np.array([layout.counts(row) for row in flat])

    def seconds(one, rows, n):
        rows = [rows[i % len(flat)] for i in range(n)]
        other = None if is_square else list(rows)
        # As if no terms cancelled; norms are known when tiles are computed.
        given = {"norms": [np.full(n, np.inf)] * 2, **options}
        return timed(
            lambda: gram(one, rows, other, **given),
            lambda: gram(one, rows[:1], **{**given, "norms": [np.full(1, np.inf)]}),
        )[0]

    def of_outputs(index, n_outputs, n):
        """Time the products of some outputs of a factor."""
        tokens = (layout.tokens(row, index) for row in flat)
        rows = [_flat_row([], [(a, d[:, :n_outputs])], d.dtype) for a, d in tokens]
        factor = layout.factors[index]._replace(n_outputs=n_outputs)
        return seconds(Layout(0, [factor]), rows, n)

    vectors = [_flat_row(layout.vector(row), [], row.dtype) for row in flat]
    total = seconds(Layout(layout.n_vector, []), vectors, size)
    known, pairs = {}, size**2 / (2 if is_square else 1)
    for index, factor in enumerate(layout.factors):
        p, q = factor.n_inputs, factor.n_outputs
        t = counts[:, index].mean()
        kind = (factor, round(float(t)))
        if kind not in known:
            n_tokens = size * t * (1 if is_square else 2)
            by_tokens, multiplied_out = count_operations(factor, pairs, t, t, n_tokens)
            some = max(2, PIECE_COLUMNS // p)
            is_by_tokens = factor.is_lookup or by_tokens < multiplied_out
            if is_by_tokens and not options["is_sign"]:
                n = min(size, N_FEW, max(BUCKET, size // 4))
                ratio = _n_products(size, is_square) / _n_products(n, is_square)
                known[kind] = ratio * of_outputs(index, q, n)
            elif some >= q:
                known[kind] = of_outputs(index, q, size)
            else:  # what is read is prepared once for all outputs
                one, many = (of_outputs(index, k, size) for k in (1, some))
                known[kind] = one + max(0, many - one) * (q - 1) / (some - 1)
        total += known[kind]
    return total


def _n_products(n, is_square):
    """Count the products of n rows with themselves, by buckets, or with others."""
    sizes = np.diff([*range(0, n, BUCKET), n])
    return (n**2 + (sizes**2).sum()) / 2 if is_square else n**2


def _flat_row(vector, pairs, dtype):
    """Lay out a gradient of few parts; see `Layout`."""
    parts = [[len(a) for a, _ in pairs], vector]
    parts += [part.ravel() for pair in pairs for part in pair]
    return np.concatenate(parts, dtype=dtype, casting="unsafe")


def _tile_bytes(gradients, flat, size):
    """Count what a tile needs: padded factors and multiplied-out gradients."""
    layout, itemsize = gradients.layout, flat[0].itemsize
    counts = np.mean([layout.counts(row) for row in flat], axis=0)
    pairs = zip(layout.factors, counts, strict=True)
    padded = max((f.width * t for f, t in pairs), default=0)
    largest = max((f.n_inputs * f.n_outputs for f in layout.factors), default=0)
    multiplied = 2 * size * min(largest, CHUNK_COLUMNS) * itemsize
    return 2 * size * padded * itemsize + min(multiplied, CHUNK_BYTES)


def _disk_seconds(flat):
    """Time writing and reading gradients; return seconds a row of each."""
    with tempfile.TemporaryDirectory() as folder:
        store = DiskStore(folder)
        keys = [f"{i:032x}" for i in range(len(flat))]
        start = time.perf_counter()
        for key, row in zip(keys, flat, strict=True):
            store.put_row(key, row)
        middle = time.perf_counter()
        for key in keys:
            store.get_row(key)
        stop = time.perf_counter()
    return (middle - start) / len(flat), (stop - middle) / len(flat)
