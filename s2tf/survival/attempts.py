"""What a run's processes say of themselves: when each began, from where, and how it ended."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.survival.signals import Interruption

ATTEMPTS_FILE = "attempts.jsonl"


class Attempts:
    """The file `attempts.jsonl` of a run folder, a line at each beginning and end; one process writes it at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ATTEMPTS_FILE

    @contextmanager
    def attempt(self, reason: str = "", commit: str | None = None) -> Iterator[dict[str, Any]]:
        """Note the beginning, with its `reason` if it has one and the code's commit, and the end of a `with` block.

        What the block puts into the dictionary that it gets is noted with its success.
        """
        facts: dict[str, Any] = {}
        self.note("start", status="running", reason=reason, commit=commit)
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
        """Append a line; it says who and when as well."""
        who = {
            "event": event,
            "time": time.time(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "restart": int(os.environ.get("SLURM_RESTART_COUNT", 0)),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        with open(self.path, "a") as file:
            file.write(json.dumps({**who, **facts}) + "\n")


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's `attempts.jsonl`, none where it was never trained; without one that was cut off."""
    path = folder / ATTEMPTS_FILE
    if not path.is_file():
        return []
    lines = path.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
