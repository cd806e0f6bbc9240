"""Fill a table of the paper with our measurements, and write it as text, CSV, LaTeX and HTML."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console, write_json
from s2tf.commands.options import add_device, seconds
from s2tf.commands.report.options import add_output_arguments, add_source_arguments, open_sources

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
    from s2tf.reporting.write_files import rich_table, write_files

    console = table_console()
    if args.table == _MEASURED_HERE:
        from s2tf.reporting.costs.efficiency import efficiency_table, measure_efficiency, write_efficiency

        found = measure_efficiency(args.pipeline, args.device, args.seconds)
        report = efficiency_table(found)
        if args.out:
            write_efficiency(found, args.out)
    else:
        from s2tf.reporting.paper_tables import report_table

        report = report_table(args.table, open_sources(args, args.table))
    console.print(rich_table(report))
    for note in report.notes:
        console.print(f"- {note}", highlight=False, markup=False)
    if args.out:
        write_files(report, args.out, args.table)
        console.print(f"written: {args.out / args.table}.md, .csv, .tex and .html", highlight=False)
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
