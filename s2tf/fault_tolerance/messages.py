"""Messages of a run about problems."""

import contextlib
import sys


def say(text: str) -> None:
    """Print a line to standard error immediately; raises nothing, even if the disk that holds its file is full."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
