"""Which rows harm with confidence: by their values, and the suspicion of labels."""

import numpy as np
from scipy.special import ndtr

from skshap.selection._choice import Choice, count_doubted, spare_classes
from skshap.selection._comparison import compare_without
from skshap.selection._noise_choice import noise_models
from skshap.selection._refits import fit_by_attributor
from skshap.selection._values import values_from_others

__all__ = ["check_draws", "choose_harmful", "harmful_rows"]

HARMLESS_SHARE = 0.1  # of the rows removed, expected at most
N_CENTRES = 61  # of the normal distributions that the values' one is mixed from
N_ITERATIONS = 300
SMALLEST_WEIGHT = 1e-9  # of a normal distribution, in rows
SMALLEST_ERROR = 1e-9  # as a share of the largest value


def check_draws(attributor):
    """Raise if the values of an attributor would have no standard errors.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted or not.

    Raises
    ------
    ValueError
        If it draws a single permutation. Values of the sampler "exact", and leave-one-
        out values of sweeps, come without any, and `tol` may enumerate.
    """
    may_be_exact = (
        attributor.sampler == "exact"
        or (attributor.sampler == "sweep" and attributor.semivalue == "loo")
        or attributor.tol is not None
    )
    if attributor.n_permutations == 1 and not may_be_exact:
        raise ValueError(
            'n_samples_to_remove="harmful" needs an attributor with n_permutations of '
            "at least 2, got 1: by one permutation values have no standard error."
        )


def choose_harmful(
    attributor, estimator, X, splits, values, parts, *, params, n_jobs, is_other=None
):
    """Choose the rows that harm, if an estimator is better off without as many.

    Parameters
    ----------
    attributor : FreeShapAttributor
        Fitted on the rows.
    estimator : classifier
        Which is asked.
    X : indexable
        Rows.
    splits : list of (ndarray, ndarray) or None
        By which the estimator is asked; None: it is not.
    values : RowValues
        Of the rows, with errors.
    parts : list of (ndarray, Sums) or None
        What values are made of where they come from `splits`.
    params : dict
        Of the estimator's `fit`.
    n_jobs : int or None
        How many splits are worked on at a time.
    is_other : ndarray of shape (n_splits, n_splits) of bool or None, default=None
        From `other_splits`; None where values do not come from `splits`.

    Returns
    -------
    choice : Choice
        Half of each class is left.
    results : dict or None
        Of `compare_without`; None where the estimator is not asked.
    """
    y, given = attributor.classes_[attributor._y], attributor._y
    is_clean = np.zeros(len(y), dtype=bool)
    models = noise_models(given, len(attributor.classes_), is_clean)
    labels = fit_by_attributor(models, attributor)[0].posterior  # the true ones
    suspicion = 1 - labels[np.arange(len(y)), given]
    found = harmful_rows(values.mean, values.error, suspicion, given)
    order, n_removed, probability = found
    choice = Choice(values.mean, order, n_removed, values.error, probability)
    if splits is None or n_removed == 0:
        return choice, None
    if is_other is None:
        of_splits = [values.mean[train] for train, _ in splits]
    else:
        of_splits = values_from_others(parts, is_other)
    options = {"labels": labels, "share": n_removed / len(y), "n_jobs": n_jobs}
    is_better, results = compare_without(
        estimator, X, y, splits, of_splits, params, **options
    )
    return choice if is_better else choice._replace(n_removed=0), results


def harmful_rows(values, errors, suspicion, y):
    """Find rows whose value is negative with confidence, but for half of each class.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Estimated values.
    errors : ndarray of shape (n,)
        Their standard errors.
    suspicion : ndarray of shape (n,)
        Probability of each row that its label is wrong.
    y : ndarray of shape (n,)
        Labels.

    Returns
    -------
    order : ndarray of shape (n,)
        Rows, the most probably harmful first, and those that stay last.
    n_harmful : int
        How many of these are harmful with confidence.
    probability : ndarray of shape (n,)
        That the value is negative, by row.
    """
    probability = probability_negative(values, errors, suspicion)
    order = np.lexsort((values, -probability.round(12)))  # certain rows tie
    order, n_removable = spare_classes(order, y)  # first: they pay for no others
    n_harmful = count_doubted(1 - probability[order[:n_removable]], HARMLESS_SHARE)
    return order, n_harmful, probability


def probability_negative(values, errors, suspicion):
    """Compute how probably each of many values is negative.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Estimates.
    errors : ndarray of shape (n,)
        Their standard errors.
    suspicion : ndarray of shape (n,)
        Probability of each row that it belongs to a group whose values are distributed
        otherwise than those of the rest; zeros: there is one distribution.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities. A row without error has 0 or 1, or 0.5 if its value is zero.

    Notes
    -----
    Empirical Bayes, as in Stephens (2017), :doi:`10.1093/biostatistics/kxw041`: the
    true values of either group are drawn from a mixture of normal distributions on a
    grid, whose weights fit the estimates best, by expectation maximization.
    """
    scale = np.abs(values).max(initial=0) or 1.0
    variance = np.maximum(errors, SMALLEST_ERROR * scale)[:, None] ** 2
    centres, width = np.linspace(values.min(), values.max(), N_CENTRES, retstep=True)
    spread = max(width, SMALLEST_ERROR * scale) ** 2
    total = variance + spread
    log_likelihood = -0.5 * (values[:, None] - centres) ** 2 / total
    likelihood = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
    group = np.column_stack([1 - suspicion, suspicion])
    weights = np.full((2, N_CENTRES), 1 / N_CENTRES)
    for _ in range(N_ITERATIONS):
        prior = group @ weights
        ratio = likelihood / (likelihood * prior).sum(1, keepdims=True)
        share = ratio * prior
        weights = weights * (group.T @ ratio) + SMALLEST_WEIGHT
        weights /= weights.sum(1, keepdims=True)
    mean = (spread * values[:, None] + variance * centres) / total
    return (share * ndtr(-mean / np.sqrt(spread * variance / total))).sum(1)
