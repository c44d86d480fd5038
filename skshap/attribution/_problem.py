"""A problem of attribution: what is estimated."""

from typing import NamedTuple

import numpy as np
import torch

__all__ = ["PLAYERS", "Problem"]

PLAYERS = 2  # axis of values, after semivalues and scorings


class Problem(NamedTuple):
    """What is estimated.

    Attributes
    ----------
    utilities : list of Utility
        Scores of predictions, of the same m rows.
    weights : ndarray of shape (n_semivalues, n_players)
        Share of each size of coalition in each semivalue: not negative, and adding up
        to 1.
    nulls : list of float
        Utility of the empty coalition, by scoring.
    per_sample : bool
        Whether the rows scored are kept apart.
    seed : int
        Of the permutations.
    """

    utilities: list
    weights: np.ndarray
    nulls: list
    per_sample: bool
    seed: int

    @property
    def n_scored(self):
        """Number of rows scored, m."""
        return len(self.utilities[0].y)

    @property
    def device(self):
        """Where scores are computed."""
        return self.utilities[0].y.device

    @property
    def is_loo(self):
        """Which semivalues are leave-one-out values, for which a sweep draws nothing.

        Of a single player, who joins nobody, none is.
        """
        n_players = self.weights.shape[1]
        return (self.weights[:, -1] == 1) & (n_players > 1)

    @property
    def is_smooth(self):
        """Whether all scores change smoothly with predictions."""
        return all(utility.is_smooth for utility in self.utilities)

    def kinds(self):
        """Return positions of scorings, by what schedule of a sweep suits them.

        Returns
        -------
        list of ndarray of int
            Of scores that change smoothly, of those whose jumps are known, and of
            others, each kind at the place of its first.
        """
        kinds = [(one.is_smooth, one.distance is None) for one in self.utilities]
        return [
            np.flatnonzero([other == kind for other in kinds])
            for kind in dict.fromkeys(kinds)
        ]

    def part(self, scorings):
        """Return the problem of some of the scorings, by position."""
        utilities, nulls = (
            [values[i] for i in scorings] for values in (self.utilities, self.nulls)
        )
        return self._replace(utilities=utilities, nulls=nulls)

    @property
    def samples_rows(self):
        """Whether a sample of the rows scored may be enough, see `make_choice`.

        So it is if all scores jump, and rows are not kept apart.
        """
        all_jump = all(utility.distance is not None for utility in self.utilities)
        return all_jump and not self.per_sample

    def generator(self, t, part):
        """Return the random generator of a part of a draw, which has its own seed."""
        return np.random.default_rng([self.seed, t, part])

    @property
    def shape(self):
        """Shape of values; players are on axis `PLAYERS`."""
        shape = (len(self.weights), len(self.utilities), self.weights.shape[1])
        return (*shape, self.n_scored) if self.per_sample else shape

    @property
    def size(self):
        """Number of values."""
        return int(np.prod(self.shape))

    def zeros(self):
        """Return zeros of the shape of values."""
        return torch.zeros(self.shape, dtype=torch.float64, device=self.device)
