"""The parameter `normalize` of an `EmpiricalNTK`: what its values are divided by."""

import numpy as np

__all__ = ["Normalization"]


class Normalization:
    """Division by norms of gradients.

    Parameters
    ----------
    normalize : bool or "cosine"
        See :class:`skshap.EmpiricalNTK`.

    Attributes
    ----------
    is_cosine : bool
        Whether each row is divided by a norm of its own.
    scale : float
        Mean squared norm of the training gradients.
    """

    def __init__(self, normalize):
        self.normalize = normalize
        self.is_cosine = normalize == "cosine"
        self.scale = None

    def fit(self, squared_norms):
        """Take the scale from the norms of the training gradients."""
        self.scale = float(squared_norms.mean())
        if self.normalize:
            self.check(squared_norms)

    def check(self, squared_norms):
        """Raise if a norm that is divided by is zero."""
        is_zero = squared_norms == 0
        if is_zero.any() if self.is_cosine else is_zero.all():
            raise ValueError(
                f"normalize={self.normalize!r} divides by the norms of gradients, but "
                f"{is_zero.sum()} rows have a gradient of zero; check the weights of "
                "model, or set normalize=False."
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
