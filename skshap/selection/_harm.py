"""Which rows harm with confidence: by their values, and the suspicion of labels."""

import numpy as np

from skshap.selection._negative import probability_negative
from skshap.selection._noise_choice import noise_models
from skshap.selection._refits import fit_by_leaving_out

__all__ = ["harmful_rows", "label_suspicion"]

HARMLESS_SHARE = 0.1  # of the rows removed, expected at most


def harmful_rows(values, errors, suspicion):
    """Find rows whose value is negative with confidence.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Estimated values.
    errors : ndarray of shape (n,)
        Their standard errors.
    suspicion : ndarray of shape (n,)
        Probability of each row that its label is wrong.

    Returns
    -------
    order : ndarray of shape (n,)
        Rows, the most probably harmful first.
    n_harmful : int
        How many of these are harmful with confidence.
    probability : ndarray of shape (n,)
        That the value is negative, by row.
    """
    probability = probability_negative(values, errors, suspicion)
    order = np.lexsort((values, -probability.round(12)))  # certain rows tie
    harmless = np.cumsum(1 - probability[order]) / np.arange(1, len(values) + 1)
    # No row is harmful that is more probably harmless, whatever the others are.
    is_harmful = (harmless <= HARMLESS_SHARE) & (probability[order] > 0.5)
    return order, int(is_harmful.sum()), probability


def label_suspicion(attributor, y):
    """Compute how probably each label is wrong, by the kernel of an attributor.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted on the rows.
    y : ndarray of shape (n,)
        Their labels.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities.
    """
    classes, given = np.unique(y, return_inverse=True)
    models = noise_models(given, len(classes), np.zeros(len(y), dtype=bool))
    kernel = attributor._training_kernel
    model, _ = fit_by_leaving_out(models, kernel, device=attributor.device)
    return 1 - model.posterior[np.arange(len(y)), given]
