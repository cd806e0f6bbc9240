"""What a run's processes say of themselves: when each began, from where, and how it ended."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.json_lines import append_line, read_lines
from s2tf.fault_tolerance.messages import say
from s2tf.fault_tolerance.signals import Interruption

ATTEMPTS_FILE = "attempts.jsonl"


class Attempts:
    """The file `attempts.jsonl` of a run folder, a line at each beginning and end; one process writes it at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ATTEMPTS_FILE

    @contextmanager
    def attempt(self, reason: str = "", commit: str | None = None, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Note the beginning and the end of a `with` block.

        What the block puts into the dictionary that it gets is noted with its success.

        Args:
            reason: of the beginning, if it has one.
            commit: of the code.
            code: the file of the run folder in which the code's state stands.
        """
        facts: dict[str, Any] = {}
        self.note("start", status="running", reason=reason, commit=commit, code=code)
        try:
            yield facts
        except Interruption as error:
            self.note("end", status="interrupted", reason=str(error), step=error.step)
            raise
        except BaseException as error:
            self.note("end", status="failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])
            raise
        else:
            self.note("end", status="finished", **facts)

    def note(self, event: str, **facts: Any) -> None:
        """Append a line; it says who and when as well. A full disk is said, and is no reason to end a training."""
        who = {
            "event": event,
            "time": time.time(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "restart": int(os.environ.get("SLURM_RESTART_COUNT", 0)),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        try:
            append_line(self.path, json.dumps({**who, **facts}))
        except OSError as error:
            say(f"{self.path}: {error.strerror}: this {event} is not noted")


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's `attempts.jsonl`, none where it was never trained, and only whole ones."""
    return read_lines(folder / ATTEMPTS_FILE)
