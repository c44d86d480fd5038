"""Utilities: how well decision values predict the labels of given rows."""

import numpy as np
import torch
from scipy.special import xlogy

from skshap.utils._ridge import TIE
from skshap.utils._sklearn import is_scorer

__all__ = ["SCORINGS", "Utility", "check_scoring", "null_utility"]

MOVES = 96  # scored at a time
LOGS = 8  # factors whose product is taken before a logarithm
SCORINGS = ("accuracy", "neg_log_loss", "neg_brier_score")


def check_scoring(scoring):
    """Raise if `scoring` is neither built in nor a score of single rows.

    Parameters
    ----------
    scoring : str or callable
        What the user passed.

    Raises
    ------
    ValueError
        If it is another name, or a scikit-learn scorer.
    """
    why = (
        "values need a score of each single row, computed from decision values "
        "alone: a scikit-learn scorer or a score of a whole sample (AUC, F1) would "
        "need a fitted model, and a pass over all rows, for each of very many "
        f"coalitions. Use one of {list(SCORINGS)} or a callable f(decision, y_index) "
        "that maps decision values of shape (n, n_classes) and label indices of "
        "shape (n,) to n scores."
    )
    module = getattr(scoring, "__module__", None) or ""
    if is_scorer(scoring) or module.startswith("sklearn.metrics"):
        raise ValueError(
            f"scoring={scoring!r} is scikit-learn's scorer or metric; {why}"
        )
    if not callable(scoring) and scoring not in SCORINGS:
        raise ValueError(f"scoring={scoring!r} is not known; {why}")


