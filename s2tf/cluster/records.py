"""Records of jobs in run folders: submissions, attempts, and logged numbers.

`submissions.jsonl` has a line for each job of the folder: `s2tf submit` writes it when the job is queued, the script of
a sweep's agent when the trial has begun. `s2tf fit` writes `attempts.jsonl`, with a line for each start and end of a
training, and `history.jsonl`, with a line for each row of numbers.
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

SUBMISSIONS_FILE, DONE_FILE, PARTIAL_FILE = "submissions.jsonl", "done.json", "partial.json"
BLOCK = 65536
"""Bytes per read of a file that is read backwards."""
LATEST = 100
"""Number of last lines of a file that are searched for broken lines."""


@dataclass(frozen=True)
class Submission:
    """A job that was queued for a folder."""

    job: str
    """Id in SLURM, such as `12`, or `12_3` for a task of an array."""
    cluster: str
    command: str
    """Command line that queued it."""
    experiment: str
    needs: Mapping[str, str] = field(default_factory=dict)
    """Step name -> the job whose success this job waits for."""
    wandb: str = ""
    """Address that the run will have in W&B, or the reason why it will have none; empty if unknown."""
    time: float = field(default_factory=time.time)


def note(folder: Path, submission: Submission) -> None:
    """Append a submission to a folder's record."""
    append_line(folder / SUBMISSIONS_FILE, json.dumps(asdict(submission)))


def last_submission(folder: Path) -> Submission | None:
    """Read the last job that was queued for a folder."""
    for row in rows_back(folder / SUBMISSIONS_FILE):
        with suppress(TypeError):
            return Submission(**row)
    return None


def last_line(path: Path) -> dict[str, Any] | None:
    """Read the last complete line of a JSON Lines file, or None."""
    return next(rows_back(path), None)


def rows_back(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a JSON Lines file, the last first, without incomplete lines."""
    return (row for line in _lines_back(path) if (row := _parse(line)) is not None)


def has_broken_line(path: Path) -> bool:
    """Return True if one of a file's last lines is not JSON; an incomplete last line does not count."""
    return any(line and _parse(line) is None for line in islice(_lines_back(path), 1, LATEST))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _lines_back(path: Path) -> Iterator[bytes]:
    """Yield a file's lines, the last first; only the needed blocks of a large file are read."""
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
    """Return True if a run was ever trained to its end, or a chain's step is done; later attempts do not count."""
    attempts = list(rows_back(folder / ATTEMPTS_FILE))
    if attempts:
        return any(one.get("status") == "finished" for one in attempts)
    return (folder / "networks").is_dir() or (folder / DONE_FILE).is_file()


@contextmanager
def submitting(folder: Path) -> Iterator[None]:
    """Prevent other processes from queuing a job for the same folder meanwhile.

    Raises:
        UserError: Another `s2tf submit` is queuing a job for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / SUBMISSIONS_FILE, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{folder}: another command is submitting this run at the moment") from error
        except OSError as error:
            say(f"{folder}: {error.strerror}: this file system has no locks, simultaneous submissions are not noticed")
        yield
