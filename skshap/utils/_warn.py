"""Warnings that point to the line of the user's that they are about."""

import sys
import warnings

__all__ = ["warn_caller"]

# Callers in between; NumPy is where `np.errstate` decorates a function.
INNER = {"contextlib", "imblearn", "joblib", "numpy", "sklearn", "skshap"}


def warn_caller(message, category=UserWarning):
    """Warn at the line that called into this package, maybe by way of others.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back and package(frame) in INNER:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def package(frame):
    """Return the name of the package that a frame runs code of."""
    return str(frame.f_globals.get("__name__")).partition(".")[0]
