"""Attribution: values of training rows."""

from skshap.attribution._freeshap import FreeShapAttributor
from skshap.attribution._regressor import FreeShapRegressor

__all__ = ["FreeShapAttributor", "FreeShapRegressor"]