class Utility:
    """Scores decision values at rows with known labels.

    With two classes the built-in scores depend on the margin alone, the second
    decision value minus the first, so that only the margin is computed.

    Parameters
    ----------
    scoring : {"accuracy", "neg_log_loss", "neg_brier_score"} or callable
        The score of a row.
    y_index : ndarray of shape (m,)
        Index of each row's label.
    n_classes : int
        Number of classes.
    device : str, torch.device or None, default=None
        Where decision values lie.
    """

    def __init__(self, scoring, y_index, n_classes, device=None):
        self.scoring = scoring
        self.n_classes = n_classes
        self.uses_margin = n_classes == 2 and not callable(scoring)
        self.is_smooth = scoring in ("neg_log_loss", "neg_brier_score")
        self.y = torch.as_tensor(y_index, dtype=torch.int64, device=device)
        self._sign = (2 * self.y - 1).double()

    def targets(self, y_index):
        """Return what ridge regresses on, of shape (n, n_outputs).

        Parameters
        ----------
        y_index : ndarray of shape (n,)
            Index of each training row's label.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Indicators of the classes, or their difference.
        """
        Y = np.eye(self.n_classes)[y_index]
        Y = Y[:, [1]] - Y[:, [0]] if self.uses_margin else Y
        return torch.tensor(Y, device=self.y.device)

    def __call__(self, decision):
        """Score decision values.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, ..., m)
            Decision values, or margins where `uses_margin`.

        Returns
        -------
        Tensor of shape (..., m)
            Scores, float64, in the units of `scoring`.
        """
        if callable(self.scoring):
            return self._call(decision)
        if self.uses_margin:
            return getattr(self, f"_margin_{self.scoring}")(decision[0])
        return getattr(self, f"_{self.scoring}")(decision)

    def _margin_accuracy(self, margin):
        # The first class wins a tie, as in predict.
        return ((margin > TIE) == (self.y == 1)).double()

    def _margin_neg_log_loss(self, margin):
        return torch.nn.functional.logsigmoid(2 * self._sign * margin)

    def _margin_neg_brier_score(self, margin):
        return -torch.sigmoid(-2 * self._sign * margin).square()

    def gains(self, decision, cross, weight, *, per_sample):
        """Score what moves of the decision values gain.

        Parameters
        ----------
        decision : Tensor of shape (n_outputs, m)
            Decision values.
        cross : Tensor of shape (b, m)
            With `weight`: move i adds ``weight[i, c] * cross[i]`` to output c.
        weight : Tensor of shape (b, n_outputs)
            Of each move.
        per_sample : bool
            Whether to keep the rows scored apart.

        Returns
        -------
        Tensor of shape (b,), or (b, m) if `per_sample`
            Scores after each move minus scores before, their mean over the rows scored
            or each.
        """
        is_fused = self.uses_margin and not per_sample
        gain = getattr(self, f"_gain_{self.scoring}") if is_fused else None
        shape = cross.shape if per_sample else cross.shape[:1]
        out = torch.empty(shape, dtype=cross.dtype, device=cross.device)
        before = None if is_fused else self(decision)
        # Blocks that stay in the cache, on a CPU.
        step = MOVES if cross.device.type == "cpu" else max(1, len(cross))
        for i in range(0, len(cross), step):
            moves = slice(i, i + step)
            if is_fused:
                out[moves] = gain(decision[0], cross[moves], weight[moves])
                continue
            after = weight[moves].T.unsqueeze(2) * cross[moves]
            after = self(after.add_(decision.unsqueeze(1))) - before
            out[moves] = after if per_sample else after.mean(1)
        return out

    def _gain_accuracy(self, margin, cross, weight):
        after = torch.addcmul(margin - TIE, cross, weight).sign_().clamp_min_(0)
        # One where the second class is predicted now, minus the same before.
        before = (margin > TIE).to(margin.dtype) @ self._sign
        return (after @ self._sign - before) / len(margin)

    def _gain_neg_log_loss(self, margin, cross, weight):
        # log p after - log p before = -log(1 - q + q exp(-2 sign move)), q = 1 - p
        # before; one logarithm of a product serves several rows.
        q = torch.sigmoid(-2 * self._sign * margin)
        m = len(margin)
        groups = -(-m // LOGS)
        factors = cross.new_ones(len(cross), LOGS * groups)
        ratio = torch.mul(cross, weight, out=factors[:, :m])
        ratio.mul_(-2 * self._sign).exp_()
        torch.addcmul(1 - q, ratio, q, out=ratio)
        total = factors.view(len(cross), LOGS, groups).prod(1).log_().sum(1)
        if not torch.isfinite(total).all():  # a product left the range of numbers
            after = self._margin_neg_log_loss(margin + cross * weight)
            return (after - self._margin_neg_log_loss(margin)).mean(1)
        return -total / m

    def _gain_neg_brier_score(self, margin, cross, weight):
        after = torch.addcmul(margin, cross, weight).mul_(-2 * self._sign)
        before = self._margin_neg_brier_score(margin).mean()
        return -after.sigmoid_().square_().mean(1) - before

    def _own(self, decision):
        index = self.y.expand(decision.shape[1:]).unsqueeze(0)
        return decision.gather(0, index).squeeze(0)

    def _accuracy(self, decision):
        own = self._own(decision)
        correct = torch.ones_like(own, dtype=torch.bool)
        for c, other in enumerate(decision):
            # The first class wins a tie, as in predict.
            correct &= other < torch.where(self.y <= c, own + TIE, own - TIE)
        return correct.double()

    def _neg_log_loss(self, decision):
        return self._own(torch.log_softmax(self.n_classes * decision, 0))

    def _neg_brier_score(self, decision):
        p = torch.softmax(self.n_classes * decision, 0)
        return 2 * self._own(p) - 1 - p.square().sum(0)

    def _call(self, decision):
        shape = decision.shape[1:]
        rows = decision.movedim(0, -1).reshape(-1, self.n_classes).cpu().numpy()
        y = self.y.expand(shape).reshape(-1).cpu().numpy().copy()
        scores = np.asarray(self.scoring(rows, y), dtype=np.float64)
        if scores.shape != y.shape or not np.isfinite(scores).all():
            raise ValueError(
                "scoring must return one finite score a row: for decision values of "
                f"shape {rows.shape} it returned an array of shape {scores.shape}"
                f"{'' if np.isfinite(scores).all() else ' with NaN or infinity'}."
            )
        return torch.tensor(scores, device=decision.device).reshape(shape)


def null_utility(scoring, null_score, y_index, n_classes):
    """Return the utility of no training row at all, the same for every row scored.

    Parameters
    ----------
    scoring : {"accuracy", "neg_log_loss", "neg_brier_score"} or callable
        The score of a row.
    null_score : {"prior", "chance"} or float
        "prior": what predicting the class frequencies of the training labels scores on
        average over those labels; "chance": the same for equal frequencies; or the
        utility itself.
    y_index : ndarray of shape (n,)
        Index of each training row's label.
    n_classes : int
        Number of classes.

    Returns
    -------
    float
        In the units of `scoring`.
    """
    if not isinstance(null_score, str):
        return float(null_score)
    p = np.full(n_classes, 1 / n_classes)
    if null_score == "prior":
        p = np.bincount(y_index, minlength=n_classes) / len(y_index)
    if callable(scoring):
        utility = Utility(scoring, np.arange(n_classes), n_classes)
        decision = torch.tensor(p).unsqueeze(1).expand(n_classes, n_classes)
        return float(p @ utility(decision).numpy())
    if scoring == "accuracy":
        return float(p.max())
    if scoring == "neg_log_loss":
        return float(xlogy(p, p).sum())
    return float((p @ p - 1) / (2 if n_classes == 2 else 1))
