"""The issues: which labels are called wrong, and a warning why none is."""

from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from skshap.selection._choice import count_doubted
from skshap.selection._refits import Misses
from skshap.utils._warn import warn_caller

__all__ = [
    "are_told",
    "clean_rows_tell",
    "find_issues",
    "judge_labels",
    "warn_of_silence",
]

FALSE_ALARM_SHARE = 0.25  # expected among the issues at most, by "auto"
# Of `are_told`: rows missed though their labels are taken for right, by the first
# ridge, and by the last, where each counts as much as its prediction is sure,
MISSED_SHARE = 0.085
SURELY_MISSED_SHARE = 0.045
# and rows that are hard, next to none of them and not too many.
FEW_HARD_SHARE = 0.025
MOST_HARD_SHARE = 0.22
MOST_DOUBT = 0.55  # sum of two shares of labels that are expected to be right
CONFIDENCE = 0.95  # of how many rows at most look wrong, though their labels are right
LOW_RATE = 0.01  # of wrong labels, expected where none may be wrong


class JudgedLabels(NamedTuple):
    """What a noise model says of labels.

    Attributes
    ----------
    given : ndarray of shape (n,)
        Index of each label.
    quality : ndarray of shape (n,)
        Probability that it is right.
    rivals : ndarray of shape (n,)
        Index of the most probable other label.
    rival_quality : ndarray of shape (n,)
        Probability that this one is right; as `quality`, it weighs the given label.
    issues : ndarray of shape (n,) of bool
        True where the label is called wrong.
    are_told : bool
        Whether wrong labels can be told from hard rows.
    n_withheld : int
        How many are not called wrong because they cannot.
    look_swapped : bool
        Whether they cannot, but could if of those that look wrong no more than half
        looked right with one rate of wrong labels for all classes.
    misses : Misses
        Of the ridges that labels are judged by.
    contamination : "auto" or float
        By which labels are called wrong.
    """

    given: np.ndarray
    quality: np.ndarray
    rivals: np.ndarray
    rival_quality: np.ndarray
    issues: np.ndarray
    are_told: bool
    n_withheld: int
    look_swapped: bool
    misses: Misses
    contamination: object

    @property
    def noise_rate(self):
        """Share of the labels expected to be wrong."""
        return float(1 - self.quality.mean())

    @property
    def say_little(self):
        """Whether so many rows are missed, none surely, that no label looks wrong."""
        is_doubted = self.quality < 0.5
        return is_doubted.sum() < 2 and not are_few(self.misses, self.noise_rate)


def judge_labels(model, n, misses, contamination):
    """Say how probably labels are right, and which are called wrong.

    Parameters
    ----------
    model : NoiseModel
        Fitted.
    n : int
        How many of its labels, from the first on: those behind them are right.
    misses : Misses
        Of the ridges that labels are judged by.
    contamination : "auto" or float
        See :class:`skshap.LabelNoiseDetector`.

    Returns
    -------
    JudgedLabels
    """
    given, quality, right = model.given[:n], model.quality()[:n], 0.0
    suspects = np.flatnonzero(find_issues(quality, given, "auto"))
    if len(suspects):
        right = float(model.symmetric().quality()[suspects].mean())
    rate = float(1 - quality.mean())
    told = are_told(misses, rate, right, model.hard_share)
    told = told or clean_rows_tell(model, n, suspects)
    n_withheld = 0 if told or contamination != "auto" else len(suspects)
    issues = find_issues(quality, given, contamination) & (n_withheld == 0)
    others = model.posterior[:n].copy()
    others[np.arange(n), given] = -1
    return JudgedLabels(
        given=given,
        quality=quality,
        rivals=others.argmax(1),
        rival_quality=others.max(1),
        issues=issues,
        are_told=told,
        n_withheld=n_withheld,
        look_swapped=not told and are_told(misses, rate, 0.5, model.hard_share),
        misses=misses,
        contamination=contamination,
    )


def clean_rows_tell(model, n, suspects):
    """Whether hardly any of the rows whose labels are right look like suspects.

    Parameters
    ----------
    model : NoiseModel
        Fitted.
    n : int
        See `judge_labels`.
    suspects : ndarray of int
        Rows whose labels look wrong.

    Returns
    -------
    bool
        Whether that share of all rows, at most, would make few enough false alarms.
    """
    n_clean = len(model.given) - n
    if n_clean == 0 or len(suspects) == 0:
        return False
    quality = model.quality_unknown()
    n_alike = (quality[n:] <= quality[suspects].max()).sum()
    # By the upper end of the interval of Clopper and Pearson.
    most = beta.ppf(CONFIDENCE, n_alike + 1, n_clean - n_alike)
    return bool(n * most <= FALSE_ALARM_SHARE * len(suspects))


