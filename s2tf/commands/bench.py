"""Speed and memory as ratios to a floor that is measured in the same run."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.bench.measure import Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("what", choices=["data"], help="data: batches, storage forms, preparation, growth of the data")
    parser.add_argument("--seconds", type=float, default=4.0, help="spent on each side of each ratio (%(default)s)")
    parser.add_argument("--only", metavar="NAME", default="", help="measure only what has NAME in its name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to FILE")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rich.console import Console
    from rich.table import Table

    from datamodules.bench.measure import measure_all

    console = Console()
    table = Table("what", "measured", "floor", "ratio", "unit")
    entries: list[Entry] = []
    with console.status("") as status:
        for entry in measure_all(args.seconds, args.only, status.update):
            entries.append(entry)
            table.add_row(entry.name, f"{entry.measured:.4g}", f"{entry.floor:.4g}", f"{entry.ratio:.2f}", entry.unit)
    console.print(table)
    if args.json:
        args.json.write_text(json.dumps({entry.name: entry.to_json() for entry in entries}, indent=1) + "\n")
    return 0
