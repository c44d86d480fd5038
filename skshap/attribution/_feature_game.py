"""Games on explicit features."""

import numpy as np

from skshap.attribution._features import FeatureCoalitions
from skshap.attribution._game import PASS_WORK, Game, Route
from skshap.attribution._prefixes import FeaturePrefixes
from skshap.attribution._subsets import FeatureSubsets

__all__ = ["FeatureGame"]


class FeatureGame(Game):
    """A game on explicit features, of which the kernel is the inner product.

    A coalition of any size is reached directly, so that each has a permutation of its
    own and errors at different sizes are independent. Methods are as in `KernelGame`.

    Parameters
    ----------
    arrays : tuple of ndarray
        Features of the training rows, (n, d), and of the rows to predict, (m, d);
        targets.
    alpha, groups, device
        See `Game`.
    """

    def routes(self, bins):
        return [Route("direct", [sizes]) for sizes in bins]

    def prefixes(self):
        return FeaturePrefixes(*self.tensors, self.alpha)

    def subsets(self):
        return FeatureSubsets(*self.tensors, self.alpha, self.rows_of_players)

    @property
    def to_everyone(self):
        return Route("direct", [(self.n_players, self.n_players)])

    def _ridge(self, kind, most):
        return FeatureCoalitions(*self.tensors, self.alpha)

    def walk_flops(self, route):
        n, d = self.arrays[0].shape
        k = np.array(route.ranges).mean(1) * n / self.n_players
        squares, cubes = self.players.block_sums()
        fixed = d**2 * (2 * k + n + 2 * d) + cubes / 3 + 2 * d * squares
        return fixed, np.full(len(k), 2.0 * d * (n + d) + PASS_WORK * n + squares)

    def walk_floats(self, route, *, is_chosen):
        n, d = self.arrays[0].shape
        return 0, FeatureCoalitions.count_floats(n, d, len(self.arrays[1]))

    def prefix_flops(self):
        n, d = self.arrays[0].shape
        return 4 * n * d * (d + len(self.arrays[1]))

    def prefix_floats(self):
        m, d = self.arrays[1].shape
        return FeaturePrefixes.count_floats(d, m, self.n_outputs)

    def subset_flops(self, size):
        m, d = self.arrays[1].shape
        sums = 2 * d**2 * self.n_players
        return sums + d**3 / 3 + 2 * d * (d + m) * self.n_outputs + PASS_WORK * d**2

    def subset_floats(self, size):
        m, d = self.arrays[1].shape
        return 3 * d * d, (d + m) * self.n_outputs  # see `KernelGame`

    def subsets_setup_flops(self):
        n, d = self.arrays[0].shape
        return 2 * n * d * (d + self.n_outputs)

    def subsets_setup_floats(self):
        d = self.arrays[0].shape[1]
        return 2 * self.n_players * d * (d + self.n_outputs)  # a list, then a stack
