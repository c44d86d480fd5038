"""Selection: estimators that act on the values of training rows."""

from skshap.selection._data_removal import DataRemoval
from skshap.selection._data_selector import DataSelector
from skshap.selection._label_noise import LabelNoiseDetector

__all__ = ["DataRemoval", "DataSelector", "LabelNoiseDetector"]
