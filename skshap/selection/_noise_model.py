"""How wrong labels came about: true label from the rows, given label from the true."""

import numpy as np

from skshap.selection._copies import judge_together
from skshap.selection._link import Link, tilted, unsure_share
from skshap.selection._transitions import (
    PRIOR_RATE,
    end_of_path,
    expected_transition,
    uniform_noise,
)

__all__ = ["NoiseModel"]

# Of the rows that are hard to predict, those that are blind: no decision value tells
# them. Without them every hard row would pass for a wrong label. Where few rows are
# hard it is less.
BLIND_SHARE = 0.25
BLIND_GROWTH = 0.8  # of that share, by the share of rows that are hard
# Of the link, by `noise`. With less of it, rates of wrong labels that differ between
# classes are taken for rows that differ in how hard they are; with more, the reverse.
SLOPE_RIDGE = {"class-conditional": 10.0, "by pair": 10.0, "symmetric": 1e4}
# Of the labels of a class, how far they are believed on average; and the share that is
# believed more than not, or how surely decision values tell rows of it, whichever is
# less. With less of both, rows do not tell this class from others, and all of it passes
# for labels gone wrong; where some rows are surely of it, most of it may be.
LEAST_BELIEVED = 0.35
LEAST_SURE = 0.06
UNTOLD_RATE = 0.125  # of wrong labels in such a class
MAX_ROUNDS = 50
TOL = 5e-5  # of a step, and of what is left to go, in probability


