"""What commands show: tables that are not cut outside a terminal, and how far a long one is."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 200
"""Columns outside a terminal."""
LINE_INTERVAL = 30.0
"""Seconds between two lines of progress, at least."""
LINE_SHARE = 0.1
"""Of the time that has passed: the longer a command runs, the rarer are its lines."""


def table_console() -> "Console":
    """On standard output; a table that is written to a file is not cut to a terminal's width."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def print_metrics(metrics: Mapping[str, float], path: Path | None) -> None:
    """Print numbers by name, and write them to a JSON file if there is a path."""
    for name, value in sorted(metrics.items()):
        print(f"{name:32s} {value:.6g}")
    if path is not None:
        path.write_text(json.dumps(dict(metrics), indent=2) + "\n")


@contextmanager
def progress(console: "Console") -> Iterator[Callable[[str], None]]:
    """What shows how far a command is: one moving line on a terminal, a plain line now and then elsewhere."""
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
    else:
        yield ProgressLines(console).report


class ProgressLines:
    """Prints some of the texts that it is given: ten in five minutes, some sixty in ten hours."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.begun = self.last = time.monotonic()

    def report(self, text: str) -> None:
        """Print it, if the line before is long enough ago."""
        now = time.monotonic()
        if now - self.last >= max(LINE_INTERVAL, LINE_SHARE * (now - self.begun)):
            self.last = now
            self.console.print(text, highlight=False, soft_wrap=True)
