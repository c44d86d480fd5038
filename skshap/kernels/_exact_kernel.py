"""The engine of an exact `EmpiricalNTK`: products of gradients, pair by pair."""

import numpy as np

from skshap.kernels._cost import predict_cost
from skshap.kernels._gpu_cost import predict_gpu_cost
from skshap.kernels._row_gram import row_gram

__all__ = ["ExactKernel"]


class ExactKernel:
    """Kernel values between rows and the training rows, multiplied out.

    Parameters
    ----------
    gradients : RowGradients
        Of the network.
    rows_fit : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
        The training rows.
    normalization : Normalization
        Fitted in `fit` or `set_state`.
    """

    error = lost_diagonal = 0.0  # which a sketch has

    def __init__(self, gradients, rows_fit, normalization):
        self.gradients = gradients
        self.rows_fit = rows_fit
        self.normalization = normalization

    def fit(self):
        """Compute the norms of the training gradients."""
        self.normalization.fit(self.gradients.squared_norms(self.rows_fit))

    def fit_kernel(self):
        """Fit and return the kernel of the training rows, exactly symmetric."""
        if self.gradients.is_on_gpu:
            K = row_gram(self.gradients, self.rows_fit)  # with norms, in one go
            self.fit()
        else:
            self.fit()
            K = row_gram(self.gradients, self.rows_fit)
        return self._normalized(K, self.rows_fit)

    def kernel(self, rows):
        """Return the kernel of rows with the training rows."""
        K = row_gram(self.gradients, rows, self.rows_fit)
        K = self._normalized(K, rows)
        self.gradients.forget_all_but(self.rows_fit)
        return K

    def diagonal(self, rows):
        """Return the kernel value of each row with itself."""
        norms = self.gradients.squared_norms(rows)
        self.gradients.forget_all_but(self.rows_fit)
        return self.normalization.diagonal(norms)

    def cost(self, *, is_stored):
        """Predict what the kernel of the training rows takes; see `predict_cost`."""
        predict = predict_gpu_cost if self.gradients.is_on_gpu else predict_cost
        return predict(self.gradients, self.rows_fit, is_stored=is_stored)

    def state(self):
        """Return what `set_state` needs in another process."""
        return self.normalization.scale

    def set_state(self, state):
        """Take over what `state` returned after a fit."""
        self.normalization.scale = state

    def _normalized(self, K, rows):
        """Normalize products between the gradients of rows and the training rows."""
        if self.normalization.is_cosine:
            left, right = map(self.gradients.squared_norms, (rows, self.rows_fit))
            self.normalization.check(left)
            K /= np.outer(np.sqrt(left), np.sqrt(right))
        else:
            K /= self.normalization.divisor
        return K
