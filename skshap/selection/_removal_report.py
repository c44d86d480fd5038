"""The report on what was removed and why."""

import numpy as np
from sklearn.utils import Bunch

__all__ = ["removal_report"]


def removal_report(choice, y, scoring):
    """Say of removed rows what they were removed for.

    Parameters
    ----------
    choice : Choice
        Of these rows.
    y : ndarray of shape (n,)
        Labels of all rows.
    scoring : str, callable or None
        Which gives values their unit; None where they are probabilities that labels are
        right.

    Returns
    -------
    Bunch
        A column an entry: `sample_index`, `label`, `value`, `reason` and, with
        `probability`, `standard_error` and `probability_harmful`; where `scoring` is
        None, `label_quality` in place of `value`.
    """
    values, errors, probability = choice.values, choice.errors, choice.probability
    removed = choice.order[: choice.n_removed]
    report = {
        "sample_index": removed,
        "label": y[removed],
        "label_quality" if scoring is None else "value": values[removed],
    }
    unit = scoring
    if not isinstance(unit, str):
        unit = getattr(unit, "__name__", type(unit).__name__)
    if scoring is None:
        reasons = [
            f"its label is right with probability {values[i]:.3f}" for i in removed
        ]
    elif probability is not None:
        report["standard_error"] = errors[removed]
        report["probability_harmful"] = probability[removed]
        reasons = [
            f"{unit} {values[i]:.2g} ± {errors[i]:.1g}, with its label harmful with "
            f"probability {probability[i]:.3f}"
            for i in removed
        ]
    else:
        reasons = [
            f"{unit} {values[i]:.2g}, number {rank} of {len(y)} from the lowest"
            for rank, i in enumerate(removed, start=1)
        ]
    return Bunch(**report, reason=np.array(reasons, dtype=object))
