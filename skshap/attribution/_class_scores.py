"""Scores of classifiers: accuracy, log loss, Brier score and callables.

With two classes the built-in scores depend on the margin alone, the second decision
value minus the first, so that only the margin is computed.
"""

import numpy as np
import torch

from skshap.attribution._callable_score import CallableScore, check_by_row
from skshap.attribution._moves import Moves
from skshap.attribution._utility import Utility
from skshap.kernel_ridge._base import as_logits, indicators_of
from skshap.utils._ridge import TIE

__all__ = ["CLASS_SCORINGS", "class_null", "class_targets", "class_utility"]

LOGS = 8  # factors whose product is taken before a logarithm
LEAST = 1e-290  # such product, or probability, that has all its digits
LARGEST = 1e140  # sum whose square is finite, and so is that of its inverse


class MarginUtility(Utility):
    """Scores the margin between two classes."""

    uses_margin = True

    @property
    def _sign(self):
        return (2 * self.y - 1).double()


class MarginAccuracy(MarginUtility):
    """One for a row predicted right; the first class wins a tie, as in predict."""

    is_smooth = False
    work = 100
    tie = TIE

    def __call__(self, decision):
        return ((decision[0] > self.tie) == (self.y == 1)).double()

    def mean_gains(self, margin):
        sign = self._sign if self.weights is None else self._sign * self.weights
        bar = self.tie - margin
        before = (margin > self.tie).to(margin.dtype) @ sign
        n = len(margin) if self.weights is None else 1

        def gains(cross, weight):
            # One where the second class is predicted now, minus the same before.
            after = torch.mul(cross, weight).gt_(bar) @ sign
            return after.sub_(before).div_(n)

        return gains

    def distance(self, decision):
        return (decision[0] - self.tie).abs()


class MarginSoftmaxUtility(MarginUtility):
    """Scores the probability of the label, the sigmoid of a slope times the margin."""

    reads_probabilities = True

    @property
    def _slope(self):
        return 2 * self._sign  # logits of two classes are twice their decision values


