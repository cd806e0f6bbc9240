"""Options that several sub-commands of `s2tf report` share, and what is made of them."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.options import check_json, check_out

if TYPE_CHECKING:
    from s2tf.reporting.sources import Sources

RUNS = Path("runs")


def add_output_arguments(parser: argparse.ArgumentParser, out: str, required: bool = False) -> None:
    """Declare `--out`, whose files the help text `out` names, and `--json`."""
    parser.add_argument("--out", type=Path, required=required, help=out)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written, before any work is done.

    Raises:
        UserError: `--json` or `--out` cannot be written.
    """
    check_json(args.json, args.out)
    check_out(args.out)


def write_json(path: Path | None, numbers: Any) -> None:
    """Write the numbers of a report where they are wanted."""
    if path:
        path.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def add_source_arguments(parser: argparse.ArgumentParser, results: str) -> None:
    """Declare the sources of measurements; `results` is the form of a result, such as `NAME=PATH`."""
    parser.add_argument("--runs", type=Path, help=f"folder of run folders (default: {RUNS}, or none with --wandb)")
    parser.add_argument(
        "--results",
        action="append",
        default=[],
        metavar=results,
        help="add a metrics.json of any system, or its folder, as the row NAME, which may be a new one; several of one "
        "name are its seeds",
    )
    parser.add_argument("--wandb", metavar="ENTITY/PROJECT", help="read measurements of finished runs from W&B")
    parser.add_argument(
        "--wandb-offline", type=Path, metavar="DIR", help="read them from the files that W&B has written below DIR"
    )
    parser.add_argument(
        "--mixed-protocols",
        action="store_true",
        help="show rows of different protocols in one table, marked by letters",
    )


def open_sources(args: argparse.Namespace, table: str | None = None) -> "Sources":
    """Open the sources that `add_source_arguments` has declared.

    Args:
        args: The command's arguments.
        table: The only table of the report; None where each result must name its table.

    Raises:
        UserError: A result is malformed or names another table, or W&B cannot be read.
    """
    from s2tf.reporting.sources import Sources, parse_results
    from s2tf.reporting.wandb_records import LoggedRuns, read_offline, read_project

    results = parse_results(args.results, table)
    logged = LoggedRuns()
    if args.wandb:
        logged += read_project(args.wandb)
    if args.wandb_offline:
        logged += read_offline(args.wandb_offline)
    # Runs that are asked of W&B would be found a second time in the default folder.
    runs = args.runs or (None if args.wandb or args.wandb_offline else RUNS)
    return Sources(runs, results, logged, args.mixed_protocols)