def find_issues(quality, given, contamination):
    """Find the labels that are called wrong, however many rows are hard.

    Parameters
    ----------
    quality : ndarray of shape (n,)
        Probability that each label is right.
    given : ndarray of shape (n,)
        Index of each given label.
    contamination : "auto" or float
        See :class:`skshap.LabelNoiseDetector`.

    Returns
    -------
    ndarray of shape (n,) of bool
        Those of lowest quality, but for the best of a class that would be emptied.
    """
    best = [
        rows[quality[rows].argmax()]
        for rows in (np.flatnonzero(given == label) for label in np.unique(given))
    ]
    order = np.argsort(quality, kind="stable")
    order = order[~np.isin(order, best)]  # first: they pay for no others
    if contamination == "auto":
        n_issues = count_doubted(quality[order], FALSE_ALARM_SHARE)
    else:
        n_issues = round(contamination * len(quality))
    issues = np.zeros(len(quality), dtype=bool)
    issues[order[:n_issues]] = True
    return issues


def are_told(misses, noise_rate, right, hard_share):
    """Say whether wrong labels can be told from hard rows.

    Parameters
    ----------
    misses : Misses
        Of the ridges that labels are judged by.
    noise_rate : float
        Share of the labels that are expected to be wrong.
    right : float
        Share of the labels that look wrong which is expected to be right if all classes
        have the same rate of wrong ones; zero if none looks wrong.
    hard_share : float
        Of `NoiseModel`.

    Returns
    -------
    bool
    """
    # With more rows missed nobody knows how often the surest predictions are wrong.
    is_rate_known = misses.surely <= SURELY_MISSED_SHARE
    is_rate_known = is_rate_known or are_few(misses, noise_rate)
    # Else rows of one class among those of another pass for its labels gone wrong;
    # where next to no row is hard, next to none lies there.
    is_noise = right <= 0.5 or hard_share < FEW_HARD_SHARE
    if is_rate_known and is_noise:
        return True
    # Or wrong labels outnumber right ones, of those surely missed and of those that
    # look wrong; with more hard rows such shares are no more than guesses.
    return misses.right_share + right <= MOST_DOUBT and hard_share <= MOST_HARD_SHARE


def are_few(misses, noise_rate):
    """Whether few rows are missed by the first ridge but for wrong labels."""
    return misses.at_first - noise_rate <= MISSED_SHARE


def warn_of_silence(judged, kernel):
    """Warn where "auto" calls no label wrong, but some may be; say why.

    Parameters
    ----------
    judged : JudgedLabels
    kernel : TrainingKernel
        By which rows are predicted.
    """
    n, n_suspects = len(judged.given), judged.n_withheld
    n_doubted = int((judged.quality < 0.5).sum())
    # One may be by chance; of many, few are expected to be wrong if none is.
    n_expected = judged.noise_rate * n
    looks_wrong = n_doubted > 1 or n_expected > max(2, LOW_RATE * n)
    is_silent = looks_wrong and not judged.issues.any()
    if judged.contamination != "auto" or (judged.are_told and not is_silent):
        return
    none = f"none of {n} labels is called wrong"
    looks = f"labels look wrong, {n_suspects} of {n}, but none is called wrong: "
    missed = f"{judged.misses.at_first:.0%} are not what other rows predict"
    such = "contamination=0.1"
    if judged.are_told and not judged.say_little:
        n_wrong, how = n_doubted, "more probably wrong than right"
        if n_doubted < 2:
            n_wrong, how = round(n_expected), "expected to be wrong"
        why = (
            f"{none}, as more than a quarter of the calls would be expected to be "
            f"false alarms, but {n_wrong} are {how}"
        )
        such = f"contamination={n_wrong / n:.2g}"
    elif kernel.is_narrow():
        resemble = "as by this kernel rows resemble only themselves"
        warn_caller(f"{none}, but {missed}, {resemble}: mend the kernel first.")
        return
    elif judged.look_swapped:
        why = (
            f"{looks}most look like one class taken for another, as rows of classes "
            "that overlap do too; transition_matrix_ says which"
        )
        such = f"contamination={n_suspects / n:.2g} if annotators confuse these"
    elif n_suspects:
        why = f"{looks}right labels of rows that are hard to predict may look the same"
        such = f"contamination={judged.noise_rate:.2g}, a rough guess at how many"
    else:
        if n_doubted:
            missed = f"{n_doubted} are more probably wrong than right and {missed}"
        why = (
            f"{none}, but {missed}: wrong labels cannot be told from rows that are "
            "hard to predict"
        )
    warn_caller(
        f"{why}. Read rows from the lowest label_quality_ up, or pass the share of "
        f"labels to call and suggest others for, such as {such}."
    )
