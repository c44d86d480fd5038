"""Predicting the cost of a kernel on a GPU, where gradients stay."""

import numpy as np
import torch
from sklearn.utils import Bunch

from skshap.kernels._cost import typical_rows
from skshap.kernels._gpu_gram import GPU_TILE_ROWS, SIDE_SHARE, free_bytes
from skshap.kernels._row_gram import count_products
from skshap.nn._product import add_product
from skshap.nn._sorted_rows import CHUNK_COLUMNS
from skshap.utils._timing import timed

__all__ = ["predict_gpu_cost"]

MOST_ROWS = 4096  # of a product that is timed


def predict_gpu_cost(gradients, rows, *, is_stored):
    """Predict what the kernel matrix of rows takes, if nothing of it is stored yet.

    Parameters
    ----------
    gradients : RowGradients
        Of a network on a GPU.
    rows : list or ndarray
        The training rows.
    is_stored : bool
        Whether a `DiskStore` will be used, for kernel values alone.

    Returns
    -------
    Bunch
        `seconds` of wall time on one GPU, `memory` of the CPU and `disk` in bytes.
    """
    sample, share = typical_rows(gradients, rows)
    passing, _ = timed(
        lambda: list(gradients.captured(sample)),
        lambda: list(gradients.captured(sample[:2])),
    )
    n = len(rows)
    n_bytes, operations = count_products(gradients, rows)
    held = min(GPU_TILE_ROWS, SIDE_SHARE * free_bytes(gradients.device) * n / n_bytes)
    n_blocks = np.ceil(n / max(1, held))  # each computed again beside those after it
    size = min(n, MOST_ROWS)
    dtype = torch.promote_types(gradients.dtype, torch.float32)
    G = torch.ones(size, CHUNK_COLUMNS, dtype=dtype, device=gradients.device)
    K = G.new_zeros(size, size, dtype=torch.float64)
    product, _ = timed(lambda: add_product(K, G), lambda: add_product(K, G))
    one = product / (size**2 * CHUNK_COLUMNS)  # seconds an operation
    passing *= share  # seconds a row
    seconds = n * passing * (n_blocks + 1) / 2 + operations * one
    network = sum(p.nbytes for p in gradients.network.parameters())
    disk = 8 * n**2 + 64 * n if is_stored else 0
    # Beside the matrix and what of it is missing, a tile and its copies; the network
    # was loaded before it went to the GPU.
    memory = network + 17 * n**2 + 50 * min(n, GPU_TILE_ROWS) ** 2
    return Bunch(seconds=float(seconds), memory=memory, disk=disk)
