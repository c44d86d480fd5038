"""The kernel matrix of rows of data: products of their gradients, tile by tile."""

from functools import partial

import numpy as np

from skshap.kernels._digest import row_keys, text_key
from skshap.kernels._gpu_gram import complete_on_gpus
from skshap.kernels._row_reader import distinct
from skshap.kernels._tiles import Tiles
from skshap.nn._gram import gram
from skshap.nn._gram_cost import gram_cost
from skshap.utils._progress import progress_bar

__all__ = ["count_products", "row_gram"]

TILE_ROWS = 1024  # of a tile of the kernel, which is computed and stored as one
TILE_BYTES = 1 << 30  # of gradients of either side of a tile


def row_gram(gradients, rows, other=None):
    """Compute the inner products between gradients of rows.

    Parameters
    ----------
    gradients : RowGradients
        Of the rows, with the store that kernel values are kept in.
    rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
        n rows.
    other : like `rows`, or None, default=None
        m rows; None for `rows` themselves.

    Returns
    -------
    ndarray of shape (n, m)
        float64; exactly symmetric if `other` is None.
    """
    left, expand = distinct(rows)
    right, expand_right = (left, expand) if other is None else distinct(other)
    K = gradients.store.get_gram(left.keys, right.keys)
    index = {key: j for j, key in enumerate(right.keys)}
    shared = [i for i, key in enumerate(left.keys) if key in index]
    norms = None
    if np.isnan(K).any():
        tiles = Tiles(K, left.keys, right.keys, gradients.store)
        if gradients.is_on_gpu:
            complete_on_gpus(gradients, tiles, left, right)
        else:
            norms = gradients.norms(left)
            others = norms if right.keys == left.keys else gradients.norms(right)
            _complete(gradients, tiles, left, right, (norms, others))
    if shared:
        # The same diagonal as that of `squared_norms`, to the last bit.
        norms = gradients.norms(left) if norms is None else norms
        K[shared, [index[left.keys[i]] for i in shared]] = norms[shared]
    if len(expand) == len(left.keys) and len(expand_right) == len(right.keys):
        return K
    return K[np.ix_(expand, expand_right)]


def count_products(gradients, rows):
    """Predict what all products between the gradients of rows take.

    It is kept in the store: where all kernel values are there too, the network need
    not be run at all.

    Parameters
    ----------
    gradients : RowGradients
    rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)

    Returns
    -------
    n_bytes : int
        That the gradients take.
    n_operations : float
        Multiplications and additions.
    """
    name = text_key("products", *row_keys(rows))
    found = gradients.store.get_row(name)
    if found is None or found.shape != (2,) or not np.isfinite(found).all():
        layout = gradients.find_layout(rows)
        counts = gradients.token_counts(rows, gradients.reader.lengths(rows).mean())
        found = np.array(gram_cost(layout, len(rows), counts, gradients.itemsize))
        gradients.store.put_row(name, found)
    return found


def _complete(gradients, tiles, left, right, norms):
    """Compute what is missing tile by tile, each of which is stored at once."""
    is_symmetric = left.keys == right.keys
    with progress_bar(
        total=tiles.n_missing(),
        desc="kernel",
        unit=" values",
        verbose=gradients.verbose,
    ) as bar:
        for i, a in _blocks(gradients, left, tiles.missing_in_rows):
            if is_symmetric and (part := tiles.missing(i, i).any(1)).any():
                a_part = [a[k] for k in np.flatnonzero(part)]
                _fill(gradients, tiles, bar, norms, i[part], i[part], a_part)
            beside = partial(tiles.missing_in_columns, i)
            for j, b in _blocks(gradients, right, beside):
                part = tiles.missing(i, j).any(1)
                a_part = [a[k] for k in np.flatnonzero(part)]
                _fill(gradients, tiles, bar, norms, i[part], j, a_part, b)


def _fill(gradients, tiles, bar, norms, i, j, a, b=None):
    """Compute a tile, store it, and move the bar on the way."""
    n_new = tiles.count_new(i, j)
    end = bar.n + n_new

    def advance(share):  # shares that are rounded may add up to more than all
        bar.update(min(round(share * n_new), end - bar.n))

    options = {"norms": [norms[0][i], norms[1][j]], **gradients.options}
    tiles.keep(i, j, gram(gradients.layout, a, b, advance=advance, **options))
    bar.update(end - bar.n)


def _blocks(gradients, side, count):
    """Yield some rows at a time that lack values, with their gradients.

    Rows that lack the most values come first, with others that lack at least half
    as many: little is computed twice.

    Parameters
    ----------
    gradients : RowGradients
    side : Rows
    count : callable
        Returns how many values each row lacks by now. Those of what was yielded
        must be there when the next is asked for.
    """
    while (lacking := count()).any():
        order = np.argsort(-lacking, kind="stable")
        order = order[2 * lacking[order] >= lacking[order[0]]][:TILE_ROWS]
        taken, taken_gradients, n_bytes = [], [], 0
        for start in range(0, len(order), gradients.reader.batch_size):
            some = order[start : start + gradients.reader.batch_size]
            found = dict(
                pair
                for indices, rows in gradients.stream(side, some)
                for pair in zip(indices, rows, strict=True)
            )
            taken.extend(some)
            taken_gradients.extend(found[k] for k in some)
            n_bytes += sum(row.nbytes for row in found.values())
            if n_bytes >= TILE_BYTES:
                break
        yield np.array(taken), taken_gradients