class NoiseModel:
    """True labels from decision values, and given labels from true ones.

    The true label of a row with decision values f, the largest of them that of class j,
    has the probabilities ``(1 - e) softmax(b_j f + c) + e / n_classes``, with f times a
    matrix by "matrix" scaling; a row of true label k was given label g with probability
    ``transition[k, g]``. Slopes, biases, the matrix and transitions are those of
    largest likelihood of the given labels, with weak priors on the transitions, on the
    matrix and on how far slopes differ, found by expectation maximization; the share e
    of blind rows, which no decision value tells, follows from the share of hard ones. A
    class that rows do not tell from others would vanish, as if all its labels were
    wrong ones of others: the model is then fitted as if no others were turned into it,
    and as many of its labels are expected to be wrong as in any such class, one in
    eight.

    Parameters
    ----------
    given : ndarray of shape (n,)
        Index of each row's given label.
    n_classes : int
        Number of classes.
    is_clean : ndarray of shape (n,) of bool
        True where the given label is known to be the true one.
    noise : {"class-conditional", "by pair", "symmetric"}, default="class-conditional"
        How labels go wrong: each class at a rate of its own, to some classes more than
        to others, or all classes at one rate, to all others alike. "by pair": as the
        first, from which `restrict` leaves some pairs, so that all others are alike.
    scaling : {"vector", "matrix"}, default="vector"
        See :class:`skshap.selection._link.Link`.

    Attributes
    ----------
    transition : ndarray of shape (n_classes, n_classes)
        Probability of each given label (column) by true label (row).
    own : ndarray of shape (n_classes, n_classes) of bool
        Which of them are rates of their own, and not that of all others.
    probabilities : ndarray of shape (n, n_classes)
        Of the true label, from decision values alone.
    posterior : ndarray of shape (n, n_classes)
        Of the true label, from decision values and the given label.
    hard_share : float
        Of rows that are hard to predict: how far from sure the softmax is, see
        `unsure_share`.
    """

    def __init__(
        self, given, n_classes, is_clean, *, noise="class-conditional", scaling="vector"
    ):
        self.given, self.n_classes, self.is_clean = given, n_classes, is_clean
        self.noise, self.scaling = noise, scaling
        self.transition = uniform_noise(PRIOR_RATE, n_classes)
        self.own = ~np.eye(n_classes, dtype=bool) & (noise != "symmetric")
        self._n_given = np.bincount(given[~is_clean], minlength=n_classes)
        self._untold = np.zeros(n_classes, dtype=bool)  # classes
        self._link = Link(n_classes, SLOPE_RIDGE[noise], scaling)
        self._parts = None  # of `take_over`
        self._copies = None  # those that are judged together

    def fit(self, decision):
        """Fit link and transitions, from where they are; return the posterior."""
        self._z = scaled(decision)
        self._untold[:] = False
        for _ in range(self.n_classes):
            self._maximize()
            self.posterior = self._judge()
            vanished = self._vanished()
            if not vanished.any():
                break
            self._untold |= vanished
        self._settle()
        return self.posterior

    def draw_to(self, other, share):
        """Judge labels by a mean of this model and another of the same ones.

        It is that of probabilities and transitions. Which pairs have rates of their
        own, which classes rows do not tell, and how many rows are hard, is left.

        Parameters
        ----------
        other : NoiseModel
            Fitted.
        share : float
            Weight of the other one, of 1.
        """
        for name in ("probabilities", "transition"):
            mean = (1 - share) * getattr(self, name) + share * getattr(other, name)
            setattr(self, name, mean)
        same = np.eye(self.n_classes, dtype=bool)
        to_untold = np.where(self._untold & ~same, self.transition, 0)
        self.transition += np.diag(to_untold.sum(1)) - to_untold
        self.posterior = self._judge()
        self._settle()

    def begun_by(self, decision):
        """Return the model, not fitted, that begins with rows surely of a class.

        Parameters
        ----------
        decision : ndarray of shape (n, n_classes)
            What is the largest for a row, is its class.
        """
        other = self._alike(self.noise)
        other._link.sharpen(scaled(decision))
        other.posterior = np.eye(self.n_classes)[decision.argmax(1)]
        other.transition = other._count()
        return other

    def part(self, rows):
        """Return a model of some rows and the classes that they have, not fitted."""
        classes, given = np.unique(self.given[rows], return_inverse=True)
        kind = {"noise": self.noise, "scaling": self.scaling}
        return NoiseModel(given, len(classes), self.is_clean[rows], **kind)

    def take_over(self, part, rows, probabilities):
        """Judge labels by a model of some rows, and the others' by given probabilities.

        Parameters
        ----------
        part : NoiseModel
            Fitted. None of the labels of its classes is turned into the others, whose
            own go wrong at their mean rate.
        rows : ndarray of int
            Which of the rows it is a model of.
        probabilities : ndarray of shape (n, n_classes)
            Of the true label; those of `rows` are not used.
        """
        self._parts = part, rows, probabilities
        classes = np.unique(self.given[rows])
        self.hard_share = part.hard_share
        rate = 1 - np.diagonal(part.transition).mean()
        self.transition = uniform_noise(rate, self.n_classes)
        self.transition[classes] = 0
        self.transition[np.ix_(classes, classes)] = part.transition
        self.own[:] = False
        self.own[np.ix_(classes, classes)] = part.own
        self.probabilities = probabilities.copy()
        self.probabilities[rows] = 0
        self.probabilities[np.ix_(rows, classes)] = part.probabilities
        self.posterior = self._judge()
        self.posterior[np.ix_(rows, classes)] = part.posterior

    def symmetric(self):
        """Return the model fitted as if classes had the same rate of wrong labels."""
        if not self.own.any():
            return self
        other = self._alike("symmetric")
        if self._parts is None:
            other.fit(self._z)
            if self._copies is not None:
                other.judge_copies(self._copies, least=-np.inf)
        else:
            part, *known = self._parts
            other.take_over(part.symmetric(), *known)
        return other

    def restrict(self, own):
        """Return the model fitted with rates of their own for some pairs of classes.

        Parameters
        ----------
        own : ndarray of shape (n_classes, n_classes) of bool
            Which; all others are alike.

        Returns
        -------
        NoiseModel
            Fitted from where this one is, with slopes of the link as nearly the same as
            those of one rate: a few rates cannot be told from slopes that differ.
        """
        if not own.any():
            return self.symmetric()
        other = self._alike(self.noise)
        other._link.slope_ridge = SLOPE_RIDGE["symmetric"]
        other.own, other.transition = own.copy(), self.transition.copy()
        other.fit(self._z)
        return other

    def _alike(self, noise):
        """Return a model of the same labels, not fitted but for its link."""
        kind = {"noise": noise, "scaling": self.scaling}
        other = NoiseModel(self.given, self.n_classes, self.is_clean, **kind)
        other._link.weights = self._link.weights.copy()
        return other

    def judge_copies(self, copies, **options):
        """Judge labels of copies that differ together, if `judge_together` does.

        Those of classes that rows do not tell, which `_settle` judges, are left.

        Parameters
        ----------
        copies : ndarray of shape (n,)
            From `find_copies`.
        **options
            Of `judge_together`.
        """
        judged = np.flatnonzero(~self.is_clean & ~self._untold[self.given])
        number = np.unique(copies[judged], return_inverse=True)[1]
        labels = self.probabilities[judged], self.transition, self.given[judged]
        rows, posterior = judge_together(*labels, number, **options)
        if len(rows):
            self._copies = copies
            self.posterior[judged[rows]] = posterior

    def predict(self):
        """Return the class that decision values speak for, by row.

        The largest of them is that of this class, unless they say something of other
        classes as well.
        """
        by_vector = self.scaling == "vector"
        return (self._z if by_vector else self.probabilities).argmax(1)

    def quality(self):
        """Return how probably the given label of each row is right."""
        return self.posterior[np.arange(len(self.given)), self.given]

    def quality_unknown(self):
        """Return the same as if no label were known to be right, and no row a copy."""
        joint = self.probabilities * self.transition[:, self.given].T
        own = joint[np.arange(len(self.given)), self.given]
        return own / joint.sum(1)

    def expected_counts(self):
        """Count labels not known to be clean, by true class (row) and given one."""
        judged = ~self.is_clean
        return self.posterior[judged].T @ np.eye(self.n_classes)[self.given[judged]]

    def log_likelihood(self):
        """Return that of the given labels of rows not known to be clean, in nats."""
        likelihood = (self.probabilities * self._evidence()).sum(1)
        return float(np.log(likelihood[~self.is_clean]).sum())

    def _maximize(self):
        """Fit link and transitions by expectation maximization.

        Where rows hardly tell how many labels are wrong its steps are short and many,
        so that after each two of them it goes on from where they seem to lead.
        """
        self._blind = 0.0
        for _ in range(MAX_ROUNDS):
            path = [self.transition, self._step(), self._step()]
            ahead = end_of_path(*path)
            steps = [path[2] - path[1], ahead - path[2]]
            if np.abs(steps).max() < TOL:
                break
            self.transition = ahead

    def _step(self):
        """Fit the link, then the transitions; return these."""
        self._link.fit(self._z, self._evidence(), self._blind)
        soft = self._link.probabilities(self._z)
        hard = self.hard_share = unsure_share(soft)
        self._blind = min(BLIND_SHARE, BLIND_GROWTH * hard) * hard
        self.probabilities = (1 - self._blind) * soft + self._blind / self.n_classes
        self.posterior = self._judge()
        self.transition = self._count()
        return self.transition

    def _vanished(self):
        """Whether labels of each class are not believed, and no rows surely its."""
        right = self.quality()
        counts = np.maximum(np.bincount(self.given, minlength=self.n_classes), 1)
        believed, sure = (
            np.bincount(self.given, share, self.n_classes) / counts
            for share in (right, right > 0.5)
        )
        # The mean probability of a class over rows drawn by that probability.
        p = self.probabilities
        told = (p**2).sum(0) / np.maximum(p.sum(0), 1e-300)
        return (believed < LEAST_BELIEVED) & (np.minimum(sure, told) < LEAST_SURE)

    def _evidence(self):
        """Probability of the given label of each row by each true label."""
        evidence = self.transition[:, self.given].T
        known = np.eye(self.n_classes)[self.given]
        return np.where(self.is_clean[:, None], known, evidence)

    def _settle(self):
        """Say of labels of classes that rows do not tell what can be said."""
        for c in np.flatnonzero(self._untold):
            rows = (self.given == c) & ~self.is_clean
            self.posterior[rows] = tilted(self.probabilities[rows], c, 1 - UNTOLD_RATE)

    def _judge(self):
        joint = self.probabilities * self._evidence()
        return joint / joint.sum(1, keepdims=True)

    def _count(self):
        """Return the transitions that the posterior expects.

        Rows known to be clean say nothing on how labels go wrong.
        """
        counts = self.expected_counts()
        return expected_transition(counts, self._n_given, self.own, self._untold)


def scaled(decision):
    """Return decision values in units of how they spread."""
    return decision / max(decision.std(), 1e-9)
