"""Products of long rows: on the CPU of half a matrix, on a GPU in bfloat16 parts.

Tensor cores of data centres multiply bfloat16 some sixteen times as fast as float32.
There a float32 number is written as the sum of two bfloat16 numbers, which keeps 16 of
its 24 bits, and of the four products of parts the smallest is left out; sums are taken
in float32. The error of an inner product is below ``2e-5 |x| |y|``, and that of long
rows far less, as errors of entries have either sign (Henry, Tang and Heinecke, 2019,
arXiv:1904.06376).
"""

from functools import cache

import torch
from scipy.linalg import get_blas_funcs

from skshap.nn._sorted_rows import CHUNK_COLUMNS
from skshap.utils._ridge import blocks

__all__ = ["add_product"]

PANEL = 1024  # rows of a product that a GPU computes at once
# Compute capabilities whose bfloat16 is worth three products: on cards of consumers it
# is twice as fast or less.
FAST_HALVES = {(8, 0), (9, 0), (10, 0), (10, 3)}
FIRST_WITH_WIDE_SUMS = (2, 8)  # torch whose bfloat16 products can be summed in float32
LONGEST_SUM = 1 << 11  # in float32 on tensor cores, which cut off what they add


def add_product(K, G, H=None):
    """Add ``G H'`` to K; without H the lower triangle of ``G G'``, at least.

    Parameters
    ----------
    K : Tensor of shape (n, m)
        float64, changed in place.
    G : Tensor of shape (n, k)
    H : Tensor of shape (m, k) or None, default=None
    """
    if is_on_cpu(G):
        if H is not None:
            K += G @ H.T
            return
        syrk = get_blas_funcs("syrk", dtype=G.numpy().dtype)
        K += torch.from_numpy(syrk(1.0, G.numpy().T, trans=1, lower=1))
        return
    is_split = G.dtype == torch.float32 and is_worth_splitting(G.device)
    prepare, multiply = (split, multiply_parts) if is_split else (whole, multiply_whole)
    left = prepare(G)
    right = left if H is None else prepare(H)
    for start, stop in blocks(0, len(G), PANEL):
        rows, columns = slice(start, stop), slice(stop if H is None else len(H))
        K[rows, columns] += multiply(
            *(part[rows] for part in left), *(part[columns] for part in right)
        )


def is_on_cpu(G):
    """Whether a matrix is where scipy can multiply it."""
    return G.device.type == "cpu"


@cache
def is_worth_splitting(device):
    """Whether products of float32 on a GPU are taken of bfloat16 parts."""
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    is_new = version >= FIRST_WITH_WIDE_SUMS
    return is_new and torch.cuda.get_device_capability(device) in FAST_HALVES


def split(G):
    """Return the two bfloat16 numbers whose sum a float32 number nearly is."""
    high = G.bfloat16()
    return high, torch.sub(G, high, out=torch.empty_like(high))


def whole(G):
    """Return a matrix as its only part."""
    return (G,)


def multiply_parts(high, low, other_high, other_low):
    """Multiply matrices of two parts each.

    Parameters
    ----------
    high, low : Tensor of shape (n, k)
    other_high, other_low : Tensor of shape (m, k)

    Returns
    -------
    Tensor of shape (n, m)
        float64, of sums in float32 that are short where they are large.
    """
    large = sum_of_products(high, other_high, LONGEST_SUM)
    for G, H in ((high, other_low), (low, other_high)):
        large += sum_of_products(G, H, LONGEST_SUM << 3)
    return large


def sum_of_products(G, H, longest):
    """Multiply bfloat16 matrices in float64, but for sums of some length in float32."""
    n_sums = G.shape[1] // longest
    stop = n_sums * longest
    first, second = (
        part[:, :stop].unflatten(1, (n_sums, longest)).transpose(0, 1)
        for part in (G, H)
    )
    total = wide(torch.bmm, first, second).sum(0, dtype=torch.float64)
    return total.add_(wide(torch.mm, G[:, stop:], H[:, stop:]))


def multiply_whole(G, H):
    """Multiply matrices, in float64 but for sums of some length."""
    total = G.new_zeros(len(G), len(H), dtype=torch.float64)
    for start, stop in blocks(0, G.shape[1], CHUNK_COLUMNS):
        total += G[:, start:stop] @ H[:, start:stop].T
    return total


def wide(multiply, G, H):
    """Multiply bfloat16 matrices with sums in float32."""
    return multiply(G, H.mT, out_dtype=torch.float32)
