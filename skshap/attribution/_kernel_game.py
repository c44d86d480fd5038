"""Games on a kernel matrix."""

import numpy as np

from skshap.attribution._game import PASS_WORK, Game, Route
from skshap.attribution._growing import GrowingCoalitions
from skshap.attribution._prefixes import KernelPrefixes
from skshap.attribution._shrinking import ShrinkingCoalitions
from skshap.attribution._subsets import KernelSubsets
from skshap.utils._ridge import BLOCK, invert_ridge, multiply

__all__ = ["KernelGame"]


class KernelGame(Game):
    """A game on the kernel matrix.

    Small coalitions are grown, from nobody, and large ones are reached by taking
    players out of all.

    Parameters
    ----------
    arrays : tuple of ndarray
        Kernel of the training rows, (n, n); kernel between them and the m rows to
        predict, (n, m); targets; and, if large coalitions are visited, what
        `with_inverse` adds.
    alpha, groups, device
        See `Game`.
    """

    def with_inverse(self):
        """Return the same game with what large coalitions are reached from."""
        K, cross, targets = self.tensors[:3]
        P = invert_ridge(K, self.alpha)
        weights = P @ targets
        extra = (P, multiply(P, cross), weights, weights.T @ cross)
        extra = [part.cpu().numpy() for part in extra]
        return KernelGame((*self.arrays[:3], *extra), **self.options)

    def routes(self, bins):
        """Return how bins of sizes, of players, are visited."""
        n = self.n_players
        small = [(first, last) for first, last in bins if 2 * last <= n]
        large = [(n - last, n - first) for first, last in bins if 2 * last > n]
        routes = [Route("growing", small)] if small else []
        return [*routes, Route("shrinking", large[::-1])] if large else routes

    def prefixes(self):
        """Return the ridge on every prefix of a permutation of rows."""
        if "prefixes" not in self._ridges:
            self._ridges["prefixes"] = KernelPrefixes(*self.tensors[:3], self.alpha)
        return self._ridges["prefixes"]

    def subsets(self):
        """Return the ridge on any coalitions of few players."""
        return KernelSubsets(*self.tensors[:3], self.alpha, self.rows_of_players)

    @property
    def to_everyone(self):
        """The route whose only stop is the coalition of all players."""
        return Route("shrinking", [(0, 0)])

    def _ridge(self, kind, most):
        """Return the ridge that reaches coalitions, of so many rows at most."""
        ridge, size = self._ridges.get(kind, (None, -1))
        if size < most:
            if kind == "growing":
                game = (*self.tensors[:3], self.alpha)
                ridge = GrowingCoalitions(*game, most=most)
            else:
                ridge = ShrinkingCoalitions(*self.tensors[3:], most=most)
            self._ridges[kind] = ridge, most
        return ridge

    def walk_flops(self, route):
        """Count what reaching each stop of a route takes after the one before it.

        Parameters
        ----------
        route : Route

        Returns
        -------
        fixed, by_row : ndarray of shape (n_stops,)
            Floating-point operations, on average: whatever rows to predict are kept,
            and for each of these.
        """
        n = self.n_rows
        k = np.array(route.ranges).mean(1) * n / self.n_players
        fixed = np.diff(n * k**2 - k**3 / 3, prepend=0.0)
        by_row = 2 * n * np.diff(k, prepend=0.0) + PASS_WORK * n
        squares, cubes = self.players.block_sums()
        return fixed + cubes / 3 + 2 * k * squares, by_row + squares

    def walk_floats(self, route, *, is_chosen):
        """Count the floats, of 8 bytes each, that a route is walked with.

        Parameters
        ----------
        route : Route
        is_chosen : bool
            Whether the rows to predict are.

        Returns
        -------
        kept, passing : float
            In buffers that the next permutation finds, and in those that last for one.
        """
        n, m = self.arrays[1].shape
        most = self.players.most_rows(route.ranges[-1][1])
        n_sizes = len(route.ranges) * is_chosen
        q = self.n_outputs
        return GrowingCoalitions.count_floats(n, m, q, most, n_chosen_at=n_sizes)

    def prefix_flops(self):
        """Count the floating-point operations of all prefixes of a permutation."""
        n, m = self.arrays[1].shape
        return n**3 / 3 + n**2 * (m + self.n_outputs)

    def prefix_floats(self):
        """Count the floats that all prefixes of a permutation are made with."""
        return KernelPrefixes.count_floats(*self.arrays[1].shape, self.n_outputs)

    def subset_flops(self, size):
        """Count the floating-point operations of a coalition of so many players."""
        k, m = self.players.usual_rows(size).astype(float), self.arrays[1].shape[1]
        by_output = 2 * k * (k + m) * self.n_outputs
        return float((k**3 / 3 + by_output + PASS_WORK * k * (k + m)).mean())

    def subset_floats(self, size):
        """Count the floats that are solved for such a coalition, and of what comes out.

        Parameters
        ----------
        size : int
            Number of players.

        Returns
        -------
        solved, outputs : int
            The latter are predictions, and weights.
        """
        k, m = self.players.most_rows(size), self.arrays[1].shape[1]
        # A matrix, its factor, and the copy that the factor is solved with.
        return k * (3 * k + m), (k + m) * self.n_outputs

    def setup_flops(self):
        n, m = self.arrays[1].shape
        return 2 * n**3 + 2 * n**2 * m

    def setup_floats(self):
        n, m = self.arrays[1].shape
        block = min(n, BLOCK) * n
        kept = n * n + n * (m + self.n_outputs)
        # Of the blocks that it is worked on by, an allocator keeps two.
        return 2 * n * n + 3 * block, kept + 2 * block
