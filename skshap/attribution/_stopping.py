"""Stopping rules: when the draws so far are enough."""

from numbers import Integral, Real

import torch
from scipy.stats import t as student_t

from skshap.attribution._problem import PLAYERS

__all__ = ["SMALLEST_SAMPLE", "StoppingRule", "check_lowest", "check_tol"]

SMALLEST_SAMPLE = 10  # draws before errors are trusted
LOOK = 1.25  # growth of the number of draws between looks at a decision


class StoppingRule:
    """When enough draws have been taken.

    Parameters
    ----------
    tol : float, tuple ("sign", confidence), tuple ("lowest", k, confidence) or None
        A float: once every standard error is at most that. "sign": once the sign of
        every value is settled. "lowest": once the set of the k lowest values is. None:
        never.
    n_values : int
        How many values are decided on in all, with those of other runs.

    Notes
    -----
    A decision is settled if it is the same all over a box that holds all values at once
    with the given confidence: intervals of Student's t, with the error shared out over
    all values and over all looks at the draws (Bonferroni; ``1 / (j (j + 1))`` of it
    for the j-th look). A value all of whose draws agree counts as exact.
    """

    def __init__(self, tol, n_values):
        self.tol, self.n_values = tol, n_values

    def is_met(self, moments, is_last=False):
        """Whether the draws suffice; a decision is looked at from time to time."""
        if self.tol is None or moments.count < SMALLEST_SAMPLE:
            return False
        if not isinstance(self.tol, tuple):
            return moments.largest_error() <= self.tol
        look, is_due = look_at(moments.count)
        if not is_due and not is_last:
            return False
        return not self._unsettled(moments, look).any()

    def _unsettled(self, moments, look):
        """Mark values that stand in the way of a decision, the lowest ones first."""
        kind, *k, confidence = self.tol
        mean, error = moments.mean, moments.errors()
        share = (1 - confidence) / (look * (look + 1)) / self.n_values
        half = float(student_t.isf(share / 2, moments.count - 1)) * error
        if kind == "sign":
            return ~((mean.abs() > half) | (error == 0))
        mean, half = mean.movedim(PLAYERS, -1), half.movedim(PLAYERS, -1)
        ranked = torch.argsort(mean, dim=-1, stable=True)
        lowest, others = ranked.split([k[0], mean.shape[-1] - k[0]], dim=-1)
        upper = (mean + half).gather(-1, lowest)
        lower = (mean - half).gather(-1, others)
        is_low = upper < lower.amin(-1, keepdim=True)
        is_other = lower > upper.amax(-1, keepdim=True)
        return ~torch.cat([is_low, is_other], dim=-1)

    def describe_lack(self, moments):
        """Say what keeps the rule from being met."""
        if not isinstance(self.tol, tuple):
            return f"the largest standard error is {moments.largest_error():.2g}"
        unsettled = self._unsettled(moments, look_at(moments.count)[0])
        share = f"{int(unsettled.sum())} of {unsettled.numel()} values"
        if self.tol[0] == "sign":
            return f"after {moments.count} draws the sign of {share} is not settled"
        return (
            f"after {moments.count} draws it is not settled of {share} whether they "
            f"are among the {self.tol[1]} lowest"
        )


def look_at(count):
    """Return the number of the look at so many draws, and whether one is due.

    Looks come after 10 draws, and then at numbers that grow by a quarter.
    """
    look, due = 1, SMALLEST_SAMPLE
    while due < count:
        look, due = look + 1, int(LOOK * due)
    return look, due == count


def check_tol(tol):
    """Raise if `tol`, of the types that constraints allow, is no stopping rule."""
    match tol:
        case None | Real():
            return
        case ("sign", Real() as confidence) if 0 < confidence < 1:
            return
        case ("lowest", Integral() as k, Real() as confidence) if (
            not isinstance(k, bool) and k >= 1 and 0 < confidence < 1
        ):
            return
    raise ValueError(
        f"tol={tol!r} is no stopping rule; use None, a positive number in the units of "
        "scoring, ('sign', confidence) or ('lowest', k, confidence), k a positive "
        "integer and confidence between 0 and 1."
    )


def check_lowest(tol, n_values):
    """Raise if a valid `tol` asks for as many of the lowest values as there are."""
    k = tol[1] if isinstance(tol, tuple) and tol[0] == "lowest" else 0
    if k >= n_values:
        raise ValueError(
            f"tol={tol!r} asks for the {k} lowest of {n_values} values; ask for "
            f"{n_values - 1} at most."
        )
