"""Status of runs, from the states of their jobs in SLURM and from the files that the runs have written."""

import fcntl
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.cluster.links import begun_link, wandb_link
from s2tf.cluster.records import (
    PARTIAL_FILE,
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
from s2tf.fault_tolerance.attempts import ATTEMPTS_FILE, read_attempts
from s2tf.fault_tolerance.checkpoints import LAST_CHECKPOINT
from s2tf.fault_tolerance.failures import FAILURE_FILE
from s2tf.fault_tolerance.journal import JOURNAL_FILE
from s2tf.fault_tolerance.lock import LOCK_FILE
from s2tf.runs.folder import CONFIG_FILE, find_config, read_config

DEPTH = 4
"""Greatest depth below the folder of runs at which run folders are searched."""
MARKS = (CONFIG_FILE, SUBMISSIONS_FILE)
LOSS = "train/loss"
DEPENDENCY = ("Dependency", "DependencyNeverSatisfied")


@dataclass(frozen=True)
class RunState:
    """A row of `s2tf runs`; None stands for an unknown value."""

    name: str
    """Path of the run folder, relative to the folder of runs."""
    folder: str
    job: str | None
    state: str
    """`finished`, `partial` (a chain's step whose result lacks a part), `failed`, `killed`, `interrupted`, `new`,
    `running`, or SLURM's state of a job that is not over."""
    step: int | None
    """Optimizer steps that were logged or saved."""
    steps: int | None
    """Optimizer steps in all, `trainer.max_steps`."""
    loss: float | None
    """Last logged training loss."""
    checkpoint_age: float | None
    """Seconds since the last checkpoint."""
    restarts: int
    endings: tuple[str, ...]
    """Ends of its attempts in order: `finished`, `interrupted`, `failed`, or `killed`."""
    reason: str
    """Reason why it waits or failed, and its files that cannot be read."""
    wandb: str
    """Address of its page, or the reason why it has none."""


def states_below(runs: Path) -> list[RunState]:
    """Collect the states of the runs, and of the steps of chains, below a folder, sorted by name.

    Raises:
        UserError: The folder does not exist, or SLURM's controller does not answer.
    """
    if not runs.is_dir():
        raise UserError(f"--runs {runs}: the folder does not exist")
    folders = sorted(_find(runs, DEPTH))
    submissions = {folder: last_submission(folder) for folder in folders}
    known = [one for one in submissions.values() if one is not None]
    jobs = find_jobs([*(one.job for one in known), *(job for one in known for job in one.needs.values())])
    return [_state(runs, folder, submissions[folder], jobs) for folder in folders]


def _find(folder: Path, depth: int) -> Iterator[Path]:
    if any((folder / mark).is_file() for mark in MARKS):
        # An array's folder has an empty record: its tasks are recorded in the folders of their runs.
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
    endings = _endings(folder, state in ("running", "RUNNING"))
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
        endings=endings,
        reason="; ".join(filter(None, reasons)),
        wandb=_wandb(config, folder, submission),
    )


def _config(folder: Path) -> tuple[dict[str, Any], str]:
    """Read a run's config and a problem with it; both are empty for a chain's step that is no training."""
    path = find_config(folder)
    if path is None:
        return {}, ""
    with suppress(ValueError):
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
    if (folder / PARTIAL_FILE).is_file():
        return "partial"
    if job is not None:
        # The job of an agent or of a chain's step records no end itself.
        return "finished" if job.state == "COMPLETED" else job.state.lower()
    if not attempt:
        return "new"
    return str(attempt.get("status")) if attempt.get("event") == "end" else "killed"


def _alive(folder: Path, attempt: Mapping[str, Any]) -> bool:
    """Return True if the process of an attempt without an end still runs; on another host, its lock shows this."""
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
    # The job waits for others, or was cancelled because another failed.
    if submission is not None and job is not None and (job.reason in DEPENDENCY or job.state == "CANCELLED"):
        left = [(name, jobs[number]) for name, number in submission.needs.items() if number in jobs]
        waits = [f"{name} (job {one.id} {one.state})" for name, one in left if one.state != "COMPLETED"]
        if waits:
            return f"needs {', '.join(waits)}"
    if job is not None and (job.active or job.state == "CANCELLED"):
        # The reasons of an earlier attempt do not count.
        return job.reason
    return _failure(folder) or str(attempt.get("reason") or (job.reason if job is not None else "") or "")


def _failure(folder: Path) -> str:
    """Return the rank that failed and the last line of its traceback."""
    path = folder / FAILURE_FILE
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    first = lines[0].removesuffix(" failed:") if lines else ""
    return f"{first}: {lines[-1]}" if len(lines) > 1 else first


def _step(folder: Path) -> int | None:
    """Read the number of finished steps from the journal's last row, which counts from 0, or from the last end."""
    logged = (row["step"] + 1 for row in rows_back(folder / JOURNAL_FILE) if isinstance(row.get("step"), int))
    saved = (one["step"] for one in rows_back(folder / ATTEMPTS_FILE) if isinstance(one.get("step"), int))
    return max((step for steps in (logged, saved) if (step := next(steps, None)) is not None), default=None)


def _loss(folder: Path) -> float | None:
    """Read the loss from the last row with a loss: rows of validations, samples and speed have none."""
    metrics = (row.get("metrics") for row in rows_back(folder / JOURNAL_FILE))
    losses = (one.get(LOSS) for one in metrics if isinstance(one, dict))
    return next((float(loss) for loss in losses if isinstance(loss, int | float)), None)


def _starts(folder: Path) -> int:
    return sum(attempt.get("event") == "start" for attempt in rows_back(folder / ATTEMPTS_FILE))


def _endings(folder: Path, running: bool) -> tuple[str, ...]:
    """List how the attempts ended; an attempt without an end was killed, unless it is still running."""
    endings: list[str] = []
    for attempt in read_attempts(folder):
        if attempt.get("event") == "start":
            endings.append("killed")
        elif attempt.get("event") == "end" and endings:
            endings[-1] = str(attempt.get("status"))
    without = bool(endings) and endings[-1] == "killed" and running
    return tuple(endings[:-1] if without else endings)


def summary(words: Iterable[str]) -> str:
    """Count equal words: `2 finished, 1 killed`."""
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))
