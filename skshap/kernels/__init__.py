"""Kernels: the empirical NTK of a network."""

from skshap.kernels._entk import EmpiricalNTK

__all__ = ["EmpiricalNTK"]
