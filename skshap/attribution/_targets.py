"""What is warned of targets of a regression."""

import numpy as np

from skshap.utils._warn import warn_caller

__all__ = ["warn_of_mean", "warn_of_outliers"]

FAR = 5  # standard deviations of targets between their mean and zero
OUTLYING = 30  # interquartile ranges of targets between one and their median


def warn_of_mean(y):
    """Warn of targets whose mean, not what sets them apart, is what is predicted."""
    largest = np.abs(y).max() or 1.0  # in whose units squares are numbers
    mean, spread = largest * (y / largest).mean(), largest * (y / largest).std()
    if y.max() > y.min() and abs(mean) > FAR * spread:
        warn_caller(
            f"y has mean {mean:.3g} and standard deviation {spread:.2g}: predictions "
            "are pulled towards zero, so that rows are valued by how they reach the "
            "mean. Subtract it, y - y.mean(), from the targets to predict as well."
        )


@np.errstate(over="ignore", invalid="ignore")
def warn_of_outliers(y):
    """Warn of targets so far from the others that squared errors are theirs alone."""
    low, middle, high = np.percentile(y, [25, 50, 75])
    distance = np.abs(y - middle)
    n = int((distance > OUTLYING * (high - low)).sum())
    # Else most are the same, but for rounding, as counts that are mostly zero.
    is_spread = high - low > 1e-9 * max(abs(low), abs(high))
    if n and is_spread:
        i = int(distance.argmax())
        warn_caller(
            f"y has {n} of {len(y)} targets that are more than {OUTLYING} "
            f"interquartile ranges from their median of {middle:.3g}, the farthest "
            f"{y[i]:.3g} at position {i}: they may decide on squared errors, and pull "
            "predictions of other rows. Mend or drop them, or transform all targets, "
            "such as positive ones by np.log1p, those to predict as well."
        )
