"""Tests of the page with the suspicious rows."""

import copy
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel

from skshap import (
    FreeShapAttributor,
    KernelRidgeClassifier,
    LabelNoiseDetector,
    LabelNoiseReport,
    flip_labels,
)
from skshap.inspection._findings import FACTS
from skshap.inspection._label_page import article, transitions_table
from skshap.inspection._page import bars, curve
from skshap.selection import _issues

POLARS = "polars is in the extra test"

HOSTILE = [
    "<script>alert('x')</script>",
    "<img src=x onerror=alert(1)>",
    "\"'&amp;</article></body>",
    "עברית \u202e over العربية",
    "null \x00 half \ud800 bell \x07",
    "x" * 10_000,
    "many words " * 1_000,
    "</style><style>*{display:none}</style>",
    "javascript:alert(1) http://example.com",
]
VOID = {"meta"}


class Reader(HTMLParser):
    """Tags, attributes and text of a page; raises if tags are not closed in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    names = np.array(["<b>setosa</b>", "versi & color", "virginica"])
    y, is_flipped = flip_labels(names[y], rate=0.1, random_state=0)
    detector = LabelNoiseDetector(noise="class-conditional")
    return detector.fit(X, y), X, y, is_flipped


def texts_for(detector):
    """Texts for 150 rows, the most suspicious of which are hostile."""
    texts = [f"a flower, number {i}" for i in range(150)]
    worst = np.argsort(detector.label_quality_, kind="stable")
    for i, text in zip(worst, HOSTILE, strict=False):
        texts[i] = text
    return texts


def test_hostile_texts_stay_texts(fitted):
    detector, _, y, _ = fitted
    texts = texts_for(detector)
    report = LabelNoiseReport.from_detector(detector, texts, y, title=HOSTILE[0])
    page = report.to_html()
    reader = Reader(page)
    assert {"script", "img", "a", "link", "iframe", "b"}.isdisjoint(reader.tags)
    assert reader.tags.count("style") == 1
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert {"src", "href", "style"}.isdisjoint(name for name, _ in reader.attributes)
    shown = "".join(reader.texts)
    for text in HOSTILE[:4]:
        assert text in shown
    assert "null \N{REPLACEMENT CHARACTER} half ? bell" in shown
    assert "x" * 9_600 in shown  # folded out, whole
    assert page.encode("utf-8").count(b"\x00") == 0


def test_page_says_what_the_detector_says(fitted):
    detector, X, y, is_flipped = fitted
    report = LabelNoiseReport.from_detector(
        detector, X, y, is_noisy=is_flipped, n_rows=8
    )
    shown = "".join(Reader(report.to_html()).texts)
    issues = detector.label_issues_
    assert f"{issues.sum()} ({issues.mean():.1%})" in shown
    n_false = int((issues & ~is_flipped).sum())
    expected = detector.expected_false_alarms_
    assert f"{expected:.1f} expected, {n_false} in truth" in shown
    assert "15 in truth" in shown
    assert "AUROC" in shown
    assert shown.count("known to be wrong") == 8
    n_others = sum(not row["is_noisy"] for row in report.rows)
    assert shown.count("not among those known to be wrong") == n_others
    hidden = LabelNoiseReport.from_detector(detector, X, y)
    assert "known to be" not in hidden.to_html()
    assert "AUROC" not in hidden.to_html()


def test_page_says_how_well_wrong_labels_are_found(fitted):
    detector, X, y, is_flipped = fitted
    is_noisy = np.roll(is_flipped, 1)  # so that neither score is 0.5 or 1
    report = LabelNoiseReport.from_detector(detector, X, y, is_noisy=is_noisy)
    shown = "".join(Reader(report.to_html()).texts)
    suspicion = 1 - detector.label_quality_
    assert f"AUROC{roc_auc_score(is_noisy, suspicion):.3f}: the prob" in shown
    precision = average_precision_score(is_noisy, suspicion)
    assert f"Average precision{precision:.3f}: read down" in shown
    assert "by chance 0.100" in shown  # 15 of 150


def test_another_label_where_it_is_more_probable_than_the_given():
    """Of three classes or more one may be more probably wrong than right and likely."""
    X, y = make_classification(
        400, n_informative=6, n_classes=6, n_clusters_per_class=1, random_state=0
    )
    y, _ = flip_labels(y, rate=0.2, random_state=0)
    detector = LabelNoiseDetector(contamination=0.2).fit(X, y)
    report = LabelNoiseReport.from_detector(detector, X, y, n_rows=400)
    posterior = detector.probabilities_ * detector.transition_matrix_[:, y].T
    heads = re.findall(r"<h3>.*?</h3>", report.to_html())
    best = posterior.argmax(1)
    is_other = [best[row["row"]] != y[row["row"]] for row in report.rows]
    assert ["rather" in head for head in heads] == is_other
    reasons = report.to_frame()["reason"]
    assert ["rather" in reason for reason in reasons] == is_other
    doubted = [row["quality"] < 0.5 for row in report.rows]
    assert 0 < sum(is_other) < sum(doubted)


def test_short_form(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y)
    n_issues = detector.label_issues_.sum()
    assert repr(report) == f"LabelNoiseReport(n_samples=150, n_issues={n_issues})"
    assert n_issues > 0


def test_transitions_go_from_true_to_given_labels_those_of_most_rows_first(fitted):
    detector, X, y, _ = fitted
    page = LabelNoiseReport.from_detector(detector, X, y).to_html()
    shown = "".join(Reader(page).texts)
    T, names = detector.transition_matrix_, detector.classes_
    n_rows = T * detector.probabilities_.sum(0)[:, None]
    off = [(a, b) for a in range(3) for b in range(3) if a != b and n_rows[a, b] >= 0.5]
    lines = [
        f"{names[a]} labelled {names[b]}{T[a, b]:.1%}"
        for a, b in sorted(off, key=lambda pair: n_rows[pair], reverse=True)
    ]
    assert len(set(lines)) >= 4
    assert (
        f"the share labelled as the second; those of most rows first.{lines[0]}"
        in shown
    )
    assert "".join(lines) in shown


def test_transitions_that_are_alike_are_one_sentence(fitted):
    _, X, y, _ = fitted
    detector = LabelNoiseDetector(noise="symmetric").fit(X, y)
    page = LabelNoiseReport.from_detector(detector, X, y).to_html()
    shown = "".join(Reader(page).texts)
    rate = detector.transition_matrix_[0, 1]
    assert f"of the rows of a class, {rate:.1%} are labelled as each" in shown
    assert " labelled " not in shown.replace("are labelled as each", "")


def test_a_single_transition_is_a_table(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y)
    report.transitions = [("a", "b", 0.1)]
    assert "a labelled b10.0%" in "".join(Reader(report.to_html()).texts)


def test_a_page_without_transitions_has_no_heading_for_them(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y)
    report.transitions = []
    assert "How labels went wrong" not in report.to_html()


def test_suggested_labels_weigh_how_labels_go_wrong(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y, n_rows=150)
    suggested = report.to_frame()["suggested"].sort_index()
    classes = detector.classes_.tolist()
    expected, unweighted = [], []
    for label, p in zip(y, detector.probabilities_, strict=True):
        given = classes.index(label)
        to_given = detector.transition_matrix_[:, given]
        others = [c for c in range(3) if c != given]
        expected.append(classes[max(others, key=lambda c: p[c] * to_given[c])])
        unweighted.append(classes[max(others, key=lambda c: p[c])])
    assert suggested.tolist() == expected != unweighted


def test_histogram_marks_the_rows_called_wrong(fitted):
    detector, X, y, _ = fitted
    page = LabelNoiseReport.from_detector(detector, X, y).to_html()
    bars = re.findall(r'class="(rest|mark)" x="(\d+)".*? height="([\d.]+)"', page)
    quality, issues = detector.label_quality_, detector.label_issues_
    for name, values in (("rest", quality), ("mark", quality[issues])):
        counts = np.histogram(values, 20, (0, 1))[0]
        heights = np.array([float(height) for kind, _, height in bars if kind == name])
        tallest = np.histogram(quality, 20, (0, 1))[0].max()
        np.testing.assert_allclose(heights, 120 * (counts / tallest) ** 0.5, atol=0.06)
        assert [int(x) for kind, x, _ in bars if kind == name] == [*range(20, 340, 16)]


def test_rows_in_order_with_neighbors_that_disagree(fitted):
    detector, X, y, is_flipped = fitted
    report = LabelNoiseReport.from_detector(
        detector, X, y, is_noisy=is_flipped, n_rows=20, n_neighbors=2
    )
    frame = report.to_frame()
    worst = np.argsort(detector.label_quality_, kind="stable")[:20]
    assert frame.index.tolist() == worst.tolist()
    assert frame["quality"].is_monotonic_increasing
    assert frame["given"].tolist() == y[worst].tolist()
    assert frame["is_issue"].tolist() == detector.label_issues_[worst].tolist()
    assert frame["is_noisy"].tolist() == is_flipped[worst].tolist()
    issues = frame[frame["is_issue"]]
    assert (
        issues["suggested"].tolist()
        == detector.suggested_labels_[issues.index].tolist()
    )
    assert (frame["suggested"] != frame["given"]).all()
    # An rbf kernel falls with the distance.
    for i, near in frame["neighbors"].items():
        others = np.flatnonzero((y != y[i]) & ~detector.label_issues_)
        distance = ((X[others] - X[i]) ** 2).sum(1)
        assert distance.max() > 0
        expected = np.sort(distance)[:2]
        found = ((X[near] - X[i]) ** 2).sum(1)
        np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(frame[["x0", "x1", "x2", "x3"]], X[worst])


def test_all_that_are_called_wrong_are_shown(fitted):
    _, X, y, _ = fitted
    detector = LabelNoiseDetector(contamination=0.5).fit(X, y)
    report = LabelNoiseReport.from_detector(detector, X, y)
    assert report.to_frame()["is_issue"].sum() == 75
    assert len(report.rows) == 75
    assert "not shown" not in report.to_html()
    short = LabelNoiseReport.from_detector(detector, X, y, n_rows=30)
    assert len(short.to_frame()) == 30
    shown = "".join(Reader(short.to_html()).texts)
    assert '45 more are called wrong and not shown: n_rows="auto" of' in shown


def test_the_frame_says_what_the_page_does_in_words(fitted):
    detector, X, y, is_flipped = fitted
    report = LabelNoiseReport.from_detector(detector, X, y, is_noisy=is_flipped)
    frame, page = report.to_frame(), report.to_html()
    assert len(frame) == 50
    for row in frame.itertuples():
        assert row.neighbor_labels == y[row.neighbors].tolist()
        rather, verdict = f"rather {row.suggested}; ", row.reason
        assert verdict.startswith(rather) == (row.quality < 0.5)
        verdict = verdict.removeprefix(rather)
        assert f"Row at position {row.Index}; {verdict}.</p>" in page
    first = frame.iloc[0]
    assert first["reason"] == (
        f"rather {first['suggested']}; right with probability "
        f"{first['quality']:.1%}; called wrong, known to be wrong"
    )
    assert "np.str_" not in frame.to_csv()
    table = pd.DataFrame({"reason": X[:, 0]})
    columns = LabelNoiseReport.from_detector(detector, table, y).to_frame().columns
    assert columns.tolist()[-2:] == ["reason", "X_reason"]


def test_every_fact_is_documented_known_and_shown(fitted):
    detector, X, y, is_flipped = fitted
    named = pd.DataFrame(X, [f"flower {i}" for i in range(150)])
    for known, frame, is_noisy in (
        ({"always"}, X, None),
        ({"always", "truth"}, X, is_flipped),
        ({"always", "truth", "names"}, named, is_flipped),
    ):
        report = LabelNoiseReport.from_detector(detector, frame, y, is_noisy=is_noisy)
        assert (report.detected is None) == (is_noisy is None)
        facts = {name for name, where in FACTS.items() if where in known}
        row = report.rows[0]
        assert set(row) == {*facts, "rather", "cells", "neighbor_cells"}
        assert facts == {"row", *report.to_frame().columns} & set(FACTS)
    of_rows = LabelNoiseReport.__doc__.split("rows : ")[1].split("summary : ")[0]
    assert set(re.findall(r'"(\w+)"', of_rows)) == set(row)
    others = {
        bool: lambda value: not value,
        float: lambda value: value / 2,
        int: lambda value: value + 1,
        list: lambda value: [*value[1:], "another"],
    }
    for name in FACTS:
        other = others.get(type(row[name]), lambda value: "another")(row[name])
        assert article(1, {**row, name: other}) != article(1, row), name


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (pd.DataFrame, ["sepal <i>", "quality", " ", "n"]),
        (
            lambda X: pytest.importorskip("polars", reason=POLARS).DataFrame(X),
            ["column_0"],
        ),
        (sparse.csr_array, ["x0", "x3"]),
        (lambda X: [("a text", "another")] * len(X), ["text_1"]),
        (lambda X: pd.Series(["a text"] * len(X), index=range(5, 155)), ["text"]),
        (lambda X: rbf_kernel(X), ["x0"]),
    ],
)
def test_rows_of_any_kind(kind, names, fitted):
    detector, X, y, _ = fitted
    rows = kind(X)
    if isinstance(rows, pd.DataFrame):
        rows.columns = names
        names = ["sepal <i>", "X_quality", "n"]
    report = LabelNoiseReport.from_detector(detector, rows, y, n_rows=3)
    assert set(names) <= set(report.to_frame().columns)
    reader = Reader(report.to_html())
    assert "i" not in reader.tags
    assert len(report.to_frame()) == 3


def test_names_of_rows_and_dates(fitted):
    detector, _, y, _ = fitted
    day = pd.Timestamp("2024-05-06")
    frame = pd.DataFrame({"day": day, "hour": day + pd.Timedelta(hours=7)}, range(150))
    report = LabelNoiseReport.from_detector(detector, frame, y, n_rows=1)
    assert "index" not in report.to_frame()
    assert re.search(r"Row at position \d+; right", report.to_html())
    assert '<dd dir="auto">2024-05-06</dd>' in report.to_html()
    assert '<dd dir="auto">2024-05-06 07:00:00</dd>' in report.to_html()
    frame.index = [f"<{i}>" for i in range(150)]
    report = LabelNoiseReport.from_detector(detector, frame, y, n_rows=1)
    row = report.to_frame().index[0]
    assert report.to_frame()["index"].tolist() == [f"<{row}>"]
    name = f"index <bdi>&lt;{row}&gt;</bdi>"
    assert f"Row at position {row}, {name}; right with" in report.to_html()
    near = report.to_frame()["neighbors"].iloc[0]
    assert report.to_frame()["neighbor_index"].iloc[0] == [f"<{i}>" for i in near]
    assert near
    for i in near:
        name = f"index <bdi>&lt;{i}&gt;</bdi>"
        assert f">row at position {i}, {name}</span>" in report.to_html()


def test_names_that_turn_the_direction_are_kept_apart(fitted):
    detector, X, y, _ = fitted
    turned = "\u202e name"
    frame = pd.DataFrame(X, [f"{turned} {i}" for i in range(150)]).add_prefix(turned)
    page = LabelNoiseReport.from_detector(detector, frame, y, title=turned).to_html()
    page = page.replace(f"<title>{turned}</title>", "")
    assert page.count(turned) == page.count(f"<bdi>{turned}") > 0
    assert f"<h1><bdi>{turned}</bdi></h1>" in page


def test_many_columns_are_counted(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, np.hstack([X] * 10), y, n_rows=1)
    assert "28 columns more" in report.to_html()


def test_notebook_shows_the_page_in_a_sandbox(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y, n_rows=2)
    reader = Reader(report._repr_html_())
    assert reader.tags == ["iframe"]
    attributes = dict(reader.attributes)
    assert attributes["srcdoc"] == report.to_html()
    assert attributes["sandbox"] is None  # nothing is allowed


def test_saved_page_is_the_page(tmp_path, fitted):
    detector, _, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, texts_for(detector), y)
    report.save(tmp_path / "report.html")
    saved = (tmp_path / "report.html").read_text("utf-8")
    assert saved == report.to_html()
    assert '<meta name="viewport" content="width=device-width' in saved
    # A long name of a column leaves its values room.
    assert "grid-template-columns: fit-content(40%) minmax(0, 1fr);" in saved
    assert "default-src 'none'" in saved


@pytest.mark.parametrize("name", ["report.pdf", "report.csv", "report.html.gz"])
def test_other_files_than_pages_are_refused(name, tmp_path, fitted):
    detector, _, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, texts_for(detector), y)
    with pytest.raises(ValueError, match=r"report\..*end it in '.html'"):
        report.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    for name in ("report", "report.HTM"):
        report.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == report.to_html()


@pytest.mark.filterwarnings("ignore:none of")
def test_nothing_called_wrong():
    X = np.zeros((20, 1))
    detector = LabelNoiseDetector().fit(X, [0, 1] * 10)
    report = LabelNoiseReport.from_detector(detector, X, [0, 1] * 10)
    assert repr(report) == "LabelNoiseReport(n_samples=20, n_issues=0)"
    assert not report.to_frame()["is_issue"].any()
    assert report.title == "Suspicious labels"
    page = "".join(Reader(report.to_html()).texts)
    assert "Called wrongnone; inspect from the most suspicious row down" in page
    assert "alse alarms" not in page
    frame = report.to_frame()
    assert (frame["suggested"] != frame["given"]).all()
    assert "rather" not in page


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:none of")
def test_page_says_that_hard_rows_are_too_many(fitted, monkeypatch):
    _, X, y, _ = fitted
    words = "so do too many right ones of rows that are hard to predict, to tell which"
    pages = []
    for limit in (_issues.MISSED_SHARE, -1.0):
        monkeypatch.setattr(_issues, "MISSED_SHARE", limit)
        monkeypatch.setattr(_issues, "SURELY_MISSED_SHARE", limit)
        detector = LabelNoiseDetector().fit(X, y)
        report = LabelNoiseReport.from_detector(detector, X, y)
        shown = "".join(Reader(report.to_html()).texts)
        assert (words in shown) == detector.issues_withheld_
        assert (words in report._repr_html_()) == detector.issues_withheld_
        assert ("only a guess" in shown) == detector.issues_withheld_
        pages.append(shown)
    assert words not in pages[0]
    assert "none: some labels look wrong, but" in pages[1]
    assert "contamination" in pages[1]
    # Calls that are asked for do not make it known which labels are wrong.
    detector = LabelNoiseDetector(contamination=0.1).fit(X, y)
    report = LabelNoiseReport.from_detector(detector, X, y)
    assert not detector.issues_withheld_
    shown = "".join(Reader(report.to_html()).texts)
    assert shown.count("only a guess") == 2  # false alarms, and wrong labels in all
    assert words not in shown
    assert "alse alarms" not in pages[1]
    assert ", called wrong." not in pages[1]
    zeros, labels = np.zeros((20, 1)), [0, 1] * 10
    detector = LabelNoiseDetector().fit(zeros, labels)  # none is suspicious
    report = LabelNoiseReport.from_detector(detector, zeros, labels)
    assert words not in report.to_html()


def test_truth_may_be_a_column(fitted):
    detector, X, y, is_flipped = fitted
    found = [
        LabelNoiseReport.from_detector(detector, X, y, is_noisy=truth).summary
        for truth in (is_flipped, is_flipped[:, None])
    ]
    assert found[0] == found[1]


def test_wrong_rows_and_labels(fitted):
    detector, X, y, is_flipped = fitted
    with pytest.raises(ValueError, match="150 rows"):
        LabelNoiseReport.from_detector(detector, X[:-1], y[:-1])
    with pytest.raises(ValueError, match="labels that the training rows do not have"):
        LabelNoiseReport.from_detector(detector, X, np.where(is_flipped, "rose", y))
    with pytest.raises(ValueError, match="mask"):
        LabelNoiseReport.from_detector(detector, X, y, is_noisy=[3] * 150)


def test_curve_is_drawn_to_scale():
    x = np.array([0.0, 0.5, 1.0])
    picture = curve(x, np.array([0.0, 1.0, 1.0]), best=0.25, label="a & b")
    assert 'points="20.0,130.0 180.0,10.0 340.0,10.0"' in picture
    assert 'points="20,130 100.0,10 340,10"' in picture
    assert "a &amp; b" in picture


@pytest.mark.parametrize("name", ["n_rows", "n_neighbors"])
@pytest.mark.parametrize("number", [-1, 2.5, None, "5"])
def test_numbers_of_rows_are_checked(name, number, fitted):
    detector, X, y, _ = fitted
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 0"):
        LabelNoiseReport.from_detector(detector, X, y, **{name: number})


def test_labels_must_be_those_judged(fitted):
    detector, X, y, _ = fitted
    with pytest.raises(ValueError, match=r"fitted on, but .* of 150 differ"):
        LabelNoiseReport.from_detector(detector, X, y[::-1])


def test_no_rows_and_no_neighbors(fitted):
    detector, X, y, _ = fitted
    report = LabelNoiseReport.from_detector(detector, X, y, n_rows=0)
    full = LabelNoiseReport.from_detector(detector, X, y, n_rows=999, n_neighbors=0)
    assert len(report.to_frame()) == 0
    assert set(report.to_frame().columns) <= set(full.to_frame().columns)
    assert len(full.to_frame()) == 150
    assert "<details>" not in full.to_html()
    Reader(report.to_html())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a", "b", "b"], ["a", "a (2)", "b", "b (2)"]),
        ([1, "1", 2.5, None], ["1", "1 (2)", "2.5", "None"]),
        (["row", "X_row", "given", "b"], ["X_row", "X_X_row", "X_given", "b"]),
        (["", " ", "text", "b"], ["text", "text_1", "X_text", "b"]),
    ],
)
def test_no_column_hides_another(names, expected, fitted):
    detector, X, y, _ = fitted
    frame = pd.DataFrame(X, columns=names)
    report = LabelNoiseReport.from_detector(detector, frame, y, n_rows=4)
    found = report.to_frame()
    np.testing.assert_array_equal(found[expected], X[found.index])
    page = report.to_html()
    for value in X[found.index[0]]:
        assert f"{value:.6g}" in page


@pytest.mark.filterwarnings("ignore:none of")
def test_rows_known_to_be_right_are_not_among_the_neighbors():
    X, y = load_iris(return_X_y=True)
    known = np.arange(150) % 3 == 0
    detector = LabelNoiseDetector(FreeShapAttributor("linear"))
    detector.fit(X[~known], y[~known], X_val=X[known], y_val=y[known])
    report = LabelNoiseReport.from_detector(detector, X[~known], y[~known])
    cosine = cosine_similarity(X[~known])
    assert len(report.rows) > 10
    for row in report.to_frame().itertuples():
        assert len(row.neighbors) > 1
        others = np.flatnonzero(y[~known] != row.given)
        nearest = others[np.argsort(-cosine[row.Index, others], kind="stable")]
        assert row.neighbors == nearest[: len(row.neighbors)].tolist()


@pytest.mark.filterwarnings("ignore:none of")
def test_no_more_neighbors_than_there_are_rows_of_other_labels():
    X, y = np.arange(10.0)[:, None], np.array([0] * 8 + [1] * 2)
    detector = LabelNoiseDetector(FreeShapAttributor()).fit(X, y)
    frame = LabelNoiseReport.from_detector(detector, X, y, n_neighbors=5).to_frame()
    for label, n_others in ((0, 2), (1, 5)):
        counts = frame["neighbors"][frame["given"] == label].map(len)
        assert (counts == n_others).all()


def test_integers_beside_floats_and_missing_dates(fitted):
    detector, _, y, _ = fitted
    frame = pd.DataFrame({"id": 1234567, "x": 0.5, "day": pd.NaT}, index=range(150))
    frame["day"] = pd.to_datetime(frame["day"])
    report = LabelNoiseReport.from_detector(detector, frame, y, n_rows=1)
    assert '<dt><bdi>id</bdi></dt><dd dir="auto">1234567</dd>' in report.to_html()
    assert (
        '<dt><bdi>day</bdi></dt><dd dir="auto"><span class="calm">missing</span></dd>'
        in report.to_html()
    )


def test_series_of_polars(fitted):
    detector, _, y, _ = fitted
    polars = pytest.importorskip("polars", reason=POLARS)
    texts = texts_for(detector)
    texts = [text.replace("\ud800", "") for text in texts]
    found, expected = (
        LabelNoiseReport.from_detector(detector, rows, y).to_html()
        for rows in (polars.Series(texts), texts)
    )
    assert found == expected


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "bsr"])
def test_sparse_rows_show_what_is_not_zero(kind, fitted):
    detector, X, y, _ = fitted
    wide = sparse.lil_array((150, 100_000))
    wide[:, 99_999] = X[:, :1]
    report = LabelNoiseReport.from_detector(detector, wide.asformat(kind), y, n_rows=3)
    found = report.to_frame()
    np.testing.assert_array_equal(found["x99999"], X[found.index, 0])
    assert "x0" not in found
    assert "columns more" not in report.to_html()


def test_rows_and_detectors_that_are_none():
    X, y = np.arange(8.0).reshape(8, 1), np.arange(8) % 2
    detector = LabelNoiseDetector()
    with pytest.raises(NotFittedError):
        LabelNoiseReport.from_detector(detector, X, y)
    detector.fit(X, y)
    with pytest.raises(ValueError, match="X must hold rows, got None"):
        LabelNoiseReport.from_detector(detector, None, y)
    with pytest.raises(ValueError, match="detector must be a LabelNoiseDetector"):
        LabelNoiseReport.from_detector(KernelRidgeClassifier().fit(X, y), X, y)


def test_lines_of_texts_from_windows():
    X, y = np.arange(8.0).reshape(8, 1), np.arange(8) % 2
    detector = LabelNoiseDetector(contamination=0.3).fit(X, y)
    texts = ["one\r\ntwo\x0b"] * 8
    page = LabelNoiseReport.from_detector(detector, texts, y)._repr_html_()
    assert "one\r\ntwo\ufffd" in page


def test_a_bar_of_one_row_reads_well():
    drawing = bars(np.array([0.12, 0.52, 0.53]), np.zeros(3, dtype=bool), label="")
    assert "<title>0.10 to 0.15, rows: 1</title>" in drawing
    assert "<title>0.50 to 0.55, rows: 2</title>" in drawing


def test_labels_that_are_doubted_and_not_called_wrong(fitted):
    detector, X, y, _ = fitted
    detector = copy.copy(detector)
    detector.label_issues_ = np.zeros(len(y), dtype=bool)
    detector.label_quality_ = np.where(np.arange(len(y)) < 7, 0.49, 0.5)
    page = LabelNoiseReport.from_detector(detector, X, y).to_html()
    shown = "".join(Reader(page).texts)
    assert "none: 7 are more probably wrong than right" in shown
    assert "contamination" in shown
    detector.issues_withheld_ = True
    page = LabelNoiseReport.from_detector(detector, X, y).to_html()
    assert "7 are more probably wrong" not in "".join(Reader(page).texts)


@pytest.mark.parametrize("names", [[0, 1], ["a", "b"], [False, True]])
def test_labels_given_and_suggested_are_of_one_type(names):
    X = np.arange(8.0)[:, None]
    y = np.array(names)[[0, 0, 0, 1, 1, 1, 1, 0]]
    detector = LabelNoiseDetector(contamination=0.2).fit(X, y)
    for row in LabelNoiseReport.from_detector(detector, X, y).rows:
        assert type(row["given"]) is type(row["suggested"]) is type(names[0])


@pytest.mark.parametrize("n_wrong", [0, 15])
def test_a_share_of_less_than_a_label(n_wrong):
    X, y = load_iris(return_X_y=True)
    y[:n_wrong] = 2
    detector = LabelNoiseDetector(contamination=1e-3).fit(X, y)
    called = LabelNoiseReport.from_detector(detector, X, y).summary["Called wrong"]
    assert called == "none: contamination=0.001 is less than one label"


@pytest.mark.parametrize(("before", "after"), [("auto", 1e-3), (1e-3, "auto")])
def test_a_contamination_set_after_fit_is_not_told_of(before, after, fitted):
    _, X, y, _ = fitted
    detector = LabelNoiseDetector(contamination=before).fit(X, y)
    expected = LabelNoiseReport.from_detector(detector, X, y).summary
    detector.set_params(contamination=after)
    assert LabelNoiseReport.from_detector(detector, X, y).summary == expected


def test_one_rate_of_all_pairs_is_said_once():
    pairs = [("a", "b", 0.1), ("b", "c", 0.1 + 1e-16), ("c", "a", 0.1 - 1e-16)]
    found = transitions_table(pairs)
    assert "alike for all pairs of classes" in found and "10.0% are labelled" in found
    found = transitions_table([*pairs, ("a", "c", 0.101)])
    assert "alike for all" not in found and found.count("<tr>") == 4
