"""The parameter `normalize` of an `EmpiricalNTK`: what its values are divided by."""

import numpy as np
import torch

__all__ = ["Normalization"]

SMALLEST = 1e-28  # least squared norm whose products float32 can hold


class Normalization:
    """Division by norms of gradients.

    Parameters
    ----------
    normalize : bool or "cosine"
        See :class:`skshap.EmpiricalNTK`.
    dtype : torch.dtype
        That gradients are computed in.

    Attributes
    ----------
    is_cosine : bool
        Whether each row is divided by a norm of its own.
    scale : float
        Mean squared norm of the training gradients.
    """

    def __init__(self, normalize, dtype):
        self.normalize = normalize
        self.smallest = 0.0 if dtype == torch.float64 else SMALLEST
        self.is_cosine = normalize == "cosine"
        self.scale = None

    def fit(self, squared_norms):
        """Take the scale from the norms of the training gradients."""
        self.scale = float(squared_norms.mean())
        self.check(squared_norms)

    def check(self, squared_norms):
        """Raise if norms are too small to be divided by, or products to be held."""
        is_zero = squared_norms == 0
        sizes = squared_norms if self.is_cosine else squared_norms.mean()
        is_small = (sizes < self.smallest) & (squared_norms < self.smallest) & ~is_zero
        if is_small.any():
            largest = np.sqrt(squared_norms[is_small].max())
            raise ValueError(
                f"the gradients of {is_small.sum()} rows are of norm {largest:.1g} or "
                "less, too small for products in single precision; set "
                "dtype='float64', or have model return logits, not probabilities."
            )
        if self.normalize and (is_zero.any() if self.is_cosine else is_zero.all()):
            raise ValueError(
                f"normalize={self.normalize!r} divides by the norms of gradients, but "
                f"{is_zero.sum()} rows have a gradient of zero"
                f"{' in single precision' if self.smallest else ''}; check the weights "
                "of model, or set normalize=False."
            )

    @property
    def divisor(self):
        """What all kernel values are divided by, if rows have no norms of their own."""
        return self.scale if self.normalize else 1.0

    def diagonal(self, squared_norms):
        """Normalize the squared norms of gradients themselves."""
        if self.is_cosine:
            self.check(squared_norms)
            return squared_norms / squared_norms
        return squared_norms / self.divisor

    def features(self, features, squared_norms):
        """Normalize features of rows, whose gradients have these norms."""
        if self.is_cosine:
            self.check(squared_norms)
            return features / np.sqrt(squared_norms)[:, None]
        return features / np.sqrt(self.divisor)
