"""Utilities: per-row scores of what a coalition predicts, and what moves gain."""

from copy import copy
from difflib import get_close_matches

import torch

from skshap.utils._sklearn import is_scorer

__all__ = ["Utility", "check_scoring"]

SCORED = 65_536  # predictions scored at a time: they stay in the cache of a CPU


def check_scoring(scoring, built_in, signature):
    """Raise if `scoring` is neither built in nor a score of single rows.

    Parameters
    ----------
    scoring : str or callable
        What the user passed.
    built_in : collection of str
        Names that are known.
    signature : str
        Of a callable, and what it maps to what, for the message.

    Raises
    ------
    ValueError
        If it is another name, or a scikit-learn scorer.
    """
    why = (
        "values need a score of each single row, computed from predictions alone: a "
        "scikit-learn scorer or a score of a whole sample (AUC, F1, R2) would need a "
        "fitted model, and a pass over all rows, for each of very many coalitions. "
        f"Use one of {list(built_in)} or a callable {signature}."
    )
    module = getattr(scoring, "__module__", None) or ""
    if is_scorer(scoring) or module.startswith("sklearn.metrics"):
        raise ValueError(
            f"scoring={scoring!r} is scikit-learn's scorer or metric; {why}"
        )
    is_known = isinstance(scoring, str) and scoring in built_in
    if not callable(scoring) and not is_known:
        near = get_close_matches(str(scoring), built_in, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"scoring={scoring!r} is not known{hint}; {why}")


class Utility:
    """Scores predictions at rows whose target is known.

    Subclasses define `__call__`; what they keep by row they make of `y`, of which `at`
    takes some. They may define ``mean_gains(prediction)``, if moves of a single output
    can be scored with less work than each prediction that they lead to: from
    predictions of shape (m,), a function of `cross` and `weight`, of shapes (b, m) and
    (b, 1), that returns the mean gains, of shape (b,), of moves by ``cross * weight``.
    And ``distance(decision)``, of shape (m,), if scores jump, and are the same wherever
    predictions move by less: then some rows are sampled, and `mean_gains` must count
    them by `weights`.

    Parameters
    ----------
    scoring : str or callable
        What it stands for, as the user passed it.
    y : ndarray of shape (m,)
        Targets of the rows scored, encoded.
    device : str, torch.device or None, default=None
        Where predictions lie.

    Attributes
    ----------
    uses_margin : bool
        Whether it scores the second of two outputs minus the first.
    reads_probabilities : bool
        Whether it scores decision values of classes by their softmax alone.
    is_smooth : bool
        Whether scores change smoothly with predictions.
    weights : Tensor of shape (m,) or None
        Of rows that were sampled, see `at`; None if all count the same.
    work : int
        To score one prediction, for each output if it scores several, in floating-point
        operations of a matrix product that take as long.
    """

    uses_margin = False
    reads_probabilities = False
    is_smooth = True
    work = 200
    mean_gains = None
    distance = None

    def __init__(self, scoring, y, device=None):
        self.scoring = scoring
        self.y = torch.tensor(y, device=device)
        self.weights = None

    def __call__(self, decision):
        """Score predictions.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, ..., m)
            One output, their margin, if `uses_margin`.

        Returns
        -------
        Tensor of shape (..., m)
            Scores, float64; larger is better.
        """
        raise NotImplementedError

    def at(self, scored):
        """Return the same for some of the rows scored.

        Parameters
        ----------
        scored : Scored or None
            Which, with weights in what is still the mean over all; None for all.

        Returns
        -------
        Utility
        """
        if scored is None:
            return self
        part = copy(self)
        part.y = self.y[scored.index]
        part.weights = scored.weights / len(self.y)
        return part

    def score(self, decision):
        """Score predictions, of both outputs where the margin is what is scored."""
        return self(self._own_form(decision))

    def gains(self, decision, moves, *, per_sample):
        """Score what moves gain.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, m)
            Predictions.
        moves : Moves or JointMoves
            Of k players.
        per_sample : bool
            Whether to keep the rows scored apart.

        Returns
        -------
        Tensor of shape (k,), or (k, m) if `per_sample`
            Scores after each move minus scores before, their mean over the rows scored
            or each.
        """
        if self.uses_margin and len(decision) == 2:
            moves = moves.margins()
        decision = self._own_form(decision)
        is_fused = self.mean_gains is not None and not per_sample
        k, m = len(moves.players), decision.shape[1]
        shape = (k, m) if per_sample else (k,)
        out = torch.empty(shape, dtype=decision.dtype, device=decision.device)
        if is_fused:
            mean_gains = self.mean_gains(decision[0])
        else:
            before = self(decision)
        is_cached = decision.device.type == "cpu"
        step = max(1, SCORED // max(1, decision.numel()) if is_cached else k)
        for i in range(0, k, step):
            part = slice(i, i + step)
            if is_fused:
                out[part] = mean_gains(moves.cross[part], moves.weight[part])
                continue
            after = self.moved(decision, moves, part) - before
            out[part] = after if per_sample else self.mean(after)
        return out

    def moved(self, decision, moves, part):
        """Score predictions after some moves, each by itself.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, m)
            Before.
        moves : Moves or JointMoves
        part : slice
            Of the moves, b of them.

        Returns
        -------
        Tensor of shape (b, m)
        """
        return self(moves.changes(part).add_(decision.unsqueeze(1)))

    def gains_floats(self, n_players, n_outputs, *, per_sample):
        """Count the floats that `gains` works on at a time, and returns."""
        m = len(self.y)
        return 4 * max(SCORED, n_outputs * m) + n_players * m * per_sample

    def mean(self, scores):
        """Return the mean over the rows scored, which are last."""
        return scores.mean(-1) if self.weights is None else scores @ self.weights

    def distances(self, decision):
        """Return how far predictions are from where their score jumps.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, ..., m)

        Returns
        -------
        Tensor of shape (..., m)
        """
        return self.distance(self._own_form(decision))

    def _own_form(self, decision):
        if self.uses_margin and len(decision) == 2:
            return decision[1:] - decision[:1]
        return decision
