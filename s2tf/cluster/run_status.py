"""How runs stand: what SLURM says of their jobs, and what they have written themselves."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s2tf.cluster.links import begun_link, wandb_link
from s2tf.cluster.records import (
    SUBMISSIONS_FILE,
    Submission,
    has_broken_line,
    is_finished,
    last_line,
    last_submission,
    rows_back,
)
from s2tf.cluster.slurm import Job, find_jobs
from s2tf.errors import UserError
from s2tf.fault_tolerance.attempts import ATTEMPTS_FILE
from s2tf.fault_tolerance.checkpoints import LAST_CHECKPOINT
from s2tf.fault_tolerance.failures import FAILURE_FILE
from s2tf.fault_tolerance.journal import JOURNAL_FILE
from s2tf.fault_tolerance.lock import LOCK_FILE
from s2tf.runs.folder import CONFIG_FILE, find_config, read_config

DEPTH = 4
"""Folders below that of the runs in which a run's is looked for."""
MARKS = (CONFIG_FILE, SUBMISSIONS_FILE)
LOSS = "train/loss"
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
    """Optimizer steps done, as far as they were logged or saved."""
    steps: int | None
    """Of `trainer.max_steps`."""
    loss: float | None
    """That was trained on last, of those that were logged."""
    checkpoint_age: float | None
    """Seconds since the last checkpoint."""
    restarts: int
    reason: str
    """Why it waits or failed, and which of its files cannot be read."""
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
        if (folder / CONFIG_FILE).is_file() or (folder / SUBMISSIONS_FILE).stat().st_size:
            yield folder
        return
    for below in folder.iterdir() if depth else ():
        if below.is_dir() and not below.is_symlink():
            yield from _find(below, depth - 1)


def _state(runs: Path, folder: Path, submission: Submission | None, jobs: Mapping[str, Job]) -> RunState:
    config, problem = _config(folder)
    attempt = last_line(folder / ATTEMPTS_FILE) or {}
    job = jobs.get(submission.job) if submission else None
    state = _word(folder, attempt, job)
    checkpoint = folder / "checkpoints" / LAST_CHECKPOINT
    steps = config.get("trainer", {}).get("max_steps")
    over = state in ("finished", "RUNNING", "running")
    reasons = ["" if over else _reason(folder, attempt, submission, jobs), problem, *_broken(folder)]
    return RunState(
        name=str(folder.relative_to(runs)),
        folder=str(folder),
        job=submission.job if submission else None,
        state=state,
        step=_step(folder),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        loss=_loss(folder),
        checkpoint_age=time.time() - checkpoint.stat().st_mtime if checkpoint.is_file() else None,
        restarts=max(0, _starts(folder) - 1),
        reason="; ".join(filter(None, reasons)),
        wandb=_wandb(config, folder, submission),
    )


def _config(folder: Path) -> tuple[dict[str, Any], str]:
    """A run's config, and why there is none; neither for the step of a chain that is no training."""
    path = find_config(folder)
    if path is None:
        return {}, ""
    with suppress(yaml.YAMLError, ValueError):
        config = read_config(folder)
        if isinstance(config, dict) and isinstance(config.get("trainer", {}), dict):
            return config, ""
    return {}, f"{path.name} cannot be read"


def _broken(folder: Path) -> list[str]:
    names = (SUBMISSIONS_FILE, ATTEMPTS_FILE, JOURNAL_FILE)
    return [f"{name}: a line cannot be read" for name in names if has_broken_line(folder / name)]


def _wandb(config: Mapping[str, Any], folder: Path, submission: Submission | None) -> str:
    if link := begun_link(folder) or (submission.wandb if submission else ""):
        return link
    return wandb_link(config, folder, os.environ) if config else ""


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
    return str(attempt.get("status")) if attempt.get("event") == "end" else "killed"


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


def _step(folder: Path) -> int | None:
    """Steps done by the last row of the journal, whose count begins at 0, or by the last end that noted them."""
    logged = (row["step"] + 1 for row in rows_back(folder / JOURNAL_FILE) if isinstance(row.get("step"), int))
    saved = (one["step"] for one in rows_back(folder / ATTEMPTS_FILE) if isinstance(one.get("step"), int))
    return max((step for steps in (logged, saved) if (step := next(steps, None)) is not None), default=None)


def _loss(folder: Path) -> float | None:
    """Of the last row that has one: those of validations, samples and speed have none."""
    metrics = (row.get("metrics") for row in rows_back(folder / JOURNAL_FILE))
    losses = (one.get(LOSS) for one in metrics if isinstance(one, dict))
    return next((float(loss) for loss in losses if isinstance(loss, int | float)), None)


def _starts(folder: Path) -> int:
    return sum(attempt.get("event") == "start" for attempt in rows_back(folder / ATTEMPTS_FILE))


def summary(states: Sequence[RunState]) -> str:
    """A line of how many there are in each state."""
    counts = {state: sum(one.state == state for one in states) for state in sorted({one.state for one in states})}
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no runs"
