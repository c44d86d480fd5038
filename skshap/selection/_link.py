"""How probable each class is by decision values: a softmax whose slopes are fitted."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

__all__ = ["Link"]

RIDGE = 1e-3  # on the biases
LARGEST_LOGIT = 25.0  # so that probabilities near 1 stay apart in floating point
MAX_STEPS = 30
# Tight, or the order of rows would decide where expectation maximization stops.
PRECISION = {"maxcor": 30, "ftol": 1e-12, "gtol": 1e-7}


class Link:
    """Probabilities of classes by decision values.

    Of a row with decision values f, the largest of them that of class j, they are
    ``softmax(b_j f + c)``.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    slope_ridge : float
        On the spread of the slopes b, in logarithms, against the log loss of all rows.

    Attributes
    ----------
    weights : ndarray of shape (2 * n_classes,)
        Logarithms of slopes, then biases.
    """

    def __init__(self, n_classes, slope_ridge):
        self.n_classes, self.slope_ridge = n_classes, slope_ridge
        self.weights = np.zeros(2 * n_classes)

    def probabilities(self, z):
        """Return those of rows with decision values z, shape (n, n_classes)."""
        log_slopes, biases = np.split(self.weights, 2)
        slopes = np.exp(log_slopes)[z.argmax(1), None]
        return softmax(slopes * behind(z) + biases, axis=1)

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
        ridge = self.slope_ridge / len(z)
        gaps, tops = behind(z), np.eye(self.n_classes)[z.argmax(1)]

        def loss(weights):
            log_slopes, biases = np.split(weights, 2)
            slopes, spread = np.exp(log_slopes), log_slopes - log_slopes.mean()
            soft = softmax((tops @ slopes)[:, None] * gaps + biases, axis=1)
            joint = (1 - blind) * soft * evidence
            total = (joint + blind / self.n_classes * evidence).sum(1)
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
            self.weights,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-10, max(steepest, -10))] * self.n_classes
            + [(None, None)] * self.n_classes,
            options={"maxiter": MAX_STEPS, **PRECISION},
        )
        self.weights = found.x


def behind(z):
    """How far each decision value of a row is behind the largest, negative."""
    return z - z.max(1, keepdims=True)
