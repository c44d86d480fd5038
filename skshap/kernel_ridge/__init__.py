"""Kernel ridge regression on class indicators, as classifiers."""

from skshap.kernel_ridge._classifier import KernelRidgeClassifier
from skshap.kernel_ridge._classifier_cv import KernelRidgeClassifierCV

__all__ = ["KernelRidgeClassifier", "KernelRidgeClassifierCV"]
