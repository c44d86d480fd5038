"""Attribution: values of training rows."""

from skshap.attribution._freeshap import FreeShapAttributor

__all__ = ["FreeShapAttributor"]
