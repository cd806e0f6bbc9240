"""Write one HTML page of all tables, figures and pictures of the runs; it needs no other file and no network."""

import argparse
from pathlib import Path

from s2tf.commands.console import write_json
from s2tf.commands.options import positive
from s2tf.commands.report.options import add_output_arguments, add_source_arguments, open_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source_arguments(parser, "TABLE:NAME=PATH")
    parser.add_argument(
        "--clips", type=positive, default=8, help="number of clips to show of each run (default: %(default)s)"
    )
    parser.add_argument(
        "--figures",
        action="extend",
        nargs="+",
        default=[],
        type=Path,
        metavar="DIR",
        help="folders with figures of `s2tf report figure` to show as well (default: those in OUT)",
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        default=[],
        type=Path,
        metavar="DIR",
        help="folders of a chain's steps; the page names those that failed or lack a part, and what data left out",
    )
    add_output_arguments(parser, "folder for report.html", required=True)


def run(args: argparse.Namespace) -> int:
    """Write the page and print its contents."""
    from s2tf.reporting.page import PAGE, PageParts, write_report
    from s2tf.reporting.steps import read_step

    args.out.mkdir(parents=True, exist_ok=True)
    more = PageParts(args.figures, [read_step(folder) for folder in args.steps])
    numbers = write_report(open_sources(args), args.clips, args.out, more)
    shown = [*numbers["tables"], *numbers["figures"], *(f"pictures of {folder}" for folder in numbers["samples"])]
    print(f"shown: {', '.join(shown)}")
    for name, reason in numbers["left out"].items():
        print(f"not shown: {name}: {reason}")
    print(f"written: {args.out / PAGE}")
    write_json(args.json, numbers)
    return 0
