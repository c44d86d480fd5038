"""Predictions of each training row from those before it, over random orders."""

import numpy as np
import torch

from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.utils._progress import progress_bar

__all__ = ["prequential_predictions"]


def prequential_predictions(data, seed, n_permutations, verbose):
    """Predict each training row from random subsets of the others.

    Parameters
    ----------
    data : Data
        Of n training rows; what it has of rows to predict is not looked at.
    seed : int
        Of the orders.
    n_permutations : int
        How many of them.
    verbose : int
        Whether to show a progress bar.

    Returns
    -------
    ndarray of shape (n, n_outputs)
        Means over the orders.
    """
    game = data.game(FeatureGame if data.is_explicit else KernelGame)
    ridge, total = game.prefixes(), 0
    options = {"desc": "permutations", "unit": "permutation"}
    with progress_bar(total=n_permutations, verbose=verbose, **options) as bar:
        for t in range(n_permutations):
            rng = np.random.default_rng([seed, t])
            order = torch.from_numpy(rng.permutation(len(data.rows))).to(data.device)
            total = total + ridge.prequential(order)
            bar.update()
    return (total / n_permutations).cpu().numpy()
