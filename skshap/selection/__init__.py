"""Selection: estimators that act on the values of training rows."""

from skshap.selection._label_noise import LabelNoiseDetector

__all__ = ["LabelNoiseDetector"]
