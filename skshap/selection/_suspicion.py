"""How probably labels are wrong, by predictions from the other rows."""

import numpy as np

from skshap.selection._noise_model import NoiseModel
from skshap.selection._refits import fit_by_leaving_out

__all__ = ["label_suspicion"]


def label_suspicion(kernel, y, device=None):
    """Compute how probably each label is wrong, as `LabelNoiseDetector` does.

    Parameters
    ----------
    kernel : TrainingKernel
        Of n rows.
    y : ndarray of shape (n,)
        Their labels.
    device : str, torch.device or None, default=None
        Where to compute.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities; their sum is the expected number of wrong labels.
    """
    classes, given = np.unique(y, return_inverse=True)
    model = NoiseModel(given, len(classes), np.zeros(len(y), dtype=bool))
    fit_by_leaving_out(model, kernel, device=device)
    return 1 - model.posterior[np.arange(len(y)), given]
