"""`LabelNoiseReport`: a page with the rows whose label is probably wrong."""

import html
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skshap.evaluation import detection_curve
from skshap.inspection._cells import column_name
from skshap.inspection._findings import (
    FACTS,
    summarize,
    suspicious_rows,
    transitions,
    verdict_of,
)
from skshap.inspection._label_page import label_page
from skshap.selection import LabelNoiseDetector
from skshap.utils._label_arrays import check_labels
from skshap.utils._labels import encode_targets
from skshap.utils._optional import import_optional
from skshap.utils._order import check_entries, check_order
from skshap.utils._rows import number_of_rows

__all__ = ["LabelNoiseReport"]


class LabelNoiseReport:
    """The rows whose label is probably wrong, as a page and as a dataframe.

    Make one with :meth:`from_detector`. A notebook shows the page. It loads nothing,
    runs no scripts and reads on a phone.

    Parameters
    ----------
    rows : list of dict
        The suspicious rows, the most suspicious first: "row" (its position), "given",
        "suggested" (the most probable other label, of rows not called wrong as well,
        unlike `suggested_labels_` of the detector), "rather" (if it is more probable
        than the given one), "quality", "is_issue", "cells" (what the row holds, by
        column), "neighbors" (positions of rows that speak against the label),
        "neighbor_labels", "neighbor_cells" and, where the truth is known, "is_noisy",
        and where rows have names, "index" and "neighbor_index".
    summary : dict
        What is said of all rows, by its name in words.
    transitions : list of tuple (label, label, float)
        Of rows of one class, the share labelled as another, those of most rows first.
    quality : ndarray of shape (n_samples,)
        Quality of the labels of all rows.
    issues : ndarray of shape (n_samples,) of bool
        True where the label is called wrong.
    is_noisy : ndarray of shape (n_samples,) of bool or None
        True where the label is known to be wrong.
    detected : Bunch or None
        The detection curve of the quality, where the truth is known.
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

    def __init__(
        self,
        *,
        rows,
        summary,
        transitions,
        quality,
        issues,
        is_noisy,
        detected,
        title,
    ):
        self.rows = rows
        self.summary = summary
        self.transitions = transitions
        self.quality = quality
        self.issues = issues
        self.is_noisy = is_noisy
        self.detected = detected
        self.title = title

    @classmethod
    def from_detector(
        cls,
        detector,
        X,
        y,
        *,
        is_noisy=None,
        n_rows="auto",
        n_neighbors=3,
        title="Suspicious labels",
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
        n_rows : int or "auto", default="auto"
            How many rows are shown, those of lowest quality. "auto": 50, or as many as
            have all whose labels are called wrong among them.
        n_neighbors : int, default=3
            How many rows of other labels are shown beside each: those most similar by
            the kernel, scaled so that each row has similarity 1 with itself, but for
            those whose own labels are called wrong.
        title : str, default="Suspicious labels"
            Title of the page.

        Returns
        -------
        LabelNoiseReport
            The report.

        Raises
        ------
        ValueError
            If rows, labels or the mask are not those of the detector's rows or, by
            names in their indices, not in one order, or `n_rows` or `n_neighbors` is
            not an integer from 0 on, nor "auto" for `n_rows`.

        Warns
        -----
        UserWarning
            If indices are not in one order, but one only numbers its rows, or some of
            their names are others.
        """
        if not isinstance(detector, LabelNoiseDetector):
            raise ValueError(
                f"detector must be a LabelNoiseDetector, got {detector!r:.60}."
            )
        check_is_fitted(detector, "label_quality_")
        for name, number in (("n_rows", n_rows), ("n_neighbors", n_neighbors)):
            auto = ' or "auto"' * (name == "n_rows")
            if auto and isinstance(number, str) and number == "auto":
                continue
            if not isinstance(number, Integral) or number < 0:
                raise ValueError(
                    f"{name} must be an integer of at least 0{auto}, got {number!r}."
                )
        quality, issues = detector.label_quality_, detector.label_issues_
        n = len(quality)
        n_shown = number_of_rows(X)
        if n_shown != n:
            raise ValueError(
                f"X must hold the {n} rows that the detector was fitted on, got "
                f"{n_shown}; pass the same rows, or what to show of them."
            )
        check_order(X, y)
        check_entries(is_noisy, "is_noisy", X, y)
        labels = np.asarray(check_labels(y, X))
        given = encode_targets(labels, detector.classes_, X)
        n_others = int((given != detector._judged.given).sum())
        if n_others:
            raise ValueError(
                "y must hold the labels that the detector was fitted on, but "
                f"{n_others} of {n} differ; pass those given to fit, in the same order "
                "as the rows."
            )
        detected = None
        if is_noisy is not None:
            detected = detection_curve(is_noisy, quality)
            is_noisy = np.asarray(is_noisy).astype(bool).ravel()

        return cls(
            rows=suspicious_rows(
                detector,
                X,
                labels,
                is_noisy,
                n_rows=n_rows,
                n_neighbors=n_neighbors,
            ),
            summary=summarize(detector, detected, is_noisy),
            transitions=transitions(detector),
            quality=quality,
            issues=issues,
            is_noisy=is_noisy,
            detected=detected,
            title=title,
        )

    def to_frame(self):
        """Return the suspicious rows as a dataframe.

        Returns
        -------
        pandas.DataFrame
            One row each, indexed by position, the most suspicious first: the labels,
            the quality, the positions and labels of the neighbors, what is said of the
            label on the page as its `reason`, what the row holds (of sparse rows NaN
            for zero), and its name and that of its neighbors in the index of the frame,
            where that is another than the position.

        Raises
        ------
        ImportError
            If pandas is not installed. The message says how to get it.
        """
        pandas = import_optional("pandas", "frame")
        records = []
        for row in self.rows:
            facts = {name: row[name] for name in FACTS if name in row}
            rather = f"rather {row['suggested']}; " if row["rather"] else ""
            facts["reason"] = f"{rather}{verdict_of(row)}"
            for name, value in row["cells"].items():
                facts[column_name(name, facts)] = value
            records.append(facts)
        columns = None
        if not records:
            known = {"always"} if self.is_noisy is None else {"always", "truth"}
            columns = [name for name, where in FACTS.items() if where in known]
            columns.append("reason")
        return pandas.DataFrame(records, columns=columns).set_index("row")

    def to_html(self):
        """Return the report as a page.

        Returns
        -------
        str
            A whole HTML document, all of it escaped, without scripts or links.
        """
        return label_page(self)

    def save(self, path):
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
            Where to, such as "report.html".

        Raises
        ------
        ValueError
            If the path has the suffix of another kind of file.
        """
        if Path(path).suffix.lower() not in {"", ".html", ".htm"}:
            raise ValueError(
                f"path={str(path)!r} is not that of a page of HTML, which is what is "
                "written; end it in '.html'. A browser prints it to other formats, and "
                "to_frame() returns a dataframe."
            )
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def __repr__(self):
        """Say how many rows there are, and how many are called wrong."""
        return (
            f"{type(self).__name__}(n_samples={len(self.quality)}, "
            f"n_issues={int(self.issues.sum())})"
        )

    def _repr_html_(self):
        """Show the page in a notebook, in a frame of its own."""
        return (
            '<iframe sandbox style="width:100%;height:40rem;border:0" '
            f'srcdoc="{html.escape(self.to_html())}"></iframe>'
        )
