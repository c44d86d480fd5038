"""Values with errors, of rows that help or harm in truth."""

import numpy as np


def simulate(harmful_share, seed, n=2000):
    rng = np.random.default_rng(seed)
    is_harmful = rng.random(n) < harmful_share
    truth = np.where(is_harmful, rng.normal(-2, 1, n), rng.normal(2, 1, n))
    errors = rng.uniform(0.5, 2.0, n)
    return truth, rng.normal(truth, errors), errors
