"""What run folders keep about their jobs: what was submitted, each attempt, and the numbers on the way.

`submissions.jsonl` has a line for each job that was queued for a folder, by `s2tf submit`; `attempts.jsonl` one for
each start and end of a training and `history.jsonl` one for each row of numbers, by `s2tf fit`.
"""

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.survival.attempts import read_attempts
from s2tf.survival.messages import say

SUBMISSIONS_FILE, DONE_FILE = "submissions.jsonl", "done.json"
TAIL = 65536
"""Bytes that the last line of a file is looked for in."""


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
    time: float = field(default_factory=time.time)


def note(folder: Path, submission: Submission) -> None:
    """Add a submission to a folder's record."""
    with open(folder / SUBMISSIONS_FILE, "a") as file:
        file.write(json.dumps(asdict(submission)) + "\n")


def last_submission(folder: Path) -> Submission | None:
    """The job that was queued last for a folder."""
    tree = last_line(folder / SUBMISSIONS_FILE)
    return None if tree is None else Submission(**tree)


def last_line(path: Path) -> dict[str, Any] | None:
    """The last whole line of a file of JSON; None where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            return dict(json.loads(line))
        except ValueError:
            # Being written, or cut by a full disk.
            continue
    return None


def is_finished(folder: Path) -> bool:
    """Whether a run was trained to its end once, whatever became of an attempt afterwards; or a chain's step done."""
    attempts = read_attempts(folder)
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
