"""Curves and figures that say how good values and scores of rows are."""

from skshap.evaluation._detection import detection_curve

__all__ = ["detection_curve"]
