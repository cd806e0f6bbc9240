"""Show the status of runs: state in SLURM, step, loss, last checkpoint, restarts, reason of waiting or failure."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import table_console, write_json
from s2tf.commands.options import add_json

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

_EVERY = 5.0
"""Seconds between two updates of `--watch`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="folder of run folders, or the --out of a chain (default: %(default)s)",
    )
    parser.add_argument("--watch", action="store_true", help=f"update the table every {_EVERY:.0f} seconds")
    add_json(parser, "the rows")


def run(args: argparse.Namespace) -> int:
    """Print the table, once or with `--watch` until the user stops it."""
    from rich.live import Live

    from s2tf.cluster.run_status import states_below
    from s2tf.cluster.run_table import run_table

    console = table_console()
    if args.json or not args.watch:
        states = states_below(args.runs)
        write_json(args.json, [vars(one) for one in states])
        if not args.watch:
            console.print(run_table(states))
            return 0
    try:
        with Live(_look(args.runs), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(_EVERY)
                live.update(_look(args.runs), refresh=True)
    except KeyboardInterrupt:
        return 0


def _look(runs: Path) -> "Group | Text":
    """Build the table, or a line with the reason if SLURM did not answer: it may answer at the next update."""
    from rich.text import Text

    from s2tf.cluster.run_status import states_below
    from s2tf.cluster.run_table import run_table
    from s2tf.errors import UserError

    try:
        return run_table(states_below(runs))
    except UserError as error:
        return Text(f"{error}; trying again")
