"""Ridge regressions with one alpha, of any targets, from one factor."""

import torch

from skshap.utils._ridge import BLOCK, blocks, check_pivots, invert_factor

__all__ = ["LEAST_LEFT", "FeatureRidgeFactor", "KernelRidgeFactor"]

LEAST_LEFT = 1e-6  # of a row, by columns: had as one minus the rest, less loses digits


class KernelRidgeFactor:
    """Solutions of ``(K + alpha I) x = targets``.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Symmetric.
    alpha : float
        Added to the diagonal.
    device : str, torch.device or None, default=None
        Where to compute.

    Attributes
    ----------
    inverse_diagonal : ndarray of shape (n, 1)
        Diagonal of the inverse of the matrix.

    Raises
    ------
    NotPositiveDefiniteError
        If the matrix is not positive definite to working precision.
    """

    def __init__(self, K, alpha, device=None):
        K = torch.tensor(K, dtype=torch.float64, device=device)
        self._inverse = invert_factor(K, alpha)
        spans = blocks(0, len(K), BLOCK)  # of a lower triangle
        inverse_diagonal = torch.cat(
            [self._inverse[i:, i:j].square().sum(0) for i, j in spans]
        )
        # The smallest pivot that each row can have, in whatever order rows are taken;
        # half of it, so that rounding refuses no coalition where all rows pass.
        diagonal = K.diagonal() + alpha
        check_pivots(0.5 / inverse_diagonal, diagonal=diagonal, alpha=alpha)
        self.inverse_diagonal = inverse_diagonal.unsqueeze(1).cpu().numpy()

    def solve(self, targets):
        """Solve for targets.

        Parameters
        ----------
        targets : ndarray of shape (n, k)
            Right-hand sides.

        Returns
        -------
        solution : ndarray of shape (n, k)
        weights : ndarray of shape (n, k)
            What kernel values of new rows are multiplied by: the same.
        """
        B = torch.tensor(targets, dtype=torch.float64, device=self._inverse.device)
        solution = (self._inverse.T @ (self._inverse @ B)).cpu().numpy()
        return solution, solution


class FeatureRidgeFactor:
    """Solutions of ``(F F' + alpha I) x = targets``, by a factor of few columns.

    Parameters
    ----------
    F : ndarray of shape (n, d)
        Features, of which the kernel is the inner product.
    alpha : float
        Positive.
    device : str, torch.device or None, default=None
        Where to compute.

    Attributes
    ----------
    inverse_diagonal : ndarray of shape (n, 1)
        Diagonal of the inverse of the matrix.

    Raises
    ------
    NotPositiveDefiniteError
        If the matrix is not positive definite to working precision.
    """

    def __init__(self, F, alpha, device=None):
        self._F = F = torch.tensor(F, dtype=torch.float64, device=device)
        self._alpha = alpha
        A = F.T @ F
        A.diagonal().add_(alpha)
        diagonal = F.square().sum(1).add_(alpha)
        self._L = factorize_columns(A, diagonal, alpha)
        self._whitened = torch.linalg.solve_triangular(self._L, F.T, upper=False)
        left = 1 - self._whitened.square().sum(0)
        inverse_diagonal = left / alpha
        self._far = torch.nonzero(left < LEAST_LEFT).flatten()
        if len(self._far):
            self._leave_out(diagonal)
            inverse_diagonal[self._far] = self._block.diagonal()
        # What the others leave of a row is at most all of it; rounding may say
        # otherwise.
        inverse_diagonal = torch.maximum(inverse_diagonal, 1 / diagonal)
        check_pivots(0.5 / inverse_diagonal, diagonal=diagonal, alpha=alpha)
        self.inverse_diagonal = inverse_diagonal.unsqueeze(1).cpu().numpy()

    def _leave_out(self, diagonal):
        """Find how the others predict rows of which the columns leave next to nothing.

        What is left, one minus the rest, has lost its digits there, as of rows with a
        code of what is missing. Columns of the others have all of theirs.
        """
        some = self._F[self._far]
        others = self._F.index_fill(0, self._far, 0)
        A = others.T @ others
        A.diagonal().add_(self._alpha)
        L = factorize_columns(A, diagonal, self._alpha)
        self._along = torch.cholesky_solve(some.T, L)
        A = torch.eye(len(some), dtype=A.dtype, device=A.device) + some @ self._along
        L = factorize_columns(A, diagonal, self._alpha)
        self._block = torch.cholesky_inverse(L) / self._alpha  # of the inverse

    def solve(self, targets):
        """Solve for targets.

        Parameters
        ----------
        targets : ndarray of shape (n, k)
            Right-hand sides.

        Returns
        -------
        solution : ndarray of shape (n, k)
        weights : ndarray of shape (d, k)
            What features of new rows are multiplied by. They are ``F' solution``, but
            more exact: where columns are large beside `alpha`, most of the solution
            cancels in that product.
        """
        B = torch.tensor(targets, dtype=torch.float64, device=self._F.device)
        weights = torch.linalg.solve_triangular(
            self._L.T, self._whitened @ B, upper=True
        )
        solution = (B - self._F @ weights) / self._alpha
        if len(self._far):
            others = B.index_fill(0, self._far, 0)
            by_others = self._along.T @ (self._F.T @ others)
            solution[self._far] = self._block @ (B[self._far] - by_others)
        return solution.cpu().numpy(), weights.cpu().numpy()


def factorize_columns(A, diagonal, alpha):
    """Return a Cholesky factor whose pivots are not those of rows: `diagonal` is."""
    L, info = torch.linalg.cholesky_ex(A)
    check_pivots(diagonal, info=info, diagonal=diagonal, alpha=alpha)
    return L
