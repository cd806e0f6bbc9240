"""Speed and memory as ratios to a floor that is measured in the same run."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from datamodules.bench.measure import Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        choices=["data", "evaluate"],
        help="data: batches, storage forms, preparation, growth of the data; evaluate: videos against the true ones",
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="spent on each side of each ratio (%(default)s)")
    parser.add_argument("--only", metavar="NAME", default="", help="measure only what has NAME in its name")
    videos = parser.add_argument_group("evaluate")
    videos.add_argument("--metrics", default="all", help="as of `s2tf evaluate` (%(default)s)")
    videos.add_argument("--clips", type=int, default=2, help="(%(default)s)")
    videos.add_argument("--frames", type=int, default=50, help="of each clip, 25 a second (%(default)s)")
    videos.add_argument("--size", type=int, default=256, help="pixels (%(default)s)")
    videos.add_argument("--device", default="cpu", help="(%(default)s)")
    videos.add_argument("--weights", type=Path, help="folder of the public files; random networks are as slow")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to FILE")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("what", "measured", "floor", "ratio", "unit")
    entries: list[Entry] = []
    with console.status("") as status:
        for entry in _measure(args, console, status.update):
            entries.append(entry)
            table.add_row(entry.name, f"{entry.measured:.4g}", f"{entry.floor:.4g}", f"{entry.ratio:.2f}", entry.unit)
    console.print(table)
    if args.json:
        args.json.write_text(json.dumps({entry.name: entry.to_json() for entry in entries}, indent=1) + "\n")
    return 0


def _measure(args: argparse.Namespace, console: "Console", report: "Callable[[str], None]") -> "Iterator[Entry]":
    if args.what == "data":
        from datamodules.bench.measure import measure_all

        yield from measure_all(args.seconds, args.only, report)
        return
    from s2tf.errors import UserError
    from s2tf.evaluation.videos.bench import EvaluationBench, measure_evaluation

    for name in ("clips", "frames"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: expected 1 at least")
    names = ("metrics", "clips", "frames", "size", "device", "weights")
    yield measure_evaluation(EvaluationBench(**{name: getattr(args, name) for name in names}), console, report)
