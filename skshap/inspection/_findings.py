"""What a fitted `LabelNoiseDetector` says of its training rows."""

import numpy as np
from scipy.sparse import issparse

from skshap.inspection._cells import cells_of, has_names

__all__ = [
    "FACTS",
    "summarize",
    "suspicious_rows",
    "transitions",
    "verdict_of",
]

# Facts of a suspicious row that are columns of a dataframe, and where they are known:
# of any row, where the truth is known, or where rows have names.
FACTS = {
    "row": "always",
    "given": "always",
    "suggested": "always",
    "quality": "always",
    "is_issue": "always",
    "neighbors": "always",
    "neighbor_labels": "always",
    "is_noisy": "truth",
    "index": "names",
    "neighbor_index": "names",
}
ENOUGH_ROWS = 50  # to read, where no more labels are called wrong
N_TRANSITIONS = 10  # at most, the most frequent ones
FEWEST_ROWS = 0.5  # that a transition is expected in to be told of


def suspicious_rows(detector, X, labels, is_noisy, *, n_rows, n_neighbors):
    """Gather what is known of the rows whose labels are of lowest quality.

    Parameters
    ----------
    detector : LabelNoiseDetector
        Fitted.
    X : list, array-like, sparse matrix or dataframe of n_samples rows
        What to show of the rows.
    labels : ndarray of shape (n_samples,)
        Their labels.
    is_noisy : ndarray of shape (n_samples,) of bool or None
        True where the label is known to be wrong.
    n_rows : int or "auto"
        How many rows; "auto": `ENOUGH_ROWS`, and all that are called wrong.
    n_neighbors : int
        How many similar rows of other labels, not called wrong, beside each.

    Returns
    -------
    list of dict
        The facts in `FACTS` that are known and, for words and a page, "rather", if the
        suggested label is more probable than the given one, "cells" and
        "neighbor_cells"; the most suspicious row first.
    """
    if issparse(X):
        X = X.tocsr()
    classes = detector.classes_
    if labels.dtype.kind not in "mM":  # NumPy's scalars do not read well
        labels, classes = labels.astype(object), classes.astype(object)
    judged = detector._judged
    n = len(judged.given)
    rows, kernel = [], detector.attributor_._training_kernel
    are_named = has_names(X)
    sizes = kernel.diagonal()[:n]
    order = np.argsort(judged.quality, kind="stable")
    if n_rows == "auto":
        places = np.flatnonzero(judged.issues[order])
        n_rows = max(ENOUGH_ROWS, 1 + places.max(initial=-1))
    for i in order[:n_rows].tolist():
        values = kernel.between([i], slice(n))[0]
        others = (judged.given != judged.given[i]) & ~judged.issues
        near = nearest(values, sizes, i, others, n_neighbors).tolist()
        row = {
            "row": i,
            "given": labels[i],
            "suggested": classes[judged.rivals[i]],
            "rather": bool(judged.rival_quality[i] > judged.quality[i]),
            "quality": float(judged.quality[i]),
            "is_issue": bool(judged.issues[i]),
            "cells": cells_of(X, i),
            "neighbors": near,
            "neighbor_labels": [labels[j] for j in near],
            "neighbor_cells": [cells_of(X, j) for j in near],
        }
        if is_noisy is not None:
            row["is_noisy"] = bool(is_noisy[i])
        if are_named:
            row["index"] = X.index[i]
            row["neighbor_index"] = list(X.index[near])
        rows.append(row)
    return rows


def nearest(values, sizes, i, others, n_neighbors):
    """Positions of the rows among others that are most similar to row i.

    By its kernel values with all rows, and those of rows with themselves.
    """
    scale = np.sqrt(np.maximum(sizes * sizes[i], np.finfo(float).tiny))
    similarity = np.where(others, values / scale, -np.inf)
    near = np.argsort(-similarity, kind="stable")[:n_neighbors]
    return near[np.isfinite(similarity[near])]


def verdict_of(row):
    """What is said of the label of a row, in words."""
    verdict = "called wrong" if row["is_issue"] else "not called wrong"
    if "is_noisy" in row:
        truth = "" if row["is_noisy"] else "not among those "
        verdict += f", {truth}known to be wrong"
    return f"right with probability {row['quality']:.1%}; {verdict}"


def summarize(detector, detected, is_noisy):
    """What is said of all rows, by its name in words."""
    issues = detector.label_issues_
    n, n_issues = len(issues), int(issues.sum())
    called = f"{n_issues:,} ({n_issues / n:.1%})"
    false = f"{detector.expected_false_alarms_:.1f} expected"
    wrong = f"{detector.noise_rate_ * n:.1f} expected ({detector.noise_rate_:.1%})"
    advice = (
        "inspect from the most suspicious row down, or fit LabelNoiseDetector with "
        "contamination, the share of labels to call wrong"
    )
    n_doubted = int((detector.label_quality_ < 0.5).sum())
    contamination = detector._judged.contamination  # the parameter may have changed
    if not detector._judged.are_told:
        guess = ", only a guess: right labels of rows hard to predict look alike"
        false, wrong = false + guess, wrong + guess
    if detector.issues_withheld_ and detector._judged.look_swapped:
        called = (
            "none: most that look wrong look like one class taken for another, as rows "
            f"of classes that overlap do too; {advice}"
        )
    elif detector.issues_withheld_:
        called = (
            "none: some labels look wrong, but so do too many right ones of rows that "
            f"are hard to predict, to tell which are; {advice}"
        )
    elif contamination != "auto" and contamination * n < 0.5:
        called = f"none: contamination={contamination:g} is less than one label"
    elif not n_issues and n_doubted and contamination == "auto":
        called = (
            f"none: {n_doubted} are more probably wrong than right, but not surely "
            f"enough that few of those called wrong would be right; {advice}"
        )
    elif not n_issues:
        called = "none; inspect from the most suspicious row down"
    if detected is not None:
        false += f", {int((issues & ~is_noisy).sum())} in truth"
        wrong += f", {detected.n_noisy} in truth"
    facts = {"Rows": f"{n:,}", "Called wrong": called}
    if n_issues:
        facts["False alarms among them"] = false
    facts["Wrong labels in all"] = wrong
    if detected is not None:
        facts["AUROC"] = (
            f"{detected.roc_auc:.3f}: the probability that a wrong label is more "
            "suspicious than a right one; by chance 0.5"
        )
        facts["Average precision"] = (
            f"{detected.average_precision:.3f}: read down to a wrong label, the share "
            "of labels read that are wrong, as a mean over the wrong ones; by chance "
            f"{detected.n_noisy / n:.3f}"
        )
    return facts


def transitions(detector):
    """How often labels of one class turned into another, those of most rows first."""
    T, classes = detector.transition_matrix_, detector.classes_
    # Of a rare class little is known, and its rates are much like those assumed.
    n_rows = T * detector.probabilities_.sum(0)[:, None]
    np.fill_diagonal(n_rows, 0)
    order = np.argsort(-n_rows, axis=None, kind="stable")[:N_TRANSITIONS]
    order = order[n_rows.flat[order] >= FEWEST_ROWS]
    pairs = np.transpose(np.unravel_index(order, T.shape)).tolist()
    return [(classes[a], classes[b], float(T[a, b])) for a, b in pairs]
