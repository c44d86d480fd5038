"""`LabelNoiseReport`: a page with the rows whose label is probably wrong."""

import html
from numbers import Integral
from pathlib import Path

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skshap.evaluation import detection_curve
from skshap.inspection._cells import cells_of, column_name, has_names
from skshap.inspection._page import bars, curve, page, quote, row_html
from skshap.utils._labels import check_labels, encode_targets
from skshap.utils._optional import import_optional
from skshap.utils._order import check_order

__all__ = ["LabelNoiseReport"]

# Columns of the dataframe besides those that rows have, if there are no rows.
FACTS = ["row", "given", "suggested", "quality", "is_issue", "neighbors"]


class LabelNoiseReport:
    """The rows whose label is probably wrong, as a page and as a dataframe.

    Make one with :meth:`from_detector`. A notebook shows the page. It loads nothing,
    runs no scripts and reads on a phone.

    Parameters
    ----------
    rows : list of dict
        The suspicious rows, the most suspicious first: "row" (its position), "given",
        "suggested", "quality", "is_issue", "cells" (what the row holds, by column),
        "neighbors" (positions of rows that speak against the label), "neighbor_labels",
        "neighbor_cells" and, where the truth is known, "is_noisy", and where rows have
        names, "index" and "neighbor_index".
    summary : dict
        What is said of all rows, by its name in words.
    transitions : list of tuple (label, label, float)
        How often labels of one class were turned into another, the largest first.
    quality : ndarray of shape (n_samples,)
        Quality of the labels of all rows.
    issues : ndarray of shape (n_samples,) of bool
        True where the label is called wrong.
    is_noisy : ndarray of shape (n_samples,) of bool or None
        True where the label is known to be wrong.
    title : str
        Title of the page.

    See Also
    --------
    skshap.LabelNoiseDetector : Finds the rows.
    skshap.DetectionCurveDisplay : The detection curve alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skshap import LabelNoiseDetector, LabelNoiseReport, flip_labels
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    >>> detector = LabelNoiseDetector().fit(X, y_noisy)
    >>> report = LabelNoiseReport.from_detector(
    ...     detector, X, y_noisy, is_noisy=is_flipped, n_rows=5
    ... )
    >>> report.to_frame()["is_noisy"].tolist()
    [True, True, True, True, True]
    >>> report.to_html().startswith("<!DOCTYPE html>")
    True
    """

    def __init__(self, *, rows, summary, transitions, quality, issues, is_noisy, title):
        self.rows = rows
        self.summary = summary
        self.transitions = transitions
        self.quality = quality
        self.issues = issues
        self.is_noisy = is_noisy
        self.title = title

    @classmethod
    def from_detector(
        cls,
        detector,
        X,
        y,
        *,
        is_noisy=None,
        n_rows=50,
        n_neighbors=3,
        title="Labels that are probably wrong",
    ):
        """Gather what a fitted detector says of its training rows.

        Parameters
        ----------
        detector : LabelNoiseDetector
            Fitted.
        X : list, array-like, sparse matrix or dataframe of n_samples rows
            What to show of the rows: those given to `fit`, or others in the same order
            that read better, such as texts behind embeddings. Of sparse rows only
            entries other than zero are shown.
        y : array-like of shape (n_samples,)
            The labels given to `fit`.
        is_noisy : array-like of shape (n_samples,) of bool, default=None
            True where the label is known to be wrong; adds the detection curve.
        n_rows : int, default=50
            How many rows are shown, those of lowest quality.
        n_neighbors : int, default=3
            How many rows of other labels are shown beside each: those most similar by
            the kernel, scaled so that each row has similarity 1 with itself.
        title : str, default="Labels that are probably wrong"
            Title of the page.

        Returns
        -------
        LabelNoiseReport
            The report.

        Raises
        ------
        ValueError
            If rows, labels or the mask are not those of the detector's rows or, by
            their indices, not in one order, or `n_rows` or `n_neighbors` is not an
            integer from 0 on.
        """
        check_is_fitted(detector)
        for name, number in (("n_rows", n_rows), ("n_neighbors", n_neighbors)):
            if not isinstance(number, Integral) or number < 0:
                raise ValueError(
                    f"{name} must be an integer of at least 0, got {number!r}."
                )
        quality, issues = detector.label_quality_, detector.label_issues_
        n = len(quality)
        n_shown = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_shown != n:
            raise ValueError(
                f"X must hold the {n} rows that the detector was fitted on, got "
                f"{n_shown}; pass the same rows, or what to show of them."
            )
        check_order(X, y)
        check_order(X, is_noisy, ("X", "is_noisy"))
        labels = np.asarray(check_labels(y, X))
        given = encode_targets(labels, detector.classes_, X)
        if not np.array_equal(given, detector._given):
            raise ValueError(
                "y must hold the labels that the detector was fitted on, but "
                f"{int((given != detector._given).sum())} of {n} differ; pass those "
                "given to fit, in the same order as the rows."
            )
        if issparse(X):
            X = X.tocsr()
        joint = detector.probabilities_ * detector.transition_matrix_[:, given].T
        joint[np.arange(n), given] = -1
        suggested = detector.classes_[joint.argmax(1)]
        detected = None
        if is_noisy is not None:
            detected = detection_curve(is_noisy, quality)
            is_noisy = np.asarray(is_noisy).astype(bool)

        rows, K = [], detector.attributor_.gram_[:n, :n]
        for i in np.argsort(quality, kind="stable")[:n_rows].tolist():
            near = nearest(K, i, given, n_neighbors).tolist()
            row = {
                "row": i,
                "given": labels[i],
                "suggested": suggested[i],
                "quality": float(quality[i]),
                "is_issue": bool(issues[i]),
                "cells": cells_of(X, i),
                "neighbors": near,
                "neighbor_labels": [labels[j] for j in near],
                "neighbor_cells": [cells_of(X, j) for j in near],
            }
            if is_noisy is not None:
                row["is_noisy"] = bool(is_noisy[i])
            if has_names(X):
                row["index"] = X.index[i]
                row["neighbor_index"] = list(X.index[near])
            rows.append(row)
        return cls(
            rows=rows,
            summary=summarize(detector, detected, is_noisy),
            transitions=transitions(detector),
            quality=quality,
            issues=issues,
            is_noisy=is_noisy,
            title=title,
        )

    def to_frame(self):
        """Return the suspicious rows as a dataframe.

        Returns
        -------
        pandas.DataFrame
            One row each, indexed by position, the most suspicious first: the labels,
            the quality, the neighbors' positions, what the row holds (of sparse rows
            NaN for zero), and its name and that of its neighbors in the index of the
            frame, where that is another than the position.

        Raises
        ------
        ImportError
            If pandas is not installed. The message says how to get it.
        """
        pandas = import_optional("pandas", "frame")
        records = []
        for row in self.rows:
            facts = {
                name: value
                for name, value in row.items()
                if name not in ("cells", "neighbor_cells", "neighbor_labels")
            }
            for name, value in row["cells"].items():
                facts[column_name(name, facts)] = value
            records.append(facts)
        columns = FACTS if self.is_noisy is None else [*FACTS, "is_noisy"]
        columns = None if records else columns
        return pandas.DataFrame(records, columns=columns).set_index("row")

    def to_html(self):
        """Return the report as a page.

        Returns
        -------
        str
            A whole HTML document, all of it escaped, without scripts or links.
        """
        facts = "".join(
            f"<dt>{quote(name)}</dt><dd>{quote(value)}</dd>"
            for name, value in self.summary.items()
        )
        return page(
            self.title,
            f"<h1>{quote(self.title)}</h1><dl>{facts}</dl>"
            f'<div class="pictures">{self._pictures()}</div>{self._transitions()}'
            f"<h2>The {len(self.rows)} most suspicious of {len(self.quality):,} rows"
            "</h2>"
            + "".join(
                self._article(rank, row) for rank, row in enumerate(self.rows, start=1)
            ),
        )

    def save(self, path):
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
            Where to, such as "report.html".
        """
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def _repr_html_(self):
        """Show the page in a notebook, in a frame of its own."""
        return (
            '<iframe sandbox style="width:100%;height:40rem;border:0" '
            f'srcdoc="{html.escape(self.to_html())}"></iframe>'
        )

    def _pictures(self):
        figures = [
            (
                bars(self.quality, self.issues, label="Histogram of label qualities"),
                "Rows by the probability that their label is right, those called "
                "wrong in colour; heights are square roots of counts.",
            )
        ]
        if self.is_noisy is not None:
            found = detection_curve(self.is_noisy, self.quality)
            figures.append(
                (
                    curve(
                        found.fraction_inspected,
                        found.fraction_found,
                        best=found.n_noisy / len(self.quality),
                        label="Detection curve",
                    ),
                    "Share of the wrong labels found by the share of rows inspected, "
                    "between chance and the best possible.",
                )
            )
        return "".join(
            f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
            for picture, caption in figures
        )

    def _transitions(self):
        rows = "".join(
            f"<tr><th><bdi>{quote(a)}</bdi> labelled <bdi>{quote(b)}</bdi></th>"
            f"<td>{rate:.1%}</td></tr>"
            for a, b, rate in self.transitions
        )
        return f"<h2>How labels went wrong, by estimate</h2><table>{rows}</table>"

    def _article(self, rank, row):
        truth = {True: ", known to be wrong", False: ", known to be right", None: ""}
        verdict = "called wrong" if row["is_issue"] else "not called wrong"
        verdict += truth[row.get("is_noisy")]
        names = row.get("neighbor_index", [None] * len(row["neighbors"]))
        against = "".join(
            f'<li><bdi class="label">{quote(label)}</bdi> '
            f'<span class="calm">row {row_name(i, name)}</span>{row_html(cells)}</li>'
            for i, name, label, cells in zip(
                row["neighbors"],
                names,
                row["neighbor_labels"],
                row["neighbor_cells"],
                strict=True,
            )
        )
        against = against and (
            f"<details><summary>What speaks against the label: {len(row['neighbors'])} "
            f"similar rows</summary><ul>{against}</ul></details>"
        )
        name = row_name(row["row"], row.get("index"))
        return (
            f'<article><h3>{rank}. <bdi class="label">{quote(row["given"])}</bdi>, '
            f'rather <bdi class="suggested">{quote(row["suggested"])}</bdi></h3>'
            f'<p class="calm">Row {name}; right with probability '
            f"{row['quality']:.1%}; {verdict}.</p>{row_html(row['cells'])}{against}"
            "</article>"
        )


def row_name(position, name):
    """Position of a row and, in brackets, its name in an index if it has one."""
    return str(position) if name is None else f"{position} ({quote(name)})"


def nearest(K, i, given, n_neighbors):
    """Positions of the rows of other labels that are most similar to row i."""
    scale = np.sqrt(np.maximum(np.diagonal(K) * K[i, i], np.finfo(float).tiny))
    similarity = np.where(given == given[i], -np.inf, K[i] / scale)
    near = np.argsort(-similarity, kind="stable")[:n_neighbors]
    return near[np.isfinite(similarity[near])]


def summarize(detector, detected, is_noisy):
    """What is said of all rows, by its name in words."""
    issues = detector.label_issues_
    n, n_issues = len(issues), int(issues.sum())
    facts = {
        "Rows": f"{n:,}",
        "Called wrong": f"{n_issues:,} ({n_issues / n:.1%})",
        "False alarms among them": f"{detector.expected_false_alarms_:.1f} expected",
        "Wrong labels in all": f"{detector.noise_rate_ * n:.1f} expected "
        f"({detector.noise_rate_:.1%})",
    }
    if detector.issues_withheld_:
        facts["Called wrong"] += (
            ": some labels look wrong, but so many rows are hard to predict that it "
            "cannot be told which of them are"
        )
    if not n_issues:
        facts["Called wrong"] += "; inspect from the most suspicious row down"
    if detected is not None:
        n_false = int((issues & ~is_noisy).sum())
        facts["False alarms among them"] += f", {n_false} in truth"
        facts["Wrong labels in all"] += f", {detected.n_noisy} in truth"
        facts["AUROC"] = f"{detected.roc_auc:.3f}"
        facts["Average precision"] = f"{detected.average_precision:.3f}"
    return facts


def transitions(detector, n_shown=10):
    """How often labels of one class turned into another, the most frequent first."""
    T, classes = detector.transition_matrix_, detector.classes_
    pairs = [
        (classes[a], classes[b], float(T[a, b]))
        for a in range(len(T))
        for b in range(len(T))
        if a != b
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:n_shown]
