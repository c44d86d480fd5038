"""Data attribution for scikit-learn: which training rows help, and which harm."""

from skshap.attribution import FreeShapAttributor, FreeShapRegressor
from skshap.datasets import flip_labels, load_bbc_news, load_rotten_tomatoes
from skshap.evaluation import detection_curve
from skshap.exceptions import ModelNotFoundError, NotPositiveDefiniteError
from skshap.inspection import DetectionCurveDisplay, LabelNoiseReport
from skshap.kernel_ridge import KernelRidgeClassifier, KernelRidgeClassifierCV
from skshap.kernels import (
    ColumnKernel,
    EmpiricalNTK,
    PairwiseKernel,
    make_column_kernel,
    reduce_memory,
)
from skshap.selection import DataRemoval, DataSelector, LabelNoiseDetector

__all__ = [
    "ColumnKernel",
    "DataRemoval",
    "DataSelector",
    "DetectionCurveDisplay",
    "EmpiricalNTK",
    "FreeShapAttributor",
    "FreeShapRegressor",
    "KernelRidgeClassifier",
    "KernelRidgeClassifierCV",
    "LabelNoiseDetector",
    "LabelNoiseReport",
    "ModelNotFoundError",
    "NotPositiveDefiniteError",
    "PairwiseKernel",
    "detection_curve",
    "flip_labels",
    "load_bbc_news",
    "load_rotten_tomatoes",
    "make_column_kernel",
    "reduce_memory",
]
__version__ = "0.1.0.dev0"
