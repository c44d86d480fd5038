"""Kernels: the empirical NTK of a network, kernels of vectors, sums over columns."""

from skshap.kernels._column import ColumnKernel
from skshap.kernels._entk import EmpiricalNTK
from skshap.kernels._folder import reduce_memory
from skshap.kernels._make_column_kernel import make_column_kernel
from skshap.kernels._pairwise import PairwiseKernel

__all__ = [
    "ColumnKernel",
    "EmpiricalNTK",
    "PairwiseKernel",
    "make_column_kernel",
    "reduce_memory",
]
