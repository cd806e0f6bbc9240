"""How runs stand: what SLURM says of their jobs, and what they have written themselves."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.cluster.links import wandb_link
from s2tf.cluster.records import (
    SUBMISSIONS_FILE,
    Submission,
    is_finished,
    last_line,
    last_submission,
)
from s2tf.cluster.slurm import Job, find_jobs
from s2tf.errors import UserError
from s2tf.run_folders import CONFIG_FILE, read_config
from s2tf.survival.attempts import ATTEMPTS_FILE, read_attempts
from s2tf.survival.checkpoints import LAST_CHECKPOINT
from s2tf.survival.failures import FAILURE_FILE
from s2tf.survival.journal import JOURNAL_FILE
from s2tf.survival.lock import LOCK_FILE

DEPTH = 4
"""Folders below that of the runs in which a run's is looked for."""
MARKS = (CONFIG_FILE, SUBMISSIONS_FILE)
DEPENDENCY = ("Dependency", "DependencyNeverSatisfied")


@dataclass(frozen=True)
class RunState:
    """A row of `s2tf runs`; None where something is not known."""

    name: str
    """The folder, from that of the runs."""
    folder: str
    job: str | None
    state: str
    """`finished`, `failed`, `killed`, `interrupted`, `new`, `running`, or SLURM's word for a job that is not over."""
    step: int | None
    steps: int | None
    """Of `trainer.max_steps`."""
    loss: float | None
    checkpoint_age: float | None
    """Seconds since the last checkpoint."""
    restarts: int
    reason: str
    """Why it waits or failed."""
    wandb: str


def states_below(runs: Path) -> list[RunState]:
    """The runs and steps of chains below a folder, by name.

    Raises:
        UserError: there is no such folder, or SLURM's controller does not answer.
    """
    if not runs.is_dir():
        raise UserError(f"--runs {runs}: no such folder")
    folders = sorted(_find(runs, DEPTH))
    submissions = {folder: last_submission(folder) for folder in folders}
    known = [one for one in submissions.values() if one is not None]
    jobs = find_jobs([*(one.job for one in known), *(job for one in known for job in one.needs.values())])
    return [_state(runs, folder, submissions[folder], jobs) for folder in folders]


def _find(folder: Path, depth: int) -> Iterator[Path]:
    if any((folder / mark).is_file() for mark in MARKS):
        # An array's folder has an empty record: its tasks are noted with their runs.
        if (folder / CONFIG_FILE).is_file() or last_line(folder / SUBMISSIONS_FILE):
            yield folder
        return
    for below in folder.iterdir() if depth else ():
        if below.is_dir() and not below.is_symlink():
            yield from _find(below, depth - 1)


def _state(runs: Path, folder: Path, submission: Submission | None, jobs: Mapping[str, Job]) -> RunState:
    config = read_config(folder) if (folder / CONFIG_FILE).is_file() else {}
    attempt, row = last_line(folder / ATTEMPTS_FILE) or {}, last_line(folder / JOURNAL_FILE) or {}
    job = jobs.get(submission.job) if submission else None
    state = _word(folder, attempt, job)
    checkpoint = folder / "checkpoints" / LAST_CHECKPOINT
    steps = config.get("trainer", {}).get("max_steps")
    return RunState(
        name=str(folder.relative_to(runs)),
        folder=str(folder),
        job=submission.job if submission else None,
        state=state,
        step=max((one["step"] for one in (attempt, row) if isinstance(one.get("step"), int)), default=None),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        loss=_loss(row.get("metrics", {})),
        checkpoint_age=time.time() - checkpoint.stat().st_mtime if checkpoint.is_file() else None,
        restarts=max(0, _starts(folder) - 1),
        reason="" if state in ("finished", "RUNNING", "running") else _reason(folder, attempt, submission, jobs),
        wandb=wandb_link(config, folder, os.environ) if config else "",
    )


def _word(folder: Path, attempt: Mapping[str, Any], job: Job | None) -> str:
    if job is not None and job.active:
        return job.state
    if is_finished(folder):
        return "finished"
    if attempt.get("event") == "start" and _alive(folder, attempt):
        return "running"
    if job is not None:
        # A job that SLURM has ended well has left no end of its own: an agent's, or a step's.
        return "finished" if job.state == "COMPLETED" else job.state.lower()
    if not attempt:
        return "new"
    return str(attempt["status"]) if attempt.get("event") == "end" else "killed"


def _alive(folder: Path, attempt: Mapping[str, Any]) -> bool:
    """Whether the process of a start without an end is still there; elsewhere its lock tells."""
    if attempt.get("host") == socket.gethostname() and isinstance(attempt.get("pid"), int):
        return Path("/proc", str(attempt["pid"])).exists()
    try:
        with open(folder / LOCK_FILE) as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _reason(folder: Path, attempt: Mapping[str, Any], submission: Submission | None, jobs: Mapping[str, Job]) -> str:
    job = jobs.get(submission.job) if submission else None
    if submission is not None and job is not None and (job.reason in DEPENDENCY or job.state == "CANCELLED"):
        left = [(name, jobs[number]) for name, number in submission.needs.items() if number in jobs]
        waits = [f"{name} (job {one.id} {one.state})" for name, one in left if one.state != "COMPLETED"]
        if waits:
            return f"needs {', '.join(waits)}"
    if job is not None and (job.active or job.state == "CANCELLED"):
        # What an earlier attempt has left behind is not why.
        return job.reason
    return _failure(folder) or str(attempt.get("reason") or (job.reason if job is not None else "") or "")


def _failure(folder: Path) -> str:
    """Which rank failed, and the last line of its traceback."""
    path = folder / FAILURE_FILE
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    first = lines[0].removesuffix(" failed:") if lines else ""
    return f"{first}: {lines[-1]}" if len(lines) > 1 else first


def _loss(metrics: Mapping[str, Any]) -> float | None:
    """`train/loss` where it is, else the first loss."""
    names = ["train/loss", *(name for name in metrics if "loss" in name)]
    return next((float(metrics[name]) for name in names if isinstance(metrics.get(name), int | float)), None)


def _starts(folder: Path) -> int:
    return sum(attempt["event"] == "start" for attempt in read_attempts(folder))


def summary(states: Sequence[RunState]) -> str:
    """A line of how many there are in each state."""
    counts = {state: sum(one.state == state for one in states) for state in sorted({one.state for one in states})}
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no runs"
