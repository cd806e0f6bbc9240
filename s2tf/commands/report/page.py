"""Write one HTML page of all tables, figures and pictures of the runs; it needs no other file and no network."""

import argparse

from s2tf.commands.options import positive
from s2tf.commands.report.options import (
    add_output_arguments,
    add_source_arguments,
    open_sources,
    write_json,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source_arguments(parser, "TABLE:NAME=PATH")
    parser.add_argument(
        "--clips", type=positive, default=8, help="number of clips to show of each run (default: %(default)s)"
    )
    add_output_arguments(
        parser,
        "folder for report.html; the page shows the figures that `s2tf report figure` has written there",
        required=True,
    )


def run(args: argparse.Namespace) -> int:
    """Write the page and print its contents."""
    from s2tf.reporting.page import PAGE, write_report

    args.out.mkdir(parents=True, exist_ok=True)
    numbers = write_report(open_sources(args), args.clips, args.out)
    shown = [*numbers["tables"], *numbers["figures"], *(f"pictures of {folder}" for folder in numbers["samples"])]
    print(f"shown: {', '.join(shown)}")
    for name, reason in numbers["left out"].items():
        print(f"not shown: {name}: {reason}")
    print(f"written: {args.out / PAGE}")
    write_json(args.json, numbers)
    return 0
