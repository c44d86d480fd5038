"""The page of a `LabelNoiseReport`: what is said of all rows, then row by row."""

from skshap.inspection._findings import verdict_of
from skshap.inspection._page import bars, curve, page, quote, row_html

__all__ = ["label_page"]


def label_page(report):
    """Return a report as a page.

    Parameters
    ----------
    report : LabelNoiseReport

    Returns
    -------
    str
        A whole HTML document, all of it escaped, without scripts or links.
    """
    facts = "".join(
        f"<dt>{quote(name)}</dt><dd>{quote(value)}</dd>"
        for name, value in report.summary.items()
    )
    return page(
        report.title,
        f"<h1><bdi>{quote(report.title)}</bdi></h1><dl>{facts}</dl>"
        f'<div class="pictures">{pictures(report)}</div>'
        + transitions_table(report.transitions)
        + f"<h2>The {len(report.rows)} most suspicious of {len(report.quality):,} rows"
        f"</h2>{what_is_left(report)}"
        + "".join(article(rank, row) for rank, row in enumerate(report.rows, start=1)),
    )


def what_is_left(report):
    """Return how many more labels are called wrong, and how to see them."""
    n_left = int(report.issues.sum()) - sum(row["is_issue"] for row in report.rows)
    if n_left == 0:
        return ""
    return (
        f"<p>{n_left:,} more are called wrong and not shown: n_rows=&quot;auto&quot; "
        "of LabelNoiseReport.from_detector shows all.</p>"
    )


def pictures(report):
    """Return the histogram of qualities and, if the truth is known, the curve."""
    figures = [
        (
            bars(report.quality, report.issues, label="Histogram of label qualities"),
            "Rows by the probability that their label is right, those called "
            "wrong in colour; heights are square roots of counts.",
        )
    ]
    found = report.detected
    if found is not None:
        figures.append(
            (
                curve(
                    found.fraction_inspected,
                    found.fraction_found,
                    best=found.n_noisy / len(report.quality),
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


def transitions_table(transitions):
    """Return how often labels of one class were turned into another, as a table."""
    if not transitions:
        return ""
    title = "<h2>How labels went wrong, by estimate</h2>"
    # Of one rate, but for rounding.
    if len({round(rate, 9) for _, _, rate in transitions}) == 1 < len(transitions):
        return (
            f"{title}<p>Taken to be alike for all pairs of classes, rare ones apart: "
            f"of the rows of a class, {transitions[0][2]:.1%} are labelled as each of "
            "the others.</p>"
        )
    rows = "".join(
        f"<tr><th><bdi>{quote(a)}</bdi> labelled <bdi>{quote(b)}</bdi></th>"
        f"<td>{rate:.1%}</td></tr>"
        for a, b, rate in transitions
    )
    return (
        f'{title}<p class="calm">Of all rows whose true label is the first of the two, '
        "the share labelled as the second; those of most rows first.</p>"
        f"<table>{rows}</table>"
    )


def article(rank, row):
    """Return a suspicious row, with what speaks for and against its label."""
    names = row.get("neighbor_index", [None] * len(row["neighbors"]))
    against = "".join(
        f'<li><bdi class="label">{quote(label)}</bdi> '
        f'<span class="calm">row at {row_name(i, name)}</span>{row_html(cells)}</li>'
        for i, name, label, cells in zip(
            row["neighbors"],
            names,
            row["neighbor_labels"],
            row["neighbor_cells"],
            strict=True,
        )
    )
    against = against and (
        "<details><summary>What speaks against the label, most similar rows of others: "
        f"{len(row['neighbors'])}</summary><ul>{against}</ul></details>"
    )
    name = row_name(row["row"], row.get("index"))
    rather = ""
    if row["rather"]:
        rather = f', rather <bdi class="suggested">{quote(row["suggested"])}</bdi>'
    return (
        f'<article><h3>{rank}. <bdi class="label">{quote(row["given"])}</bdi>'
        f'{rather}</h3><p class="calm">Row at {name}; {verdict_of(row)}.</p>'
        f"{row_html(row['cells'])}{against}</article>"
    )


def row_name(position, name):
    """Position of a row and, if it has one, its name in an index."""
    place = f"position {position}"
    return place if name is None else f"{place}, index <bdi>{quote(name)}</bdi>"
