"""The choice of how values are computed: exactly, by sweeps or by permutations."""

import torch

from skshap.attribution._coalitions import PrefixRidge
from skshap.attribution._enumeration import enumerate_coalitions
from skshap.attribution._samplers import (
    Estimate,
    average,
    generators,
    permutation_marginals,
)
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import leave_one_out_values, sweep_marginals

__all__ = ["LARGEST_GAME", "estimate_values"]

LARGEST_GAME = 20  # players that can be enumerated


def estimate_values(
    gram,
    cross,
    y_index,
    utility,
    *,
    alpha,
    sampler,
    semivalue,
    n_permutations,
    tol,
    truncation_tol,
    null,
    seed,
    per_sample,
    device,
    verbose,
):
    """Compute the values of training rows for predicting given rows.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Kernel of the training rows.
    cross : ndarray of shape (m, n)
        Kernel between the rows scored and the training rows.
    y_index : ndarray of shape (n,)
        Index of each training row's label.
    utility : Utility
        Scores predictions of the m rows.
    alpha : float
        Strength of the ridge.
    sampler, semivalue, n_permutations, tol, truncation_tol
        See :class:`skshap.FreeShapAttributor`.
    null : float
        Utility of the empty coalition.
    seed : int
        Of the permutations.
    per_sample : bool
        Whether to keep the rows scored apart.
    device : str, torch.device or None
        Where to compute.
    verbose : int
        Show a progress bar.

    Returns
    -------
    Estimate
        Of shape (n,), or (m, n) if `per_sample`.
    """
    weights = size_weights(semivalue, len(gram))
    game = (
        torch.tensor(gram, device=device),
        torch.tensor(cross.T, device=device),
        utility.targets(y_index),
        alpha,
    )
    if sampler == "exact":
        values = enumerate_coalitions(*game, utility, weights=weights, null=null)
        return _exact(values if per_sample else values.mean(1))
    if sampler == "sweep" and semivalue == "loo":
        return _exact(leave_one_out_values(game, utility, per_sample=per_sample))
    rngs = generators(n_permutations, seed)
    options = {"weights": weights, "null": null, "per_sample": per_sample}
    if sampler == "sweep":
        draws = sweep_marginals(game, utility, rngs, **options)
    else:
        draws = permutation_marginals(
            PrefixRidge(*game), utility, rngs, truncation_tol=truncation_tol, **options
        )
    estimate = average(draws, n_permutations=n_permutations, tol=tol, verbose=verbose)
    return Estimate(*(part.T for part in estimate))


def _exact(values):
    """Wrap values that have no error."""
    values = values.cpu().numpy().T
    return Estimate(values, 0 * values)
