"""A table on the screen, and in each of its file formats."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from s2tf.reporting.table import ReportTable
from s2tf.reporting.write_csv import write_csv
from s2tf.reporting.write_html import write_html
from s2tf.reporting.write_latex import write_latex
from s2tf.reporting.write_markdown import write_markdown

WRITERS = {"md": write_markdown, "csv": write_csv, "tex": write_latex, "html": write_html}
"""Function that writes a table, by the ending of its file."""


def rich_table(report: ReportTable) -> Table:
    """Return a table for the screen, with its best numbers in bold."""
    title = f"Table {report.table.number}: {report.table.title}"
    shown = Table("", "", *(column.heading for column in report.table.columns), title=title, title_justify="left")
    best = report.best()
    for index, texts in enumerate(report.texts()):
        cells = [escape(text) for text in texts]
        shown.add_row(*(f"[bold]{cell}[/]" if (index, n - 2) in best else cell for n, cell in enumerate(cells)))
    return shown


def write_files(report: ReportTable, out: Path, name: str) -> None:
    """Write a table as `out`/NAME in each of its formats."""
    out.mkdir(parents=True, exist_ok=True)
    for ending, write in WRITERS.items():
        (out / f"{name}.{ending}").write_text(write(report), encoding="utf-8")
