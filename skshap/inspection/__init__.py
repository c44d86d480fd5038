"""Pictures of values and scores of rows."""

from skshap.inspection._detection_curve import DetectionCurveDisplay

__all__ = ["DetectionCurveDisplay"]
