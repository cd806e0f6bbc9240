"""Show the status of runs: state in SLURM, step, loss, last checkpoint, restarts, reason of waiting or failure."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import table_console
from s2tf.commands.options import add_json

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from s2tf.cluster.run_status import RunState

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

    console = table_console()
    if args.json or not args.watch:
        states = states_below(args.runs)
        if args.json:
            args.json.write_text(json.dumps([vars(one) for one in states], indent=2) + "\n")
        if not args.watch:
            console.print(_table(states))
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
    from s2tf.errors import UserError

    try:
        return _table(states_below(runs))
    except UserError as error:
        return Text(f"{error}; trying again")


def _table(states: "Sequence[RunState]") -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from s2tf.cluster.run_status import summary

    # A column for each fact; texts are wrapped, numbers are aligned to the right.
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "job", "state"):
        table.add_column(name, overflow="fold")
    for name in ("step", "loss", "checkpoint"):
        table.add_column(name, justify="right")
    for name in ("restarts", "why", "W&B"):
        table.add_column(name, overflow="fold")
    # A row for each run.
    for one in states:
        step = "-" if one.step is None else str(one.step)
        table.add_row(
            one.name,
            one.job or "-",
            one.state,
            f"{step}/{one.steps}" if one.steps else step,
            "-" if one.loss is None else f"{one.loss:.4g}",
            "-" if one.checkpoint_age is None else _age(one.checkpoint_age),
            f"{one.restarts} ({summary(one.endings)})" if one.restarts else "0",
            # Texts from a run or from SLURM must not be read as markup.
            Text(one.reason),
            Text(one.wandb),
        )
    return Group(table, Text(summary(one.state for one in states) or "no runs"))


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
