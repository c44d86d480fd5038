"""The permutation sampler: what every player adds when it joins the ones before it."""

from functools import cached_property

import numpy as np
import torch

from skshap.attribution._schedule import scoring_work

__all__ = ["Permutations"]


class Permutations:
    """Unbiased estimates of values, each from one permutation of the players.

    Parameters
    ----------
    game : KernelGame or FeatureGame
        Predicts with every prefix.
    problem : Problem
        What is estimated.
    truncation_tol : float or None, default=None
        Stop a permutation after two prefixes in a row whose mean utility is within this
        share of ``|full - null|`` of `full`, the mean utility of all players, for every
        scoring; the players after them get zero from it, which is biased.
    full : ndarray of shape (n_scorings,) or None, default=None
        The mean utilities of all players, if they are known.
    """

    draws = "permutations"
    parts = range(1)  # a draw is a single permutation

    def __init__(self, game, problem, truncation_tol=None, full=None):
        self.game = game
        self.problem = problem
        self.truncation_tol = truncation_tol
        self._known = full

    @property
    def options(self):
        """What makes the same sampler again, besides its game."""
        options = {"problem": self.problem, "truncation_tol": self.truncation_tol}
        if self.truncation_tol is not None:  # a permutation's work, done once for all
            game = type(self.game)(self.game.arrays, **self.game.options)
            alone = Permutations(game, self.problem, full=self._known)
            # Its ridge is let go of: here no draws are computed.
            options["full"] = alone._full.flatten().cpu().numpy()
        return options

    def state(self):
        """Return what a checkpoint holds of the sampler besides the seed: nothing."""
        return {}

    def resumed(self, seed, state):
        """Return the sampler with the seed of a checkpoint."""
        problem = self.problem._replace(seed=seed)
        return type(self)(self.game, problem, self.truncation_tol, self._known)

    def start(self):
        """Return zeros: nothing is known before a permutation is drawn."""
        return self.problem.zeros()

    def flops(self):
        """Count what a draw takes: floating-point operations, or what takes as long."""
        m = self.problem.n_scored
        work = scoring_work(self.game, self.problem) * m
        return self.game.prefix_flops() + work * self.game.n_rows

    def count_floats(self):
        """Count what a draw takes, as :meth:`Sweep.count_floats` does."""
        return self.game.prefix_floats(), 0, 3 * self.problem.size

    def run(self, t, part):
        """Compute one draw.

        Parameters
        ----------
        t : int
            Which one.
        part : int
            Zero: a draw has one part.

        Returns
        -------
        Tensor of shape (n_semivalues, n_scorings, n_players), or with m more if values
        are kept by the row scored.
        """
        problem, n = self.problem, self.game.n_players
        order = problem.generator(t, part).permutation(n)
        gains, done = problem.zeros()[0], 0
        last = gains.new_tensor(problem.nulls).unsqueeze(1)
        if problem.per_sample:
            last = last.unsqueeze(2).expand(-1, 1, gains.shape[-1])
        for levels in self._levels(order):
            new = slice(done, done + levels.shape[1])
            gains[:, new] = torch.diff(levels, dim=1, prepend=last)
            last, done = levels[:, -1:], new.stop
        # A player stands at each size with probability 1 / n.
        weights = torch.tensor(n * problem.weights, device=gains.device)
        shape = (len(weights), 1, n, *[1] * (gains.ndim - 2))
        out = problem.zeros()
        players = torch.from_numpy(order).to(out.device)
        out.index_copy_(2, players, weights.reshape(shape) * gains)
        return out

    def _levels(self, order):
        """Yield utilities after each player, up to where a permutation is truncated.

        Parameters
        ----------
        order : ndarray of shape (n_players,)
            The permutation.

        Yields
        ------
        Tensor of shape (n_scorings, b), or (n_scorings, b, m) if values are kept by the
        row scored
            Of the next players.
        """
        # Before the ridge, by which it is computed as well, walks along this one.
        full = None if self.truncation_tol is None else self._full
        close = torch.zeros(1, dtype=torch.bool, device=self.problem.device)
        for scores in self._scores(order):
            means = scores.mean(2)
            levels = scores if self.problem.per_sample else means
            if full is not None:
                close = torch.cat([close[-1:], self._is_close(means, full)])
                ends = torch.nonzero(close[1:] & close[:-1])
                if len(ends):
                    yield levels[:, : int(ends[0]) + 1]
                    return
            yield levels

    def _scores(self, order):
        """Yield scores (n_scorings, b, m) after each player, block by block of rows."""
        rows, bounds = self.game.players.arrange(order)
        ends = torch.from_numpy(bounds[1:]) - 1  # position of each player's last row
        start = 0
        for _, decision in self.game.prefixes().decisions(rows):
            stop = start + decision.shape[1]
            there = ends[(ends >= start) & (ends < stop)] - start
            start = stop
            if len(there):
                decision = decision[:, there.to(decision.device)]
                yield torch.stack([u.score(decision) for u in self.problem.utilities])

    def _is_close(self, means, full):
        """Whether prefixes are as good as all players, for means (n_scorings, b)."""
        nulls = full.new_tensor(self.problem.nulls).unsqueeze(1)
        tolerance = self.truncation_tol * (full - nulls).abs()
        return ((means - full).abs() <= tolerance).all(0)

    @cached_property
    def _full(self):
        """The mean utilities of all players, (n_scorings, 1)."""
        if self._known is not None:
            return torch.tensor(self._known, device=self.problem.device).unsqueeze(1)
        rows, _ = self.game.players.arrange(np.arange(self.game.n_players))
        for _, block in self.game.prefixes().decisions(rows):
            decision = block[:, -1]  # of the last block in the end
        scores = [u.score(decision).mean() for u in self.problem.utilities]
        return torch.stack(scores).unsqueeze(1)
