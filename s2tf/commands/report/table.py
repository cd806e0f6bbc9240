"""Fill a table of the paper with our measurements, and write it as text, CSV, LaTeX and HTML."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.options import add_device, seconds
from s2tf.commands.report.options import (
    add_output_arguments,
    add_source_arguments,
    open_sources,
    write_json,
)

if TYPE_CHECKING:
    from s2tf.reporting.table import ReportTable

_MEASURED_HERE = "table12"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: each table has only the options that have an effect on it."""
    from s2tf.reporting.paper import TABLES

    names = parser.add_subparsers(dest="table", required=True, metavar="NAME")
    for name, table in TABLES.items():
        title = f"Table {table.number}: {table.title}"
        own = names.add_parser(name, help=title, description=title)
        if name == _MEASURED_HERE:
            _add_measuring_arguments(own)
        else:
            add_source_arguments(own, "NAME=PATH")
        add_output_arguments(own, "folder for the table as .md, .csv, .tex and .html (default: print it only)")


def run(args: argparse.Namespace) -> int:
    """Fill the table, print it and write its files."""
    from s2tf.commands.console import table_console

    if args.table == _MEASURED_HERE:
        from s2tf.reporting.costs.efficiency import efficiency_table, measure_efficiency, write_efficiency

        found = measure_efficiency(args.pipeline, args.device, args.seconds)
        report = efficiency_table(found)
        if args.out:
            write_efficiency(found, args.out)
    else:
        from s2tf.reporting.paper_tables import report_table

        report = report_table(args.table, open_sources(args, args.table))
    _print(report)
    if args.out:
        _write(report, args.out, args.table)
        table_console().print(f"written: {args.out / args.table}.md, .csv, .tex and .html", highlight=False)
    write_json(args.json, report.to_json())
    return 0


def _add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pipeline", type=Path, help="pipeline folder to measure (default: the paper's size with random weights)"
    )
    add_device(parser)
    parser.add_argument(
        "--seconds", type=seconds, default=5.0, help="length of the speech in seconds (default: %(default)s)"
    )


def _print(report: "ReportTable") -> None:
    """Print a table with its best numbers in bold and its notes below."""
    from rich.markup import escape
    from rich.table import Table

    from s2tf.commands.console import table_console

    title = f"Table {report.table.number}: {report.table.title}"
    shown = Table("", "", *(column.heading for column in report.table.columns), title=title, title_justify="left")
    best = report.best()
    for index, texts in enumerate(report.texts()):
        cells = [escape(text) for text in texts]
        shown.add_row(*(f"[bold]{cell}[/]" if (index, n - 2) in best else cell for n, cell in enumerate(cells)))
    console = table_console()
    console.print(shown)
    for note in report.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def _write(report: "ReportTable", out: Path, name: str) -> None:
    """Write a table in each of its file formats."""
    from s2tf.reporting.write_csv import write_csv
    from s2tf.reporting.write_html import write_html
    from s2tf.reporting.write_latex import write_latex
    from s2tf.reporting.write_markdown import write_markdown

    out.mkdir(parents=True, exist_ok=True)
    writers = {"md": write_markdown, "csv": write_csv, "tex": write_latex, "html": write_html}
    for ending, write in writers.items():
        (out / f"{name}.{ending}").write_text(write(report), encoding="utf-8")
