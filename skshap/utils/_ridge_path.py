"""Ridge regressions with many alphas, from one eigendecomposition."""

import numpy as np
import torch

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
        """Whether rounding of eigenvalues is small against alpha, and none negative."""
        return self._least + alpha > LEAST_EIGENVALUE * (self._largest + alpha)

    def solve(self, alpha):
        """Return the solution, and the diagonal of the inverse, of shape (n, 1)."""
        shrunk = 1 / (self._eigenvalues + alpha)[:, None]
        solved = self._along @ (self._rotated * shrunk)
        diagonal = np.square(self._along) @ shrunk
        if self._is_explicit:  # what the columns leave of the identity
            solved = (self._targets - solved) / alpha
            least = 1 / (self._diagonal[:, None] + alpha)  # but for rounding
            diagonal = np.maximum((1 - diagonal) / alpha, least)
        return solved, diagonal
