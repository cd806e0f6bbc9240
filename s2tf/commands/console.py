"""Output of commands: tables that are not cut outside a terminal, progress lines, and shared closing lines."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from datamodules.shards.add_member import CopyReport, OnClip

WIDTH = 200
"""Width in characters outside a terminal."""
LINE_INTERVAL = 30.0
"""Least number of seconds between two lines of progress."""
LINE_SHARE = 0.1
"""Wait before the next line as a share of the time that has passed: the longer a command runs, the rarer its lines."""

UNITS = {"size": "pixels"}
"""Words for the fields of a generated file whose names do not read well behind a number."""


def table_console() -> "Console":
    """Return a console on standard output; a table that goes to a file is not cut to a terminal's width."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def print_metrics(metrics: Mapping[str, float], path: Path | None) -> None:
    """Print numbers by name, and write them to a JSON file if a path is given."""
    for name, value in sorted(metrics.items()):
        print(f"{name:32s} {value:.6g}")
    if path is not None:
        path.write_text(json.dumps(dict(metrics), indent=2) + "\n")


@contextmanager
def progress(console: "Console") -> Iterator[Callable[[str], None]]:
    """Show the progress of a command: one changing line on a terminal, elsewhere a new line now and then."""
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
    else:
        yield ProgressLines(console).report


class ProgressLines:
    """Prints a selection of progress texts: about ten in five minutes, about sixty in ten hours."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.begun = self.last = time.monotonic()

    def report(self, text: str) -> None:
        """Print the text if enough time has passed since the last printed text."""
        now = time.monotonic()
        if now - self.last >= max(LINE_INTERVAL, LINE_SHARE * (now - self.begun)):
            self.last = now
            self.console.print(text, highlight=False, soft_wrap=True)


def part_done(part: tuple[int, int], out: Path) -> str:
    """Return the line that says which part of the work is done while `out` is not complete."""
    return f"part {part[0]} of {part[1]} is done; the last part completes {out}"


def copy_with_progress(what: str, out: Path, part: tuple[int, int], copy: "Callable[[OnClip], CopyReport]") -> None:
    """Copy shards with a new member in every sample, show the progress, and print a summary.

    Args:
        what: Name of the member in the summary.
        out: The new shard folder.
        part: (I, N), the part that is done.
        copy: Function that does the work; it receives a function that it calls after each clip.

    Raises:
        UserError: The work raised a ValueError.
    """
    from rich.console import Console

    try:
        with Console().status("") as status:
            added = copy(lambda done, total: status.update(f"{done} of {total} clips"))
    except ValueError as error:
        raise UserError(str(error)) from error
    silent = f", {added.without} clips without sound have no {what}" if added.without else ""
    before = f", {added.clips - added.written} were written before" if added.clips > added.written else ""
    print(f"{added.written - added.without} clips written with {what}{silent}{before}: {out}")
    if not added.complete:
        print(part_done(part, out))


def report_generated(
    generated: Mapping[str, Any], seed: int, random_weights: Sequence[str], json_file: Path | None
) -> None:
    """Print what was generated and a warning about random weights, and write both as JSON if a path is given."""
    described = [f"{value} {UNITS.get(name, name)}" for name, value in generated.items() if name != "out"]
    print(f"{generated['out']}: {', '.join(described)}")
    if random_weights:
        from s2tf.media.pictures import RANDOM_NOTE

        print(f"{RANDOM_NOTE}: {', '.join(random_weights)} were never trained; do not report this as a result")
    if json_file:
        record = {**generated, "seed": seed, "random_weights": list(random_weights)}
        json_file.write_text(json.dumps(record, indent=2) + "\n")
