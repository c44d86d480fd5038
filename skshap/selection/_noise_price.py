"""What a noise model costs for what it explains."""

import numpy as np

__all__ = ["count_common", "price_of_matrix", "price_of_rates", "worth"]

# Nats for each wrong label by which rates of their own must explain labels better. That
# it always goes to the same of k classes is worth log(k - 1); where classes overlap,
# rows on the wrong side gain some hundredths, though their labels are right.
LEAST_GAIN = 0.1
DISCOUNT = 0.5  # nats off what each such rate costs
# How many rates more it costs that there are any: where many classes overlap, some pair
# of them looks as if labels had gone wrong.
COST_OF_ANY = 2
# Nats that each weight of a matrix costs. It is one in Akaike's information criterion
# (1974, :doi:`10.1109/TAC.1974.1100705`), and half the logarithm of the number of rows,
# some three, in that of Schwarz: a matrix may pass wrong labels of two classes for
# their overlap.
MATRIX_PRICE = 1.5


def worth(model):
    """Return the log-likelihood of a model, less what the model costs, in nats.

    Parameters
    ----------
    model : NoiseModel
        Fitted.

    Returns
    -------
    float
    """
    k = count_common(model.given[~model.is_clean])
    n_gone = model.expected_counts()[model.own]
    n_rates = (n_gone >= 1).sum() + COST_OF_ANY * model.own.any()
    nats = price_of_rates(n_rates, n_gone.sum(), k) + price_of_matrix(model)
    return model.log_likelihood() - nats


def price_of_matrix(model):
    """Return the nats that the matrix of a model's link costs, zero without one."""
    k = count_common(model.given[~model.is_clean])
    return MATRIX_PRICE * k * (k - 1) * (model.scaling == "matrix")


def price_of_rates(n_rates, n_gone, k):
    """Return the nats by which rates of their own must explain labels better.

    Parameters
    ----------
    n_rates : int or ndarray
        How many rates.
    n_gone : float or ndarray
        How many labels are expected to have gone wrong at them.
    k : int
        How many classes there are, see `count_common`.

    Returns
    -------
    float or ndarray

    Notes
    -----
    A rate of a pair of classes is one of many that might have been chosen to explain
    rows that are hard. It costs about the logarithm of the number of pairs, which it
    takes to say which pair it is, as in the extended Bayesian information criterion
    (Chen and Chen, 2008, :doi:`10.1093/biomet/asn034`); rates of pairs between which
    less than one label is expected to have gone explain nothing, and cost nothing.
    """
    return n_rates * (np.log(k * (k - 1)) - DISCOUNT) + LEAST_GAIN * n_gone


def count_common(labels):
    """Return of how many classes there are two labels or more, two at least."""
    return max(int((np.bincount(labels) > 1).sum()), 2)
