"""Progress of long work: one changing line on a terminal, elsewhere a first line at once and a new one now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LINE_INTERVAL = 30.0
"""Least number of seconds between two lines of progress."""
LINE_SHARE = 0.1
"""Wait before the next line as a share of the time that has passed: the longer a command runs, the rarer its lines."""


@contextmanager
def progress(console: "Console", begin: str) -> Iterator[Callable[[str], None]]:
    """Show the progress of some work.

    Args:
        console: The place of the lines.
        begin: The work in words, which is shown at once.

    Returns:
        A function that shows a new text; outside a terminal, if enough time has passed.
    """
    if console.is_terminal:
        from rich.markup import escape

        with console.status(escape(begin)) as status:
            yield lambda text: status.update(escape(text))
    else:
        console.print(begin, highlight=False, markup=False, soft_wrap=True)
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
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def time_left(seconds: float) -> str:
    """Write the time that is left, such as `about 12 min left`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit} left"
    return f"about {seconds:.0f} s left"
