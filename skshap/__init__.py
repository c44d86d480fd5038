"""Data attribution for scikit-learn: which training rows help, and which harm."""

from skshap.kernel_ridge import KernelRidgeClassifier
from skshap.kernels import EmpiricalNTK

__all__ = ["EmpiricalNTK", "KernelRidgeClassifier"]
__version__ = "0.1.0.dev0"
