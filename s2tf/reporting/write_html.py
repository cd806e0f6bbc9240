"""Tables as HTML: a section for each, and the page around them, which loads nothing from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from s2tf.reporting.table import Line, ReportTable

STYLE = """
:root { color-scheme: light dark; --line: #bbb; --ours: #eef4fb; --faint: #555; --link: #0b57d0; }
@media (prefers-color-scheme: dark) {
  :root { --line: #555; --ours: #1d2836; --faint: #b5b5b5; --link: #8ab4f8; }
}
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { border-bottom: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: right; }
th[scope=row], td.whose, thead th:nth-child(-n+2) { text-align: left; }
tbody th { font-weight: normal; }
thead th { border-bottom-width: 2px; }
tr.ours, tr.ours th { background: var(--ours); }
tr:not(.reference) > th[scope=row] { left: 0; position: sticky; }
tr.paper > th[scope=row] { background: Canvas; }
tr.reference { font-style: italic; }
ul.notes { color: var(--faint); font-size: 0.875rem; overflow-wrap: anywhere; padding-left: 1.2rem; }
.warning { font-weight: bold; }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.wide { grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; }
img { height: auto; max-width: 100%; }
figcaption { color: var(--faint); font-size: 0.8rem; overflow-wrap: anywhere; }
"""
WARNINGS = ("RANDOM WEIGHTS", "MIXED PROTOCOLS")
"""Beginnings of the notes that must not be overlooked."""


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading."""

    anchor: str
    """Its address within the page: letters, digits and hyphens."""
    title: str
    """Plain text."""
    body: str
    """HTML."""


def write_html(report: ReportTable) -> str:
    """Return a page with one table."""
    return write_page("See the Speaker", [write_section(report)])


def write_section(report: ReportTable) -> Section:
    """Return a table in a frame that scrolls sideways, its best numbers in `<strong>`, and its notes."""
    table, best = report.table, report.best()
    anchor, title = f"table-{table.number.replace(' ', '-')}", f"Table {table.number}: {table.title}"
    heads = "".join(f'<th scope="col">{escape(column.heading)}</th>' for column in table.columns)
    rows = [
        _row(line, texts, {number for row, number in best if row == index})
        for index, (line, texts) in enumerate(zip(report.lines, report.texts(), strict=True))
    ]
    body = [
        f'<div class="scroll" role="region" aria-label="{escape(title)}" tabindex="0">',
        "<table>",
        f'<thead><tr><th scope="col">method</th><th scope="col">whose</th>{heads}</tr></thead>',
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        "</div>",
        '<ul class="notes">',
        *(f"<li{_warning(note)}>{escape(note)}</li>" for note in report.notes),
        "</ul>",
    ]
    return Section(anchor, title, "\n".join(body))


def write_page(title: str, sections: Sequence[Section]) -> str:
    """Return a whole page; where it has several sections, links to them follow its title."""
    links = [f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections]
    contents = ['<nav aria-label="contents">', "<ul>", *links, "</ul>", "</nav>"] if len(sections) > 1 else []
    parts = [f'<section id="{one.anchor}">\n<h2>{escape(one.title)}</h2>\n{one.body}\n</section>' for one in sections]
    head = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
    ]
    body = [f"<header>\n<h1>{escape(title)}</h1>", *contents, "</header>", "<main>", *parts, "</main>"]
    return "\n".join([*head, *body, "</body>", "</html>", ""])


def _row(line: Line, texts: Sequence[str], best: set[int]) -> str:
    label, whose, *cells = (escape(text) for text in texts)
    if line.is_reference and not line.label:
        head = f'<tr class="reference"><th scope="row" colspan="2">{whose}</th>'
    else:
        kind = "reference" if line.is_reference else line.source
        head = f'<tr class="{kind}"><th scope="row">{label}</th><td class="whose">{whose}</td>'
    numbers = (f"<strong>{cell}</strong>" if number in best else cell for number, cell in enumerate(cells))
    return f"{head}{''.join(f'<td>{number}</td>' for number in numbers)}</tr>"


def _warning(note: str) -> str:
    return ' class="warning"' if note.startswith(WARNINGS) else ""
