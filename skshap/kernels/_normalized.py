"""The part of `EmpiricalNTK` that normalizes: what kernel values are divided by."""

import numpy as np

__all__ = ["Normalized"]


class Normalized:
    """Mixin of :class:`skshap.EmpiricalNTK`: division by norms of gradients.

    It needs the parameters of `fit`, the mean squared norm `scale_` of the training
    gradients, the rows `X_fit_` and the property `_gradients`.
    """

    @property
    def _normalize(self):
        """As it was in `fit`, which `scale_` is of."""
        return self._parameters_fit["normalize"]

    def _normalized(self, K, rows):
        """Normalize inner products between the gradients of rows and `X_fit_`."""
        if self._normalize == "cosine":
            left, right = (
                self._gradients.squared_norms(r) for r in (rows, self.X_fit_)
            )
            self._check_norms(left)
            K /= np.outer(np.sqrt(left), np.sqrt(right))
            return K
        K /= self.scale_ if self._normalize else 1.0
        return K

    def _check_norms(self, norms):
        """Raise if a norm that is divided by is zero."""
        is_zero = norms == 0
        if is_zero.any() if self._normalize == "cosine" else is_zero.all():
            raise ValueError(
                f"normalize={self._normalize!r} divides by the norms of gradients, but "
                f"{is_zero.sum()} rows have a gradient of zero; check the weights of "
                "model, or set normalize=False."
            )

    def _scaled(self, features, squared_norms):
        """Normalize features of rows, whose gradients have these norms."""
        if self._normalize == "cosine":
            self._check_norms(squared_norms)
            return features / np.sqrt(squared_norms)[:, None]
        return features / np.sqrt(self.scale_ if self._normalize else 1.0)
