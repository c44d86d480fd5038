"""Probabilities of classes: by decision values, a softmax whose slopes are fitted."""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit, softmax

__all__ = ["Link", "tilted", "unsure_share"]

RIDGE = 1e-3  # on the biases
MIXING_RIDGE = 3.0  # on how far the matrix is from a diagonal one, against all log loss
LARGEST_LOGIT = 25.0  # so that probabilities near 1 stay apart in floating point
MAX_STEPS = 30
# Tight, or the order of rows would decide where expectation maximization stops.
PRECISION = {"maxcor": 30, "ftol": 1e-12, "gtol": 1e-7}
STEP = 0.2  # of how sure rows are, from all classes equally probable to one sure


class Link:
    """Probabilities of classes by decision values.

    Of a row with decision values f, the largest of them that of class j, they are
    ``softmax(b_j f + c)``, or, where decision values of a class say something of others
    as well, as of classes in an order, ``softmax(b_j f (I + M) + c)``.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    slope_ridge : float
        On the spread of the slopes b, in logarithms, against the log loss of all rows.
    scaling : {"vector", "matrix"}, default="vector"
        Without or with the matrix M, which has a ridge of its own: vector and matrix
        scaling (Guo et al. (2017), https://arxiv.org/abs/1706.04599), the latter
        regularized (Kull et al. (2019), https://arxiv.org/abs/1910.12656).

    Attributes
    ----------
    weights : ndarray of shape (2 * n_classes,) or (2 * n_classes + n_classes**2,)
        Logarithms of slopes, then biases, then the matrix.
    """

    def __init__(self, n_classes, slope_ridge, scaling="vector"):
        self.n_classes, self.slope_ridge = n_classes, slope_ridge
        self.scaling = scaling
        self.weights = np.zeros((2 + n_classes * (scaling == "matrix")) * n_classes)

    def probabilities(self, z):
        """Return those of rows with decision values z, shape (n, n_classes)."""
        log_slopes, biases, matrix = self._split(self.weights)
        slopes = np.exp(log_slopes)[z.argmax(1), None]
        gaps = behind(z)
        gaps = gaps if matrix is None else gaps + gaps @ matrix
        return softmax(slopes * gaps + biases, axis=1)

    def sharpen(self, z):
        """Begin as steep as slopes may be: where rows are surely of a class."""
        self.weights = np.zeros_like(self.weights)
        self.weights[: self.n_classes] = self._steepest(z)

    def _steepest(self, z):
        return np.log(LARGEST_LOGIT / max(np.ptp(z, axis=1).max(), 1e-9))

    def _split(self, weights):
        """Return logarithms of slopes, biases, and the matrix or None."""
        k = self.n_classes
        log_slopes, biases, rest = np.split(weights, [k, 2 * k])
        matrix = rest.reshape(k, k) if self.scaling == "matrix" else None
        return log_slopes, biases, matrix

    def fit(self, z, evidence, blind):
        """Find slopes and biases of largest likelihood, from where they are.

        Parameters
        ----------
        z : ndarray of shape (n, n_classes)
            Decision values.
        evidence : ndarray of shape (n, n_classes)
            Probability of what is seen of each row, by its class.
        blind : float
            Share of rows whose class no decision value tells.
        """
        n, ridge = len(z), self.slope_ridge / len(z)
        # Classes first: sums over a few of them are slow as the last axis.
        gaps, evidence = behind(z).T.copy(), evidence.T.copy()
        top, by_blind = z.argmax(1), blind / self.n_classes * evidence.sum(0)

        def loss(weights):
            log_slopes, biases, matrix = self._split(weights)
            slopes, spread = np.exp(log_slopes), log_slopes - log_slopes.mean()
            of_rows = slopes[top]
            inputs = gaps if matrix is None else gaps + matrix.T @ gaps
            soft = of_rows * inputs + biases[:, None]
            soft -= soft.max(0)
            np.exp(soft, out=soft)
            soft /= soft.sum(0)
            joint = (1 - blind) * soft * evidence
            total = joint.sum(0) + by_blind
            share = joint / total
            gradient = (soft * share.sum(0) - share) / n
            by_slope = (gradient * inputs).sum(0)
            by_slope = slopes * np.bincount(top, by_slope, self.n_classes)
            penalty = ridge * (spread**2).sum() + RIDGE * (biases**2).sum()
            by_bias = gradient.sum(1) + 2 * RIDGE * biases
            slope = [by_slope + 2 * ridge * spread, by_bias]
            if matrix is not None:
                mixing_ridge = MIXING_RIDGE / n
                penalty += mixing_ridge * (matrix**2).sum()
                by_matrix = gaps @ (of_rows * gradient).T + 2 * mixing_ridge * matrix
                slope.append(by_matrix.ravel())
            return penalty - np.log(total).mean(), np.concatenate(slope)

        steepest = self._steepest(z)
        found = minimize(
            loss,
            self.weights,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-10, max(steepest, -10))] * self.n_classes
            + [(None, None)] * (len(self.weights) - self.n_classes),
            options={"maxiter": MAX_STEPS, **PRECISION},
        )
        self.weights = found.x


def behind(z):
    """How far each decision value of a row is behind the largest, negative."""
    return z - z.max(1, keepdims=True)


def unsure_share(soft):
    """Tell how far from sure predictions are, but for rows that say nothing.

    Parameters
    ----------
    soft : ndarray of shape (n, n_classes)
        Probabilities.

    Returns
    -------
    float
        Mean of 0 where a class is sure to 1 where all are equally probable. Of rows at
        that end only as many count as are a step nearer to sure: more of them are rows
        of another kind, such as empty ones, and tell nothing of how often the sure ones
        are wrong.
    """
    n_classes = soft.shape[1]
    unsure = (1 - soft.max(1)) * n_classes / (n_classes - 1)
    is_blank = unsure > 1 - STEP
    n_next = ((unsure > 1 - 2 * STEP) & ~is_blank).sum()
    weight = min(1.0, max(n_next, 1) / max(is_blank.sum(), 1))
    return float(np.average(unsure, weights=np.where(is_blank, weight, 1.0)))


def tilted(probabilities, c, believed):
    """Weigh class c against the others, so that it has a given mean probability.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
    c : int
    believed : float
        The mean.

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    own = logit(np.clip(probabilities[:, c], 1e-12, 1 - 1e-12))
    shift = brentq(lambda s: expit(own + s).mean() - believed, -100, 100)
    others = np.delete(probabilities, c, 1)
    others /= others.sum(1, keepdims=True)
    own = expit(own + shift)
    return np.insert(others * (1 - own[:, None]), c, own, axis=1)
