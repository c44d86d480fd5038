"""Ridge regression on coalitions of few players, many at once, each from nothing."""

import torch

from skshap.utils._ridge import factorize

__all__ = ["FeatureSubsets", "KernelSubsets"]

# Coalitions worked on at a time have so many of the largest one's rows, or but so few
# less.
SIMILAR, FEW = 0.9, 16


class KernelSubsets:
    """Predictions of coalitions, by the kernel.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Kernel of the training rows.
    cross : Tensor of shape (n, m)
        Kernel between them and the rows to predict.
    targets : Tensor of shape (n, n_outputs)
        What is regressed on.
    alpha : float
        Strength of the ridge.
    rows : list of Tensor
        Training rows of each player.
    """

    def __init__(self, K, cross, targets, alpha, rows):
        self.K, self.cross, self.targets = K, cross, targets
        self.alpha, self.rows = alpha, rows

    def predict(self, coalitions):
        """Predict with every coalition.

        Parameters
        ----------
        coalitions : list of tuple of int
            Players.

        Returns
        -------
        Tensor of shape (n_outputs, n_coalitions, m)

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha is not positive definite; the message names alpha.
        """
        rows = [torch.cat([self.rows[p] for p in players]) for players in coalitions]
        counts = torch.tensor([len(own) for own in rows])
        order = counts.argsort(descending=True, stable=True)
        shape = self.targets.shape[1], len(rows), self.cross.shape[1]
        out = self.cross.new_empty(shape)
        while len(order):  # of those of similar size, smaller ones are padded
            least = SIMILAR * counts[order[0]] - FEW
            n_similar = int((counts[order] >= least).sum())
            some, order = order[:n_similar], order[n_similar:]
            out[:, some.to(out.device)] = self._predict([rows[i] for i in some])
        return out

    def _predict(self, rows):
        """Predict with coalitions of given rows."""
        index = torch.nn.utils.rnn.pad_sequence(
            rows, batch_first=True, padding_value=-1
        )
        index, is_row = index.clamp_min(0), index >= 0
        A = self.K[index[:, :, None], index[:, None, :]]
        A *= is_row[:, :, None]  # padding is last, below a triangle that is not read
        # Padding has a one of its own, and explains nothing.
        ones = torch.ones_like(A[:, :, 0])
        A.diagonal(dim1=1, dim2=2).add_(torch.where(is_row, self.alpha * ones, ones))
        L = factorize(A, alpha=self.alpha)
        weights = torch.cholesky_solve(self.targets[index] * is_row.unsqueeze(2), L)
        return torch.einsum("bsq,bsm->qbm", weights, self.cross[index])


class FeatureSubsets:
    """Predictions of coalitions, by features of which the kernel is the inner product.

    Parameters
    ----------
    F : Tensor of shape (n, d)
        Features of the training rows.
    F_val : Tensor of shape (m, d)
        Features of the rows to predict.
    targets, alpha, rows
        See `KernelSubsets`.
    """

    def __init__(self, F, F_val, targets, alpha, rows):
        self.F_val, self.alpha = F_val, alpha
        # What each player adds to the sums that a coalition is known by.
        self.second = torch.stack([F[own].T @ F[own] for own in rows])
        self.right = torch.stack([F[own].T @ targets[own] for own in rows])

    def predict(self, coalitions):
        """Predict with every coalition; see `KernelSubsets`."""
        players = torch.tensor(coalitions, device=self.second.device)
        is_member = self.second.new_zeros(len(coalitions), len(self.second))
        is_member.scatter_(1, players, 1.0)
        A = torch.tensordot(is_member, self.second, 1)
        A.diagonal(dim1=1, dim2=2).add_(self.alpha)
        right = torch.tensordot(is_member, self.right, 1)
        weights = torch.cholesky_solve(right, factorize(A, alpha=self.alpha))
        return torch.einsum("bdq,md->qbm", weights, self.F_val)
