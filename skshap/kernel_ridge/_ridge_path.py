"""Ridge regressions with many alphas, from one eigendecomposition."""

import numpy as np
import torch

from skshap.kernel_ridge._ridge_factor import LEAST_LEFT

__all__ = ["RidgePath"]

LEAST_EIGENVALUE = 1e-8  # of the kernel plus alpha, as a share of its largest entry


class RidgePath:
    """Solutions of ``(K + alpha I) x = targets`` for any alpha.

    Parameters
    ----------
    M : ndarray of shape (n, n) or (n, d)
        K, or features of which it is the inner product.
    targets : ndarray of shape (n, k)
        Right-hand sides.
    is_explicit : bool
        Whether M are features. Nothing of n x n is formed then.
    device : str, torch.device or None, default=None
        Where eigenvectors are computed.
    """

    def __init__(self, M, targets, *, is_explicit=False, device=None):
        A = torch.tensor(M.T @ M if is_explicit else M, device=device)
        eigenvalues, vectors = (part.cpu().numpy() for part in torch.linalg.eigh(A))
        self._targets = targets
        self._is_explicit = is_explicit
        # What is left of rows along the eigenvectors.
        self._along = M @ vectors if is_explicit else vectors
        self._rotated = self._along.T @ targets
        # Of a positive semi-definite matrix, the largest entry is on the diagonal.
        self._diagonal = np.square(M).sum(1) if is_explicit else None
        self._largest = self._diagonal.max() if is_explicit else M.max()
        # A kernel that is positive semi-definite has none below zero but for rounding.
        is_zero = eigenvalues < 0
        if not is_explicit:
            is_zero &= eigenvalues > -LEAST_EIGENVALUE * self._largest
        self._eigenvalues = np.where(is_zero, 0.0, eigenvalues)
        self._least = 0.0 if is_explicit else eigenvalues[0]

    def is_exact(self, alpha):
        """Whether rounding of eigenvalues is small against alpha, and none negative.

        Nor may the columns explain a row nearly by itself, as one far from all others.
        """
        if self._is_explicit and self._left(alpha).min() < LEAST_LEFT:
            return False
        return self._least + alpha > LEAST_EIGENVALUE * (self._largest + alpha)

    def _left(self, alpha):
        """Return what the columns leave of each row, of shape (n, 1)."""
        shrunk = 1 / (self._eigenvalues + alpha)[:, None]
        return 1 - np.square(self._along) @ shrunk

    def solve(self, alpha):
        """Return the solution, and the diagonal of the inverse, of shape (n, 1)."""
        shrunk = 1 / (self._eigenvalues + alpha)[:, None]
        solved = self._along @ (self._rotated * shrunk)
        if not self._is_explicit:
            return solved, np.square(self._along) @ shrunk
        # What the columns leave of the identity, at least that but for rounding.
        least = 1 / (self._diagonal[:, None] + alpha)
        diagonal = np.maximum(self._left(alpha) / alpha, least)
        return (self._targets - solved) / alpha, diagonal
