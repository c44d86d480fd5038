"""The sweep: marginals of every player at many sizes of every permutation.

A player that is outside of a random coalition S tells its marginal for coalitions of
size ``|S|``, a player inside that for size ``|S| - 1``, both in closed form from one
factor. Over random permutations and one random size in each bin, every player gets a
marginal at every bin.
"""

import numpy as np
import torch

from skshap.attribution._schedule import (
    list_parts,
    stop_costs,
    stop_shares,
    usual_bins,
    usual_counts,
)
from skshap.attribution._scored import make_choice

__all__ = ["Sweep"]

PROFILED = 512  # entries of each output whose variance a pilot looks at


class Sweep:
    """Unbiased estimates of values, each from a few permutations of the players.

    Parameters
    ----------
    game : KernelGame or FeatureGame
        Predicts with coalitions; with its inverse.
    problem : Problem
        What is estimated.
    counts : list of ndarray of int or None, default=None
        By route of the game, how many permutations of a draw go as far as each of its
        stops; none more than as far as the stop before. None for a schedule that suits
        most games.
    kept : list of ndarray of shape (n_stops,) or None, default=None
        By route, the share of the rows to predict that each stop is scored on, as far
        as is known; None for all of them. Only costs depend on it.

    Notes
    -----
    At size k, each player gets one marginal: for coalitions of size k if it is outside,
    with probability ``(n - k) / n``, of size k - 1 if it is inside, with probability
    ``k / n``. Over the sizes 1 to n, coalitions of each size from 1 to n - 1 so come up
    with probability ``(n + 1) / n``, which is divided by. The empty coalition is left
    to a term of its own, which is exact.

    A draw is a sum of parts, each of one permutation. Parts share permutations where
    that makes their errors cancel: those that grow coalitions and those that take the
    same rows out of all, and beyond the first, pairs of which one is the reverse of the
    other [1]_. Where scores jump and are averaged, the rows to predict are sampled as
    well.

    References
    ----------
    .. [1] Mitchell, Cooper, Frank and Holmes, "Sampling Permutations for Shapley Value
       Estimation", JMLR 23 (2022). https://jmlr.org/papers/v23/21-0439.html
    """

    draws = "sweeps"

    def __init__(self, game, problem, counts=None, kept=None):
        self.game = game
        self.problem = problem
        self.routes = game.routes(self.bins)
        self.counts = counts or usual_counts(self.routes, problem.is_smooth)
        self.kept = kept or [np.ones(len(route.ranges)) for route in self.routes]
        self.parts = list_parts(self.routes, self.counts)

    @property
    def options(self):
        """What makes the same sampler again, besides its game."""
        return {"problem": self.problem, "counts": self.counts, "kept": self.kept}

    def state(self):
        """Return what a checkpoint holds of the sampler besides the seed."""
        return {
            "counts": np.concatenate(self.counts),
            "kept": np.concatenate(self.kept),
        }

    def resumed(self, seed, state):
        """Return the sweep with the seed and the schedule of a checkpoint."""
        ends = np.cumsum([len(route.ranges) for route in self.routes])[:-1]
        counts, kept = (np.split(state[name], ends) for name in ("counts", "kept"))
        return type(self)(self.game, self.problem._replace(seed=seed), counts, kept)

    def usual(self):
        """Return the sweep by the schedule that suits most games."""
        return Sweep(self.game, self.problem, kept=self.kept)

    @property
    def bins(self):
        """Sizes that one stop each is made in."""
        return usual_bins(self.game, self.problem)

    def start(self):
        """Return what every player adds to the empty coalition, weighted.

        Returns
        -------
        Tensor of shape (n_semivalues, n_scorings, n_players), or with m more if values
        are kept by the row scored.
        """
        problem = self.problem
        out = problem.zeros()
        nobody = self.game.nobody()
        for s, (utility, null) in enumerate(
            zip(problem.utilities, problem.nulls, strict=True)
        ):
            gains = utility.gains(
                nobody.decision, nobody.joining, per_sample=problem.per_sample
            )
            scores = utility.score(nobody.decision) - null
            gains += scores if problem.per_sample else scores.mean()
            for v, weights in enumerate(problem.weights):
                out[v, s].index_add_(
                    0, nobody.joining.players, gains, alpha=float(weights[0])
                )
        return out

    def run(self, t, part):
        """Compute one part of a draw.

        Parameters
        ----------
        t : int
            Which draw.
        part : int
            Which part of it.

        Returns
        -------
        Tensor of the shape of `start`
        """
        out = self.problem.zeros()
        for share, coalition in self.visit(*self.draw(t, part)):
            self.add_marginals(out, coalition, share)
        return out

    def profile(self, t, part):
        """Compute one part of a draw, and what each stop contributes to it.

        Parameters
        ----------
        t, part : int
            See `run`.

        Returns
        -------
        out : Tensor of the shape of `start`
        profile : ndarray of shape (n_stops, n_outputs, n_entries)
            Of some entries of each output (semivalue and scoring), as if this were the
            only permutation of the draw.
        kept : ndarray of shape (n_stops,)
            Share of the rows to predict that each stop was scored on.
        """
        out = self.problem.zeros()
        route = self.parts[part].route
        profile, kept = [], []
        for j, (share, coalition) in enumerate(self.visit(*self.draw(t, part))):
            stop = torch.zeros_like(out)
            self.add_marginals(stop, coalition, share)
            flat = stop.reshape(out.shape[0] * out.shape[1], -1)
            entries = flat[:, :: max(1, flat.shape[1] // PROFILED)]
            profile.append(entries.cpu().numpy() * self.counts[route][j])
            out += stop
            kept.append(coalition.decision.shape[1] / self.problem.n_scored)
        return out, np.stack(profile), np.array(kept)

    def stop_flops(self, index):
        """Count what each stop of a route takes, with what its moves are scored by.

        Parameters
        ----------
        index : int
            Of the route.

        Returns
        -------
        ndarray of shape (n_stops,)
            Floating-point operations, or what takes as long.
        """
        fixed, by_row = stop_costs(self.game, self.problem, self.routes[index])
        m = self.problem.n_scored
        return fixed + m * self.kept[index] * by_row

    def flops(self):
        """Count what a draw takes, in the same units."""
        return sum(
            float(self.stop_flops(index) @ count)
            for index, count in enumerate(self.counts)
        )

    def count_floats(self):
        """Count the floats, of 8 bytes each, that a draw takes.

        Returns
        -------
        kept, passing : float
            That coalitions are reached with; see :meth:`KernelGame.walk_floats`.
        own : int
            Of moves, scores and values.
        """
        game, problem, rng = self.game, self.problem, np.random.default_rng()
        kept = passing = n_stops = 0
        for route, count in zip(self.routes, self.counts, strict=True):
            shares = stop_shares(route, count, game.n_players)
            choose = make_choice(game, problem, route, shares, rng)
            walk = game.walk_floats(route, is_chosen=choose is not None)
            kept, passing = kept + walk[0], max(passing, walk[1])
            n_stops = max(n_stops, len(count))
        n, q, utility = game.n_players, game.n_outputs, problem.utilities[0]
        m = problem.n_scored
        own = utility.gains_floats(n, q, per_sample=problem.per_sample)
        own += game.players.moves_floats(m, q) + 6 * n_stops * m
        return kept, passing, own + 3 * problem.size

    def draw(self, t, part):
        """Draw what one part of a draw visits.

        Parameters
        ----------
        t, part : int
            See `run`.

        Returns
        -------
        tuple
            The parameters of `visit`.
        """
        index, depth, drawn_by, is_reversed = self.parts[part]
        route = self.routes[index]
        n = self.game.n_players
        rng = self.problem.generator(t, part)
        order = rng.permutation(n)
        if drawn_by != part:
            order = self.problem.generator(t, drawn_by).permutation(n)
        if is_reversed:
            order = order[::-1].copy()
        route = route._replace(ranges=route.ranges[:depth])
        first, last = np.array(route.ranges).T
        stops = rng.integers(first, last + 1).tolist()
        return route, self.counts[index][:depth], order, stops, rng

    def visit(self, route, counts, order, stops, rng):
        """Visit coalitions along a permutation.

        Parameters
        ----------
        route : Route
        counts : ndarray of int of shape (n_stops,)
            How many permutations of a draw visit each stop.
        order : ndarray of shape (n_players,)
            The permutation.
        stops : list of int
            How many players have joined, or been taken out, at each stop.
        rng : numpy.random.Generator
            Draws which rows to predict are kept.

        Yields
        ------
        share : float
            Weight of the stop in a draw.
        coalition : Coalition
            Its tensors are overwritten by the next one.
        """
        game = self.game
        shares = stop_shares(route, counts, game.n_players)
        choose = make_choice(game, self.problem, route, shares, rng)
        return zip(shares, game.walk(route, order, stops, choose), strict=True)

    def add_marginals(self, out, coalition, share):
        """Add what every player changes when it joins a coalition, or has joined it."""
        n = self.game.n_players
        size = coalition.size
        utilities = [part.at(coalition.scored) for part in self.problem.utilities]
        sides = [
            (coalition.joining, 1, size if size < n else None),
            (coalition.leaving, -1, size - 1 if size > 1 else None),
        ]
        for moves, sign, stratum in sides:
            if stratum is None:
                continue
            for s, utility in enumerate(utilities):
                gains = utility.gains(
                    coalition.decision, moves, per_sample=self.problem.per_sample
                )
                for v, weights in enumerate(self.problem.weights):
                    weight = float(sign * share * weights[stratum])
                    out[v, s].index_add_(0, moves.players, gains, alpha=weight)
