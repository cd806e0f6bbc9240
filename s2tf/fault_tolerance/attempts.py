"""Attempts at a run: the time, place and code of each start, and how it ended."""

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
    """File `attempts.jsonl` of a run folder, with a line for each start and end; one process at a time writes it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ATTEMPTS_FILE

    @contextmanager
    def attempt(self, reason: str = "", commit: str | None = None, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Record the start and the end of a `with` block.

        The block gets a dictionary; the facts that it puts there are recorded when it succeeds.

        Args:
            reason: Reason of the start, such as a broken checkpoint; empty for none.
            commit: Commit of the code.
            code: Name of the file in the run folder that holds the code's state.
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
        """Append a line with time, job, host and process. A full disk is reported and does not end the training."""
        process = {
            "event": event,
            "time": time.time(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "restart": int(os.environ.get("SLURM_RESTART_COUNT", 0)),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        try:
            append_line(self.path, json.dumps({**process, **facts}))
        except OSError as error:
            say(f"{self.path}: {error.strerror}: this {event} is not noted")


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a run folder's `attempts.jsonl`; none if it was never trained."""
    return read_lines(folder / ATTEMPTS_FILE)
