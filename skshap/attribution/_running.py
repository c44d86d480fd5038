"""Running a sampler: in this process or many, with checkpoints and a stopping rule.

A draw is a sum of parts, and every part has a seed of its own. Parts are computed
anywhere and added up here, in their order, so that results do not depend on where. What
has been added up is all the state there is.
"""

import numpy as np
import torch

from skshap.attribution._allocation import adapted
from skshap.attribution._moments import RunningMoments
from skshap.attribution._parts import compute_parts
from skshap.attribution._stopping import SMALLEST_SAMPLE
from skshap.attribution._sweep import Sweep
from skshap.attribution._together import is_small
from skshap.utils._progress import progress_bar

__all__ = ["STATE", "Run"]

PILOT = 4  # draws, after which the schedule of a sweep is adapted
# It is adapted where there are as many draws, and operations in all.
PILOT_DRAWS = 12
PILOT_FLOPS = 3e10
STATE = 4  # arrays of the shape of values: start, sum, mean and squares


class Run:
    """The mean of the draws of a sampler.

    Parameters
    ----------
    sampler : Sweep or Permutations
        Computes parts of draws, see `_samplers.py`.
    rule : StoppingRule
        Tells when to stop earlier.
    checkpoint : Checkpoint
        Keeps the state.
    method : Method
        How many draws there are at most, and how they are computed.
    """

    def __init__(self, sampler, rule, checkpoint, method):
        self.sampler = sampler
        self.rule = rule
        self.checkpoint = checkpoint
        self.method = method
        self.moments = RunningMoments()
        self._part = 0  # how many of the current draw are in the sum
        self._sum = None
        self._profiles = []  # of the pilot, one a part
        self._start = None

    def estimate(self):
        """Draw, and return means and standard errors.

        Returns
        -------
        estimate : tuple of ndarray
            Means and standard errors, of the shape of a draw.
        is_met : bool
            Whether the stopping rule is; True if there is none.
        """
        most = self.method.n_permutations
        # Before a schedule of the checkpoint is taken over; the same on any device.
        is_adaptive = (
            isinstance(self.sampler, Sweep)
            and not is_small(self.sampler)
            and most >= PILOT_DRAWS
            and most * self.sampler.flops() >= PILOT_FLOPS
        )
        self._resume()
        n_done = self.moments.count * len(self.sampler.parts) + self._part
        if not is_adaptive or len(self._profiles) != n_done:
            self._profiles = []  # not all of the draws so far were profiled
        is_pilot = is_adaptive and (self._profiles or n_done == 0)
        is_met = self.rule.is_met(self.moments)
        options = {"unit": "draw", "verbose": self.method.verbose}
        options["desc"] = f"{self.method.task}{self.sampler.draws}"
        done = self.moments.count
        with progress_bar(total=most, initial=done, **options) as bar:
            if is_pilot and not is_met:
                is_met = self._draw(PILOT, bar, is_pilot=True)
                self._adapt()
            n_draws = self._n_draws(most, is_adaptive)
            bar.total = n_draws
            if not is_met:
                is_met = self._draw(n_draws, bar)
                is_met = is_met or self.rule.is_met(self.moments, is_last=True)
        self._save()
        mean, error = self.moments.mean, self.moments.errors()
        return (mean.numpy(), error.numpy()), is_met or self.rule.tol is None

    def _draw(self, stop, bar, is_pilot=False):
        """Take draws up to a number of them, or until the rule is met."""
        n_parts = len(self.sampler.parts)
        units = range(self.moments.count * n_parts + self._part, stop * n_parts)
        options = {"is_pilot": is_pilot, "n_jobs": self.method.n_jobs}
        results = compute_parts(self.sampler, units, **options)
        try:
            for values, profile in results:
                if self._sum is None:
                    if self._start is None:
                        self._start = self.sampler.start().cpu()
                    self._sum = self._start.clone()
                self._sum += values
                self._part += 1
                if is_pilot:
                    self._profiles.append(profile)
                if self._part == n_parts:
                    self.moments.update(self._sum)
                    self._sum, self._part = None, 0
                    bar.update()
                    if self.method.verbose and self.moments.count > 1:
                        error = self.moments.typical_error()
                        bar.set_postfix_str(f"standard error {error:.1e}")
                    if self.rule.is_met(self.moments):
                        return True
                if self.checkpoint.is_due():
                    self._save()
        finally:
            results.close()
        return False

    def _adapt(self):
        """Choose the schedule of later draws by what the pilot has seen."""
        if self.moments.count >= PILOT:
            self.sampler = adapted(self.sampler, self._profiles)
            self._profiles = []

    def _n_draws(self, most, is_adaptive):
        """Return how many draws take as long as those asked for, as schedules are."""
        if not is_adaptive:
            return most
        ratio = self.sampler.flops() / self.sampler.usual().flops()
        n_draws = PILOT + max(1, round((most - PILOT) / ratio))
        if self.rule.tol is None:
            return n_draws
        # No fewer than the rule needs, if there were to be so many.
        return max(n_draws, min(most, SMALLEST_SAMPLE))

    def _save(self):
        moments = self.moments
        state = {
            "seed": np.array(self.sampler.problem.seed),
            "count": np.array(moments.count),
            "part": np.array(self._part),
        }
        if moments.count:
            state["mean"] = moments.mean.numpy()
            state["squares"] = moments.squares.numpy()
        if self._sum is not None:
            state["sum"] = self._sum.numpy()
        state |= self.sampler.state()
        if self._profiles:
            stops, kept = zip(*self._profiles, strict=True)
            state["profiled"] = np.array([len(x) for x in kept])
            state["profile_stops"] = np.concatenate(stops)
            state["profile_kept"] = np.concatenate(kept)
        self.checkpoint.save(**state)

    def _resume(self):
        """Go on from the checkpoint, if there is one."""
        state = self.checkpoint.load()
        if state is None:
            self._save()
            return
        seed = int(state["seed"])
        if self.method.is_seeded and seed != self.sampler.problem.seed:
            raise ValueError(
                f"checkpoint={str(self.checkpoint.path)!r} was begun with another "
                "random_state; use that one, another path, or delete the file."
            )
        self.sampler = self.sampler.resumed(seed, state)
        moments = self.moments
        moments.count = int(state["count"])
        self._part = int(state["part"])
        if moments.count:
            moments.mean = torch.tensor(state["mean"])
            moments.squares = torch.tensor(state["squares"])
        if "sum" in state:
            self._sum = torch.tensor(state["sum"])
        if "profiled" in state:
            ends = np.cumsum(state["profiled"])[:-1]
            stops, kept = (
                np.split(state[f"profile_{name}"], ends) for name in ("stops", "kept")
            )
            self._profiles = list(zip(stops, kept, strict=True))
