"""The engine of a sketched `EmpiricalNTK`: products of explicit features."""

import numpy as np

from skshap.kernels._digest import row_keys
from skshap.kernels._sketch_cost import predict_sketch_cost

__all__ = ["SketchedKernel"]


class SketchedKernel:
    """Kernel values between rows and the training rows, by features of both.

    A row has much of its gradient in common with no other row: where it meets itself,
    it gets back what features lack, as far as the mean tells.

    Parameters
    ----------
    sketched : SketchedRows
        Of the network, without projections.
    rows_fit : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
        The training rows.
    normalization : Normalization
        Fitted in `fit` or `set_state`.

    Attributes
    ----------
    features_fit : ndarray of shape (n_samples, n_components)
        Of the training rows.
    lost_diagonal : float
        What features lack of the mean training diagonal.
    """

    def __init__(self, sketched, rows_fit, normalization):
        self.sketched = sketched
        self.rows_fit = rows_fit
        self.normalization = normalization
        self.features_fit, self.lost_diagonal = None, np.nan

    @property
    def error(self):
        """Relative error of the kernel on pairs of rows that no projection has seen."""
        return float(self.sketched.errors[int(self.normalization.is_cosine)])

    def fit(self):
        """Find projections, and the features of the training rows."""
        self.sketched.fit(self.rows_fit)
        features, norms = self.sketched.features(self.rows_fit)
        self.sketched.forget_all_but(self.rows_fit)
        self.normalization.fit(norms)
        self.features_fit = self.normalization.features(features, norms)
        whole = self.normalization.diagonal(norms).mean()
        kept = np.square(self.features_fit).sum(1).mean()
        self.lost_diagonal = max(0.0, float(whole - kept))

    def fit_kernel(self):
        """Fit and return the kernel of the training rows, exactly symmetric."""
        self.fit()
        return self._kernel(self.rows_fit, self.features_fit)

    def kernel(self, rows):
        """Return the kernel of rows with the training rows."""
        return self._kernel(rows, self.features(rows))

    def diagonal(self, rows):
        """Return the kernel value of each row with itself."""
        return np.square(self.features(rows)).sum(1) + self.lost_diagonal

    def features(self, rows):
        """Return the explicit features of rows."""
        features = self.normalization.features(*self.sketched.features(rows))
        self.sketched.forget_all_but(self.rows_fit)
        return features

    def cost(self, *, is_stored):
        """Predict what the kernel of the training rows takes; see `predict_cost`."""
        return predict_sketch_cost(self.sketched, self.rows_fit, is_stored=is_stored)

    def state(self):
        """Return what `set_state` needs in another process: projections travel."""
        own = self.normalization.scale, self.features_fit, self.lost_diagonal
        return *own, self.sketched.state()

    def set_state(self, state):
        """Take over what `state` returned after a fit."""
        self.normalization.scale, self.features_fit, self.lost_diagonal, state = state
        self.sketched.set_state(self.rows_fit, state)

    def _kernel(self, rows, features):
        K = features @ self.features_fit.T
        places = {}
        for j, key in enumerate(row_keys(self.rows_fit)):
            places.setdefault(key, []).append(j)
        for i, key in enumerate(row_keys(rows)):
            K[i, places.get(key, [])] += self.lost_diagonal
        return K
