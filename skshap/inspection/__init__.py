"""Pictures of values and scores of rows."""

from skshap.inspection._detection_curve import DetectionCurveDisplay
from skshap.inspection._label_report import LabelNoiseReport

__all__ = ["DetectionCurveDisplay", "LabelNoiseReport"]
