"""Small games, as the samplers and as the oracles take them."""

import numpy as np
import torch

from skshap.attribution._checkpoint import Checkpoint
from skshap.attribution._class_scores import class_targets, class_utility
from skshap.attribution._enumeration import enumerate_coalitions
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._method import Method
from skshap.attribution._permutations import Permutations
from skshap.attribution._problem import Problem
from skshap.attribution._running import Run
from skshap.attribution._semivalues import size_weights
from skshap.attribution._stopping import StoppingRule
from tests.oracles import per_sample_score, ridge_predictions

ALPHA = 0.4


def own_value(decision, y_index):
    """A scoring callable: the decision value of the label."""
    return decision[np.arange(len(decision)), y_index]


# Of nobody, by scoring: numbers that small coalitions are near to, where truncation
# can stop.
NULLS = {
    "accuracy": 0.4,
    "neg_log_loss": -0.8,
    "neg_brier_score": -0.3,
    own_value: -0.3,
}


class SmallGame:
    """A small training set, whose kernel has three features and some noise.

    With `noise` zero the kernel has three explicit features alone.
    """

    def __init__(
        self, n, m, n_classes, scoring="neg_log_loss", seed=0, noise=0.05, groups=None
    ):
        rng = np.random.default_rng(seed)
        F = rng.normal(size=(n + m, 3))
        K = F @ F.T + noise * np.eye(n + m)
        self.F, self.F_val = F[:n], F[n:]
        self.K, self.cross = K[:n, :n], K[n:, :n]
        self.y = np.arange(n) % n_classes
        self.y_val = rng.integers(n_classes, size=m)
        self.n_rows, self.n_classes, self.scoring = n, n_classes, scoring
        self.groups = groups
        self.n = n if groups is None else int(groups.max()) + 1
        self.null = NULLS[scoring]
        self.utility = class_utility(scoring, self.y_val, n_classes)
        self.targets = class_targets([self.utility], self.y, n_classes)
        self.cache = {}

    def tensors(self):
        arrays = (self.K, np.ascontiguousarray(self.cross.T), self.targets)
        return (*map(torch.tensor, arrays), ALPHA)

    def game(self, kind=KernelGame):
        if kind is FeatureGame:
            arrays = (self.F, self.F_val, self.targets)
            return FeatureGame(arrays, ALPHA, self.groups)
        arrays = (self.K, np.ascontiguousarray(self.cross.T), self.targets)
        return KernelGame(arrays, ALPHA, self.groups).with_inverse()

    def problem(self, *, semivalue="shapley", per_sample=True, rngs=None, seed=0):
        weights = size_weights(semivalue, self.n)[None]
        parts = [self.utility], weights, [self.null], per_sample, seed
        if rngs is None:
            return Problem(*parts)
        problem = FixedProblem(*parts)
        problem.rngs = rngs
        return problem

    def value(self, players):
        """Scores of the coalition, of shape (m,), naively."""
        if players not in self.cache:
            rows = list(players)
            if self.groups is not None:
                rows = np.flatnonzero(np.isin(self.groups, rows)).tolist()
            self.cache[players] = (
                self.score(
                    ridge_predictions(
                        self.K, self.y, self.cross, ALPHA, self.n_classes, rows
                    )
                )
                if rows
                else np.full(len(self.y_val), self.null)
            )
        return self.cache[players]

    def score(self, decision):
        if callable(self.scoring):
            return self.scoring(decision, self.y_val)
        return per_sample_score(self.scoring, decision, self.y_val)

    @property
    def full(self):
        return float(self.value(tuple(range(self.n))).mean())

    def sample(self, orders, **params):
        """Mean and error of what permutations say, by player (and row scored)."""
        truncation_tol = params.pop("truncation_tol", None)
        problem = self.problem(rngs=[FixedOrder(order) for order in orders], **params)
        sampler = Permutations(self.game(), problem, truncation_tol)
        return average(sampler, len(orders))

    def enumerate(self, semivalue="shapley"):
        values = enumerate_coalitions(self.game(), self.problem(semivalue=semivalue))
        return values[0, 0].numpy()


class FixedProblem(Problem):
    """A problem whose permutations are given, as `rngs`."""

    def generator(self, t, part):
        rng = self.rngs[t]
        return rng[part] if isinstance(rng, tuple) else rng


class FixedOrder:
    """A random generator that is not random."""

    def __init__(self, order, stops=None, draw=0.5):
        self.order, self.stops, self.draw = order, stops, draw

    def permutation(self, n):
        assert len(self.order) == n
        return np.array(self.order)

    def integers(self, low, high):
        drawn = np.array(self.stops)
        assert ((low <= drawn) & (drawn < high)).all()
        return drawn

    def random(self, size):
        return np.full(size, self.draw)


def make_run(sampler, n_draws, *, tol=None, n_jobs=None):
    """A run that keeps no checkpoint."""
    method = Method("", n_draws, tol, None, n_jobs, None, True, 0, "")
    rule = StoppingRule(tol, sampler.problem.size)
    return Run(sampler, rule, Checkpoint(None, ""), method)


def average(sampler, n_draws, **options):
    """Mean and standard error of draws, of the only semivalue and scoring."""
    estimate, _ = make_run(sampler, n_draws, **options).estimate()
    return tuple(part[0, 0] for part in estimate)


def check_errors(values, expected, std):
    """Values are within their standard errors, which are not much too large either."""
    z = (values - expected) / std
    assert abs(z).max() < 5
    assert np.sqrt(np.mean(z**2)) > 0.35


def draw_orders(n, count, seed=0):
    rngs = [np.random.default_rng([seed, t]) for t in range(count)]
    return [rng.permutation(n).tolist() for rng in rngs]
