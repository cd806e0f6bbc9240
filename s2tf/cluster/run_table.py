"""Table of the status of runs, for a terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2tf.cluster.run_status import RunState, summary


def run_table(states: Sequence[RunState]) -> Group:
    """Build the table of runs, and a line that counts their states."""
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
