"""The part of `EmpiricalNTK` that sketches: explicit features of the kernel."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from skshap.kernels._digest import row_keys
from skshap.kernels._network import check_seed
from skshap.kernels._row_gram import count_products
from skshap.kernels._sketched import SketchedRows

__all__ = ["ExplicitFeatures"]

N_COMPONENTS = 1024  # of a sketch, by default
# What method="auto" spends on an exact kernel.
EXACT_BYTES = 3 << 30
EXACT_OPERATIONS = 3e13
GPU_OPERATIONS = 3e15  # the same on a GPU


def _may_sketch(kernel):
    """Whether a kernel has explicit features, as far as can be told before a fit."""
    return getattr(kernel, "method_", kernel.method) != "exact"


class ExplicitFeatures:
    """Mixin of :class:`skshap.EmpiricalNTK`: the choice of a sketch, and its features.

    It needs the parameters `method`, `n_components` and `sign_gradient`, the rows
    `X_fit_` and the mixins `Normalized` and `Rebuilt`.
    """

    @available_if(_may_sketch)
    def transform_features(self, X):
        """Return explicit features, of which the kernel is the inner product.

        Only with ``method="sketch"``, or once ``method="auto"`` has chosen it.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Features, float64: ``transform(X)`` is their product with those of the
            training rows, and `lost_diagonal_` more where a row meets itself.
        """
        return self._features(self._check_new_rows(X))

    def _features(self, rows):
        features = self._scaled(*self._sketched_rows.features(rows))
        self._sketched_rows.forget_all_but(self.X_fit_)
        return features

    def _find_lost_diagonal(self):
        """Return what features lack of the mean training diagonal."""
        norms = self._norms_fit
        diagonal = np.square(self._scaled(np.sqrt(norms)[:, None], norms)).mean()
        kept = np.square(self._scaled(self._features_fit, norms)).sum(1).mean()
        return max(0.0, float(diagonal - kept))

    def _choose_method(self):
        """Choose between exact products and a sketch by counts, not by a clock."""
        if self.method == "sketch" and self.sign_gradient:
            raise ValueError(
                "method='sketch' projects gradients before they are multiplied out, "
                "but sign_gradient=True takes the signs of their entries; set "
                "method='exact' or sign_gradient=False."
            )
        if self.method != "auto" or self.sign_gradient:
            return "sketch" if self.method == "sketch" else "exact"
        n_bytes, n_operations = count_products(self._gradients, self.X_fit_)
        most = EXACT_OPERATIONS
        if self._gradients.is_on_gpu:  # where gradients are not held
            n_bytes, most = 0, GPU_OPERATIONS
        n_bytes = max(n_bytes, 8 * len(self.X_fit_) ** 2)  # of the kernel
        is_small = n_bytes <= EXACT_BYTES and n_operations <= most
        return "exact" if is_small else "sketch"

    def _fit_sketch(self):
        """Find projections and the features of the training rows; return norms."""
        check_seed(self, "projections")
        sketched = self._sketched_rows
        sketched.fit(self.X_fit_)
        self._features_fit, self._norms_fit = sketched.features(self.X_fit_)
        self.n_components_ = self._features_fit.shape[1]
        self.approximation_error_ = sketched.error
        sketched.forget_all_but(self.X_fit_)
        return self._norms_fit

    def _sketched_kernel(self, rows=None):
        """Return the kernel of rows, None for the training rows, with these.

        A row has much of its gradient in common with no other row: where it meets
        itself, it gets back what features lack, as far as the mean tells.
        """
        features_fit = self._scaled(self._features_fit, self._norms_fit)
        features = features_fit if rows is None else self._features(rows)
        K = features @ features_fit.T
        places = {}
        for j, key in enumerate(row_keys(self.X_fit_)):
            places.setdefault(key, []).append(j)
        for i, key in enumerate(row_keys(self.X_fit_ if rows is None else rows)):
            K[i, places.get(key, [])] += self.lost_diagonal_
        return K

    @property
    def _sketched_rows(self):
        """The sketch of this network; made again from its state where it travelled."""
        if "_sketched" not in vars(self):
            n_components = self._as_fitted.n_components or N_COMPONENTS
            sketched = SketchedRows(self._gradients, n_components, self._seed)
            if "_sketch_state" in vars(self):
                sketched.set_state(self.X_fit_, self._sketch_state)
            self._sketched = sketched
        return self._sketched

    def __getstate__(self):
        # Projections travel, the network that they are of does not.
        state = super().__getstate__().copy()
        if sketched := state.pop("_sketched", None):
            state["_sketch_state"] = sketched.state()
        return state
