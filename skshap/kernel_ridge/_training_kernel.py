"""The kernel of training rows: its matrix, or features of which it is the product."""

from dataclasses import dataclass

import numpy as np

from skshap.kernel_ridge._ridge_factor import FeatureRidgeFactor, KernelRidgeFactor
from skshap.kernels._base import fit_gram
from skshap.kernels._features import (
    explicit_features,
    has_features,
    lost_diagonal,
    unshared,
)
from skshap.kernels._narrow import is_narrow
from skshap.utils._kernel_values import check_gram, check_kernel_values
from skshap.utils._rows import number_of_rows
from skshap.utils._sklearn import safe_indexing

__all__ = ["TrainingKernel", "fit_training_kernel"]


@dataclass(frozen=True)
class TrainingKernel:
    """The kernel of training rows, which is not formed where there are features.

    Parameters
    ----------
    values : ndarray of shape (n, n) or (n, d)
        The kernel matrix, or explicit features of the rows.
    is_explicit : bool
        Whether they are features.
    lost : float, default=0.0
        What features lack of the diagonal.
    """

    values: np.ndarray
    is_explicit: bool
    lost: float = 0.0

    def __len__(self):
        """Return the number of rows."""
        return len(self.values)

    def matrix(self):
        """Return the kernel matrix, of shape (n, n), read only."""
        if self.is_explicit:
            K = self.values @ self.values.T
            np.fill_diagonal(K, K.diagonal() + self.lost)
        else:
            K = self.values.view()  # what values are computed from
        K.flags.writeable = False
        return K

    def diagonal(self):
        """Return the value of each row with itself, of shape (n,)."""
        if self.is_explicit:
            return np.einsum("nd,nd->n", self.values, self.values) + self.lost
        return np.diagonal(self.values)

    def between(self, some, others):
        """Return values of some rows with others, without what features lack.

        Parameters
        ----------
        some : ndarray of shape (n_some,) or slice
            Their positions.
        others : ndarray of shape (n_others,) or slice
            Positions of the others.

        Returns
        -------
        ndarray of shape (n_some, n_others)
        """
        if self.is_explicit:
            return self.values[some] @ self.values[others].T
        return self.values[some][:, others]

    def is_narrow(self):
        """Whether half of the rows resemble none but themselves; by features, never."""
        return not self.is_explicit and is_narrow(self.values)

    def part(self, some):
        """Return the kernel of some rows, given by their positions."""
        values = self.values[some]
        if not self.is_explicit:
            values = values[:, some]
        return TrainingKernel(values, self.is_explicit, self.lost)

    def factorize(self, alpha, device=None):
        """Return the factor of the ridge, which solves for any targets.

        Parameters
        ----------
        alpha : float
            Strength of the ridge.
        device : str, torch.device or None, default=None
            Where to compute.

        Returns
        -------
        KernelRidgeFactor or FeatureRidgeFactor
        """
        if self.is_explicit:
            return FeatureRidgeFactor(self.values, alpha + self.lost, device)
        return KernelRidgeFactor(self.values, alpha, device)


def fit_training_kernel(kernel, rows, *, takes_features=True):
    """Fit a kernel; return that of its rows, by features where they are fewer.

    Parameters
    ----------
    kernel : kernel object
        Of `make_kernel`.
    rows : rows
        n of them.
    takes_features : bool, default=True
        Whether explicit features will do.

    Returns
    -------
    TrainingKernel

    Raises
    ------
    ValueError
        If what the kernel gives are no values, or no finite ones.
    """
    if not takes_features or not has_features(kernel):
        return TrainingKernel(fit_gram(kernel, rows), False)
    # Whether there are features, and how many, may be known only now.
    kernel.fit(unshared(kernel, rows))
    if has_features(kernel):
        n_columns = explicit_features(kernel, safe_indexing(rows, [0])).shape[1]
        if n_columns < number_of_rows(rows):
            features = explicit_features(kernel, rows, n_columns)
            return TrainingKernel(features, True, lost_diagonal(kernel))
    K = kernel.transform(unshared(kernel, rows))
    K = check_kernel_values(K, number_of_rows(rows))
    return TrainingKernel(check_gram((K + K.T) / 2), False)
