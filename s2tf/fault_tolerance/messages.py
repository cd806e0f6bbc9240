"""What a run says of its troubles."""

import contextlib
import sys


def say(text: str) -> None:
    """Print a line to standard error, at once, and at all costs: the disk that its file lies on may be full."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
