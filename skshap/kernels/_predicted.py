"""The part of `EmpiricalNTK` that predicts what a kernel will take."""

from sklearn.base import clone

from skshap.kernels._folder import memory_folder
from skshap.kernels._method import choose_method
from skshap.utils._device import check_device
from skshap.utils._validation import check_rows

__all__ = ["PredictedCost"]


class PredictedCost:
    """Mixin of :class:`skshap.EmpiricalNTK`: `estimate_cost`.

    It needs the parameters of `fit` and the mixin `Rebuilt`.
    """

    def estimate_cost(self, X):
        """Predict what the kernel matrix of rows will take, before anything runs.

        A few rows go through the network and pieces of products are timed on this
        machine, for some seconds; how many there will be is counted. That is for rows
        of which nothing is in `memory` yet.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Training rows, as in `fit_transform`.

        Returns
        -------
        Bunch
            `seconds` of wall time, `memory` in bytes at its largest, and `disk` in
            bytes of what `memory` will keep.

        Examples
        --------
        >>> import numpy as np
        >>> from skshap import EmpiricalNTK
        >>> cost = EmpiricalNTK().estimate_cost(np.ones((2000, 3)))
        >>> cost.memory > 8 * 2000**2
        True
        """
        self._validate_params()
        check_device(self.device)
        probe = clone(self).set_params(memory=None, verbose=0)
        probe.X_fit_ = check_rows(probe, X, reset=True)
        probe._seed = 0
        probe.method_ = choose_method(probe, probe._gradients)
        return probe._engine.cost(is_stored=memory_folder(self.memory) is not None)
