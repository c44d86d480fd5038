"""Pieces of an HTML page that needs nothing else: escaped text, bars, a curve."""

import html
import re
from datetime import datetime, time

import numpy as np

from skshap.utils._columns import is_missing

__all__ = ["bars", "curve", "page", "quote", "row_html"]

SHOWN_LETTERS = 400  # of a text, the rest folds out
MOST_WHOLE = 1e15  # up to which a float has all digits of an integer
SHOWN_COLUMNS = 12  # of a row, the rest is counted
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

STYLE = """
:root { color-scheme: light dark; --mark: #c2410c; --calm: #64748b; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --mark: #fb923c; --calm: #94a3b8; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
  padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.2rem; }
p, dd, bdi, summary { overflow-wrap: anywhere; }
.text { white-space: pre-wrap; unicode-bidi: isolate; margin: .5rem 0; }
.pictures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; max-width: 30rem; }
figcaption, .calm { color: var(--calm); font-size: .875rem; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: currentColor; } .axis { stroke: var(--line); }
.mark { fill: var(--mark); } .rest { fill: var(--calm); }
.line { fill: none; stroke: var(--mark); stroke-width: 2; }
.guide { fill: none; stroke: var(--calm); stroke-dasharray: 4 3; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line);
  text-align: right; } th:first-child { text-align: left; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
  margin: 1rem 0; }
article h3 { font-size: 1rem; margin: 0; } .label { font-weight: 600; }
.suggested { color: var(--mark); }
ul { padding-left: 1.2rem; margin: .25rem 0; }
dl { display: grid; grid-template-columns: fit-content(40%) minmax(0, 1fr);
  gap: 0 1rem; margin: .5rem 0; } dt { color: var(--calm); overflow-wrap: anywhere; }
dd { margin: 0; unicode-bidi: isolate; } dd .text { margin: 0; }
"""


def quote(value):
    """Escape anything for HTML; control characters and halves of pairs show as such."""
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return html.escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def text_html(text):
    """Return a text as a paragraph of its own direction; what is long folds out."""
    text = str(text)
    shown, rest = text[:SHOWN_LETTERS], text[SHOWN_LETTERS:]
    if not rest:
        return f'<p class="text" dir="auto">{quote(shown)}</p>'
    return (
        f'<p class="text" dir="auto">{quote(shown)}…</p><details><summary>'
        f'{len(rest):,} letters more</summary><p class="text" dir="auto">'
        f"{quote(rest)}</p></details>"
    )


def row_html(cells):
    """Return a row, a dict from names of columns to values, as a list of them.

    Values under names that are empty are texts without a name.
    """
    texts = [text_html(value) for name, value in cells.items() if not name.strip()]
    named = [(name, value) for name, value in cells.items() if name.strip()]
    entries = [
        f'<dt><bdi>{quote(name)}</bdi></dt><dd dir="auto">{value_html(value)}</dd>'
        for name, value in named[:SHOWN_COLUMNS]
    ]
    if len(named) > SHOWN_COLUMNS:
        entries.append(
            f"<dt>and</dt><dd>{len(named) - SHOWN_COLUMNS} columns more</dd>"
        )
    return "".join(texts) + (f"<dl>{''.join(entries)}</dl>" if entries else "")


def value_html(value):
    """Return the value of a column: a number in few digits, a date, or a text."""
    if is_missing(value):
        return '<span class="calm">missing</span>'
    if isinstance(value, (float, np.floating)):
        return number_text(float(value))
    if isinstance(value, datetime) and value.time() == time.min:
        return quote(value.date())
    return text_html(value) if isinstance(value, str) else quote(value)


def number_text(value):
    """Return a number in six digits, or all those before its point and two behind it.

    So can an identifier be read that became a float, as beside missing ones.
    """
    if value.is_integer() and abs(value) < MOST_WHOLE:
        return str(int(value))
    return f"{value:.2f}" if 1e4 <= abs(value) < MOST_WHOLE else f"{value:.6g}"


def bars(values, is_marked, *, label):
    """Draw a histogram of shares between 0 and 1, the marked ones apart, as SVG."""
    edges = np.linspace(0, 1, 21)
    counts = np.histogram(values, edges)[0]
    marked = np.histogram(values[is_marked], edges)[0]
    # Square roots: the few low values are what one looks for.
    scale = 120 / max(counts.max(initial=0), 1) ** 0.5
    parts = []
    for i, (n, m) in enumerate(zip(counts, marked, strict=True)):
        height, low = scale * n**0.5, scale * m**0.5
        x = 20 + 16 * i
        title = f"<title>{edges[i]:.2f} to {edges[i + 1]:.2f}, rows: {n}</title>"
        for name, size in (("rest", height), ("mark", low)):
            parts.append(
                f'<rect class="{name}" x="{x}" y="{130 - size:.1f}" width="14" '
                f'height="{size:.1f}">{title}</rect>'
            )
    return frame_svg("".join(parts), label)


def curve(x, y, *, best, label):
    """Draw a curve of shares, with the diagonal and the best one, as SVG.

    `best` is where the best curve reaches its top.
    """
    keep = np.unique(np.linspace(0, len(x) - 1, 200).astype(int))
    points = " ".join(
        f"{20 + 320 * a:.1f},{130 - 120 * b:.1f}"
        for a, b in zip(x[keep], y[keep], strict=True)
    )
    guides = (
        '<polyline class="guide" points="20,130 340,10"/><polyline class="guide" '
        f'points="20,130 {20 + 320 * best:.1f},10 340,10"/>'
    )
    return frame_svg(f'{guides}<polyline class="line" points="{points}"/>', label)


def frame_svg(content, label):
    """Put an axis from 0 to 1 below a drawing of 360 by 150."""
    return (
        f'<svg viewBox="0 0 360 150" role="img" aria-label="{quote(label)}">{content}'
        '<line class="axis" x1="20" y1="130" x2="340" y2="130"/>'
        '<text x="20" y="145">0</text><text x="176" y="145">0.5</text>'
        '<text x="334" y="145">1</text></svg>'
    )


def page(title, body):
    """Return a whole page that loads and runs nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{quote(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )
