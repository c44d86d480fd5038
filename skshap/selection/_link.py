"""How probable each class is by decision values: a softmax whose slopes are fitted."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

__all__ = ["Link"]

RIDGE = 1e-3  # on the biases
MIXING_RIDGE = 3.0  # on how far the matrix is from a diagonal one, against all log loss
LARGEST_LOGIT = 25.0  # so that probabilities near 1 stay apart in floating point
MAX_STEPS = 30
# Tight, or the order of rows would decide where expectation maximization stops.
PRECISION = {"maxcor": 30, "ftol": 1e-12, "gtol": 1e-7}


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
        scaling [1]_, the latter regularized [2]_.

    Attributes
    ----------
    weights : ndarray of shape (2 * n_classes,) or (2 * n_classes + n_classes**2,)
        Logarithms of slopes, then biases, then the matrix.

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017. https://arxiv.org/abs/1706.04599
    .. [2] Kull et al., "Beyond temperature scaling: Obtaining well-calibrated
       multiclass probabilities with Dirichlet calibration", NeurIPS 2019.
       https://arxiv.org/abs/1910.12656
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
