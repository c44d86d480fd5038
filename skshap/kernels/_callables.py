"""What a callable must be to serve as a kernel."""

from numbers import Real

import numpy as np

__all__ = ["check_callable", "check_symmetric"]

N_TRIED = 6  # rows that a callable takes either way
ASYMMETRY = 1e-5  # of kernel values, by the largest: more than rounding of float32


def check_callable(kernel, params, x, y):
    """Raise unless a callable maps two rows, `x` and `y`, to one number."""
    what = (
        f"kernel={kernel!r} must be a callable k(x, y) that maps two rows of X to one "
        "number"
    )
    try:
        value = kernel(x, y, **params)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what}; a function of two tables goes in by its name, or its values with "
            f"kernel='precomputed'. On two rows of shape {x.shape} it failed: {error}"
        ) from error
    if np.shape(value):
        raise ValueError(
            f"{what}, but it returned an array of shape {np.shape(value)}."
        )
    if not hasattr(value, "dtype") and not isinstance(value, Real):
        raise ValueError(f"{what}, but it returned {value!r:.40}.")


def check_symmetric(kernel, params, rows):
    """Raise unless a callable gives some pairs of rows one value either way."""
    some = np.unique(np.linspace(0, len(rows) - 1, N_TRIED).round().astype(int))
    K = np.array([[kernel(rows[i], rows[j], **params) for j in some] for i in some])
    skew = np.abs(K - K.T)
    if skew.max() > ASYMMETRY * np.abs(K).max():
        i, j = sorted(np.unravel_index(skew.argmax(), skew.shape))
        raise ValueError(
            f"kernel={kernel!r} must be symmetric, but of rows {some[i]} and {some[j]} "
            f"of X, x and y, k(x, y) is {K[i, j]:.6g} and k(y, x) is {K[j, i]:.6g}; "
            "their mean is symmetric."
        )