class MarginLogLoss(MarginSoftmaxUtility):
    """Log probability of the label, in nats."""

    def __call__(self, decision):
        return torch.nn.functional.logsigmoid(self._slope * decision[0])

    def mean_gains(self, margin):
        # log p after - log p before = -log(p + q exp(-slope move)), with p and
        # q = 1 - p before; one logarithm of a product serves several rows.
        slope = self._slope
        p, q = torch.sigmoid(slope * margin), torch.sigmoid(-slope * margin)
        m = len(margin)
        groups = -(-m // LOGS)

        def gains(cross, weight):
            factors = cross.new_ones(len(cross), LOGS * groups)
            ratio = torch.mul(cross, weight, out=factors[:, :m])
            ratio.mul_(-slope).exp_()
            torch.addcmul(p, ratio, q, out=ratio)
            products = factors.view(len(cross), LOGS, groups).prod(1)
            least, largest = torch.aminmax(products)
            if not (least > LEAST and largest < torch.inf):  # nor if one is NaN
                after = self((margin + cross * weight).unsqueeze(0))
                return (after - self(margin.unsqueeze(0))).mean(1)
            return -products.log_().sum(1) / m

        return gains


class MarginBrier(MarginSoftmaxUtility):
    """Minus the squared probability of the wrong class."""

    def __call__(self, decision):
        return -torch.sigmoid(-self._slope * decision[0]).square()

    def mean_gains(self, margin):
        before, slope = self(margin.unsqueeze(0)).mean(), self._slope

        def gains(cross, weight):
            after = torch.addcmul(margin, cross, weight).mul_(-slope)
            return -after.sigmoid_().square_().mean(1) - before

        return gains


class ClassUtility(Utility):
    """Scores the decision values of several classes."""

    work = 250

    def _own(self, decision):
        return decision.gather(0, self._index(decision)).squeeze(0)

    def _index(self, decision):
        return self.y.expand(decision.shape[1:]).unsqueeze(0)


class Accuracy(ClassUtility):
    """One for a row predicted right; the first class wins a tie, as in predict."""

    is_smooth = False
    tie = TIE

    def __call__(self, decision):
        bar = decision.amax(0) - self.tie
        correct = self._own(decision) >= bar
        for c, other in enumerate(decision[:-1]):
            correct &= (other < bar) | (self.y <= c)
        return correct.double()

    def distance(self, decision):
        own = self._own(decision)
        others = decision.scatter(0, self._index(decision), -torch.inf).amax(0)
        return (own - others).abs()


class SoftmaxUtility(ClassUtility):
    """Scores probabilities.

    Subclasses define ``of_shares(shares, total)``: scores by numbers that are to
    probabilities as their total is to 1, which it may change; None if digits are lost.
    """

    reads_probabilities = True

    def moved(self, decision, moves, part):
        # Moves multiply the probabilities before: no largest value is to be found.
        before = torch.softmax(as_logits(decision), 0)
        if isinstance(moves, Moves) and before.min() > LEAST:
            weight = as_logits(moves.weight[part].T)
            shares = torch.mul(weight.unsqueeze(2), moves.cross[part])
            shares.exp_().mul_(before.unsqueeze(1))
            total = shares.sum(0)
            least, largest = torch.aminmax(total)
            if least > 1 / LARGEST and largest < LARGEST:  # nor if one is NaN
                scores = self.of_shares(shares, total)
                if scores is not None:
                    return scores
        return super().moved(decision, moves, part)


class LogLoss(SoftmaxUtility):
    """Log probability of the label, in nats."""

    def __call__(self, decision):
        return self._own(torch.log_softmax(as_logits(decision), 0))

    def of_shares(self, shares, total):
        own = self._own(shares)
        least = own.min()
        probability = own.div_(total)
        is_whole = torch.minimum(least, probability.min()) > LEAST
        return probability.log_() if is_whole else None


class Brier(SoftmaxUtility):
    """Minus the squared distance of the probabilities from the label's indicator."""

    def __call__(self, decision):
        p = torch.softmax(as_logits(decision), 0)
        return 2 * self._own(p) - 1 - p.square().sum(0)

    def of_shares(self, shares, total):
        own, squares = self._own(shares), shares.square_().sum(0)
        return own.mul_(2).sub_(squares.div_(total)).div_(total).sub_(1)


# Of two classes, and of more.
CLASS_SCORINGS = {
    "accuracy": (MarginAccuracy, Accuracy),
    "neg_log_loss": (MarginLogLoss, LogLoss),
    "neg_brier_score": (MarginBrier, Brier),
}


def class_utility(scoring, y_index, n_classes, device=None, tie=TIE):
    """Return the utility that a scoring stands for.

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
    tie : float, default=1e-9
        How close decision values are that are equal but for rounding.

    Returns
    -------
    Utility

    Raises
    ------
    ValueError
        If a callable does not score each row by itself.
    """
    if callable(scoring):
        check_by_row(scoring, y_index, (n_classes,))
        return CallableScore(scoring, y_index, device)
    utility = CLASS_SCORINGS[scoring][n_classes > 2](scoring, y_index, device)
    utility.tie = tie
    return utility


def class_targets(utilities, y_index, n_classes):
    """Return what ridge regresses on, as some utilities need it.

    Parameters
    ----------
    utilities : list of Utility
    y_index : ndarray of shape (n,)
        Index of each training row's label.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of shape (n, n_outputs)
        Indicators of the classes; their difference if all utilities take the margin.
    """
    Y = np.eye(n_classes)[y_index]
    if all(utility.uses_margin for utility in utilities):
        return Y[:, [1]] - Y[:, [0]]
    return Y


def class_null(scoring, null_score, y_index, n_classes):
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
    labels = y_index if null_score == "prior" else np.arange(n_classes)
    p = np.bincount(labels, minlength=n_classes) / len(labels)
    utility = class_utility(scoring, labels, n_classes)
    # Decision values of which these are the probabilities, or else themselves.
    row = indicators_of(p) if utility.reads_probabilities else p
    decision = torch.tensor(row).unsqueeze(1).expand(n_classes, len(labels))
    return float(utility.score(decision).mean())
