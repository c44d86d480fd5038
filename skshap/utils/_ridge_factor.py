"""Ridge regressions with one alpha, of any targets, from one factor."""

import torch

from skshap.utils._ridge import BLOCK, LEAST_LEFT, blocks, check_pivots, invert_factor

__all__ = ["FeatureRidgeFactor", "KernelRidgeFactor"]

MOST_ALONE = 64  # rows that are left out one by one, where digits are lost


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
        self._L, info = torch.linalg.cholesky_ex(A)
        check_pivots(diagonal, info=info, diagonal=diagonal, alpha=alpha)
        self._whitened = torch.linalg.solve_triangular(self._L, F.T, upper=False)
        left = 1 - self._whitened.square().sum(0)
        inverse_diagonal = left / alpha
        self._without = self._leave_out(torch.nonzero(left < LEAST_LEFT).flatten())
        for i, L in self._without.items():
            own = torch.linalg.solve_triangular(L, F[i, :, None], upper=False)
            inverse_diagonal[i] = 1 / (alpha * (1 + own.square().sum()))
        # What the others leave of a row is at most all of it; rounding may say
        # otherwise.
        inverse_diagonal = torch.maximum(inverse_diagonal, 1 / diagonal)
        check_pivots(0.5 / inverse_diagonal, diagonal=diagonal, alpha=alpha)
        self.inverse_diagonal = inverse_diagonal.unsqueeze(1).cpu().numpy()

    def _leave_out(self, rows):
        """Return factors without each of some rows, of none if they are too many.

        Of a row that has a column nearly to itself, as one far from all others, what
        the columns leave cancels to nothing. It is then told by the others.
        """
        if len(rows) > MOST_ALONE:
            return {}
        found = {}
        for i in rows.tolist():
            others = self._F.clone()
            others[i] = 0
            A = others.T @ others
            A.diagonal().add_(self._alpha)
            found[i] = torch.linalg.cholesky(A)
        return found

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
        for i, L in self._without.items():
            others = B.clone()
            others[i] = 0
            by_others = self._F[i] @ torch.cholesky_solve(self._F.T @ others, L)
            solution[i] = (B[i] - by_others) * float(self.inverse_diagonal[i, 0])
        return solution.cpu().numpy(), weights.cpu().numpy()
