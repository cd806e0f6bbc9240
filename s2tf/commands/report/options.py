"""Options that several sub-commands of `s2tf report` share, and functions that use them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.options import add_json, add_out_folder

if TYPE_CHECKING:
    from s2tf.reporting.sources import Sources

RUNS = Path("runs")


def add_output_arguments(parser: argparse.ArgumentParser, out: str, required: bool = False) -> None:
    """Declare `--out` with the help text `out`, which names its files, and `--json`."""
    add_out_folder(parser, out, required)
    add_json(parser, "the numbers")


def add_source_arguments(parser: argparse.ArgumentParser, results: str) -> None:
    """Declare the sources of measurements; `results` is the form of a result, such as `NAME=PATH`."""
    parser.add_argument("--runs", type=Path, help=f"folder of run folders (default: {RUNS}, or none with --wandb)")
    parser.add_argument(
        "--results",
        action="append",
        default=[],
        metavar=results,
        help="add a metrics.json of any system, or its folder, as the row NAME, an old or a new row; repeat a name for "
        "its other seeds",
    )
    arms = results.replace("NAME=PATH", "FOLDER").replace(":", "=")
    parser.add_argument(
        "--arms",
        action="append",
        default=[],
        metavar=arms,
        help="add the results of `s2tf evaluate arms`: each folder in FOLDER is the row of its name; repeat "
        "it for seeds",
    )
    parser.add_argument(
        "--wandb",
        metavar="ENTITY/PROJECT",
        help="read measurements of finished runs from this W&B project (default: no W&B)",
    )
    parser.add_argument(
        "--wandb-offline",
        type=Path,
        metavar="DIR",
        help="read measurements from the files that W&B has written below DIR (default: no W&B)",
    )
    parser.add_argument(
        "--mixed-protocols",
        action="store_true",
        help="show rows of different protocols in one table, marked by letters (default: refuse them)",
    )


def open_sources(args: argparse.Namespace, table: str | None = None) -> "Sources":
    """Open the sources that `add_source_arguments` has declared.

    Args:
        args: The command's arguments.
        table: The only table of the report, or None if each result must name its table.

    Raises:
        UserError: A result is malformed or names another table, or W&B cannot be read.
    """
    from s2tf.reporting.sources import Sources, parse_arms, parse_results
    from s2tf.reporting.wandb_records import LoggedRuns, read_offline, read_project

    results = parse_results(args.results, table) + parse_arms(args.arms, table)
    logged = LoggedRuns()
    if args.wandb:
        logged += read_project(args.wandb)
    if args.wandb_offline:
        logged += read_offline(args.wandb_offline)
    # With --wandb the default folder is not searched: the same runs would be found a second time.
    runs = args.runs or (None if args.wandb or args.wandb_offline else RUNS)
    return Sources(runs, results, logged, args.mixed_protocols)
