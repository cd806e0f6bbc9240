"""What run folders keep about their jobs: what was submitted, each attempt, and the numbers on the way.

`submissions.jsonl` has a line for each job that was queued for a folder, by `s2tf submit`, or that trains it for an
agent of a sweep, by that job's script; `attempts.jsonl` one for each start and end of a training and `history.jsonl`
one for each row of numbers, by `s2tf fit`.
"""

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.fault_tolerance.attempts import ATTEMPTS_FILE
from s2tf.fault_tolerance.json_lines import append_line
from s2tf.fault_tolerance.messages import say

SUBMISSIONS_FILE, DONE_FILE = "submissions.jsonl", "done.json"
BLOCK = 65536
"""Bytes that are read at once of a file that is read from its end."""
LATEST = 100
"""Lines at a file's end that are looked at for whether they can be read."""


@dataclass(frozen=True)
class Submission:
    """A job that was queued for a folder."""

    job: str
    """SLURM's id, `12_3` for a task of an array."""
    cluster: str
    command: str
    """The command line that queued it."""
    experiment: str
    needs: Mapping[str, str] = field(default_factory=dict)
    """Jobs by the name of their step, without whose success this one does not begin."""
    wandb: str = ""
    """Where the run will be seen in W&B, or why it will not, by the cluster's environment; empty: not known."""
    time: float = field(default_factory=time.time)


def note(folder: Path, submission: Submission) -> None:
    """Add a submission to a folder's record."""
    append_line(folder / SUBMISSIONS_FILE, json.dumps(asdict(submission)))


def last_submission(folder: Path) -> Submission | None:
    """The job that was queued last for a folder."""
    for row in rows_back(folder / SUBMISSIONS_FILE):
        with suppress(TypeError):
            return Submission(**row)
    return None


def last_line(path: Path) -> dict[str, Any] | None:
    """The last whole line of a file of JSON; None where there is none."""
    return next(rows_back(path), None)


def rows_back(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of JSON, the last first; without those that are being written or were cut by a full disk."""
    return (row for line in _lines_back(path) if (row := _parse(line)) is not None)


def has_broken_line(path: Path) -> bool:
    """Whether one of a file's latest lines is no JSON; what stands behind the last line's end is being written."""
    return any(line and _parse(line) is None for line in islice(_lines_back(path), 1, LATEST))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _lines_back(path: Path) -> Iterator[bytes]:
    """A file's lines, the last first; it may be large, and only what is asked for is read."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        start, first = file.seek(0, 2), b""
        while start > 0:
            size = min(BLOCK, start)
            start = file.seek(start - size)
            first, *lines = (file.read(size) + first).split(b"\n")
            yield from reversed(lines)
        yield first


def is_finished(folder: Path) -> bool:
    """Whether a run was trained to its end once, whatever became of an attempt afterwards; or a chain's step done."""
    attempts = list(rows_back(folder / ATTEMPTS_FILE))
    if attempts:
        return any(one.get("status") == "finished" for one in attempts)
    return (folder / "networks").is_dir() or (folder / DONE_FILE).is_file()


@contextmanager
def submitting(folder: Path) -> Iterator[None]:
    """Keep others from queuing a job for the same folder meanwhile.

    Raises:
        UserError: another `s2tf submit` is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / SUBMISSIONS_FILE, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{folder}: another command is submitting this run at the moment") from error
        except OSError as error:
            say(f"{folder}: {error.strerror}: this file system has no locks, two submissions at once are not noticed")
        yield
