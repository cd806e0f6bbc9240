"""Measure the data loading: batches, storage forms, preparation, and growth with the amount of data."""

import argparse

from s2tf.commands.bench.console import show_entries
from s2tf.commands.options import add_json, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--seconds", type=seconds, default=4.0, help="seconds of measuring for each side of each ratio (default: 4)"
    )
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="measure only the entries with TEXT in their name (default: all)"
    )
    add_json(parser, "the measurements")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rich.console import Console

    from datamodules.bench.measure import measure_all
    from s2tf.evaluation.progress import progress

    console = Console()
    with progress(console, "measuring the data loading") as report:
        entries = list(measure_all(args.seconds, args.only, report))
    show_entries(entries, args.json, console)
    return 0
