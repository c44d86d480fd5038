"""How wrong labels came about: true label from the rows, given label from the true."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

__all__ = ["NoiseModel"]

PRIOR_RATE = 0.125  # of wrong labels, where the data say nothing
PRIOR_WEIGHT = 0.05  # of that, as a share of the rows
SYMMETRY_WEIGHT = 0.1  # of the same rate for all classes, as a share of the rows
# Of the rows that are hard to predict, those that no decision value tells: without
# them every hard row would pass for a wrong label. Where few rows are hard it is less.
HARD_SHARE = 0.25
HARD_GROWTH = 0.8  # of that share, by the share of rows that are hard
RIDGE = 1e-3  # on the biases of the link
# On the spread of its slopes, in logarithms, by `noise`, against the log loss of all
# rows. With less of it, rates of wrong labels that differ between classes are taken
# for rows that differ in how hard they are; with more, the reverse.
SLOPE_RIDGE = {"class-conditional": 10.0, "symmetric": 1e4}
LARGEST_LOGIT = 30.0  # so that probabilities near 1 stay apart in floating point
MAX_STEPS = 30
TOL = 1e-3  # of a step, in probability


class NoiseModel:
    """True labels from decision values, and given labels from true ones.

    The true label of a row with decision values f, the largest of them that of class j,
    has the probabilities ``(1 - e) softmax(b_j f + c) + e / n_classes``; a row of true
    label k was given label g with probability ``transition[k, g]``. Slopes, biases and
    transitions are those of largest likelihood of the given labels, with weak priors on
    the transitions and on how far slopes differ, found by expectation maximization; the
    share e of rows that are hard to tell follows from the softmax.

    Parameters
    ----------
    given : ndarray of shape (n,)
        Index of each row's given label.
    n_classes : int
        Number of classes.
    is_clean : ndarray of shape (n,) of bool
        True where the given label is known to be the true one.
    noise : {"class-conditional", "symmetric"}, default="class-conditional"
        How labels go wrong: each class at a rate of its own, to some classes more than
        to others, or all classes at one rate, to all others alike.

    Attributes
    ----------
    transition : ndarray of shape (n_classes, n_classes)
        Probability of each given label (column) by true label (row).
    probabilities : ndarray of shape (n, n_classes)
        Of the true label, from decision values alone.
    posterior : ndarray of shape (n, n_classes)
        Of the true label, from decision values and the given label.
    """

    def __init__(self, given, n_classes, is_clean, *, noise="class-conditional"):
        self.given, self.n_classes, self.is_clean = given, n_classes, is_clean
        self.noise = noise
        self.transition = uniform_noise(PRIOR_RATE, n_classes)
        self._link = np.zeros(2 * n_classes)  # logarithms of slopes, then biases

    def fit(self, decision):
        """Fit link and transitions, from where they are; return the posterior."""
        z = decision / max(decision.std(), 1e-9)
        n_hard = 0.0
        for _ in range(MAX_STEPS):
            self._fit_link(z, n_hard)
            soft = self._softmax(z)
            n_classes = self.n_classes
            hard = (1 - soft.max(1).mean()) * n_classes / (n_classes - 1)
            n_hard = min(HARD_SHARE, HARD_GROWTH * hard) * hard
            self.probabilities = (1 - n_hard) * soft + n_hard / n_classes
            previous, self.transition = self.transition, self._count()
            if np.abs(self.transition - previous).max() < TOL:
                break
        self.posterior = self._judge()
        return self.posterior

    def _softmax(self, z):
        log_slopes, biases = np.split(self._link, 2)
        slopes = np.exp(log_slopes)[z.argmax(1), None]
        return softmax(slopes * behind(z) + biases, axis=1)

    def _evidence(self):
        """Probability of the given label of each row by each true label."""
        evidence = self.transition[:, self.given].T
        known = np.eye(self.n_classes)[self.given]
        return np.where(self.is_clean[:, None], known, evidence)

    def _judge(self):
        joint = self.probabilities * self._evidence()
        return joint / joint.sum(1, keepdims=True)

    def _count(self):
        """Transitions that the posterior expects, drawn towards the same rate for all.

        Rows known to be clean say nothing on how labels go wrong.
        """
        k, noisy = self.n_classes, ~self.is_clean
        labels = np.eye(k)[self.given[noisy]]
        counts = self._judge()[noisy].T @ labels
        a_class = noisy.sum() / k
        counts += PRIOR_WEIGHT * a_class * uniform_noise(PRIOR_RATE, k)
        rate = 1 - np.trace(counts) / counts.sum()
        if self.noise == "symmetric":
            return uniform_noise(rate, k)
        counts += SYMMETRY_WEIGHT * a_class * uniform_noise(rate, k)
        return counts / counts.sum(1, keepdims=True)

    def _fit_link(self, z, n_hard):
        """Find slopes and biases of largest likelihood, given the transitions."""
        evidence, ridge = self._evidence(), SLOPE_RIDGE[self.noise] / len(z)
        gaps, tops = behind(z), np.eye(self.n_classes)[z.argmax(1)]

        def loss(link):
            log_slopes, biases = np.split(link, 2)
            slopes, spread = np.exp(log_slopes), log_slopes - log_slopes.mean()
            soft = softmax((tops @ slopes)[:, None] * gaps + biases, axis=1)
            joint = (1 - n_hard) * soft * evidence
            total = (joint + n_hard / self.n_classes * evidence).sum(1)
            share = joint / total[:, None]
            gradient = (soft * share.sum(1, keepdims=True) - share) / len(z)
            by_slope = slopes * ((gradient * gaps).sum(1) @ tops)
            penalty = ridge * (spread**2).sum() + RIDGE * (biases**2).sum()
            return penalty - np.log(total).mean(), np.append(
                by_slope + 2 * ridge * spread,
                gradient.sum(0) + 2 * RIDGE * biases,
            )

        steepest = np.log(LARGEST_LOGIT / max(np.ptp(z, axis=1).max(), 1e-9))
        found = minimize(
            loss,
            self._link,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-10, max(steepest, -10))] * self.n_classes
            + [(None, None)] * self.n_classes,
            options={"maxiter": MAX_STEPS},
        )
        self._link = found.x


def behind(z):
    """How far each decision value of a row is behind the largest, negative."""
    return z - z.max(1, keepdims=True)


def uniform_noise(rate, n_classes):
    """Transitions that go wrong at one rate, to all other classes alike."""
    transition = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(transition, 1 - rate)
    return transition
