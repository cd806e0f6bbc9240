"""Execution of a chain's steps on this machine, several at a time."""

import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from s2tf.errors import UserError
from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.runs.chain import ATTEMPT, DONE_FILE, LOG_FILE, PARTIAL_FILE, PARTIAL_STATUS, Step

LOCK_FILE, REPORT_FILE = "lock", "fit.json"
LOG_LINES = 12
"""Number of log lines that are shown for a failed step."""
POLL = 0.2
"""Seconds between checks of the running steps."""
WITH_RESULT = ("done", "partial")
"""States of a step whose result can be read."""


def run_steps(
    steps: Sequence[Step], jobs: int, threads: int, report: Callable[[str], None] = lambda text: None
) -> dict[str, str]:
    """Run every step that is not done, each after its parents; a failed step stops only the steps that need its result.

    When this process is stopped, the running steps are stopped too.

    Args:
        steps: Steps, parents before children.
        jobs: Number of steps at the same time.
        threads: Threads for linear algebra in each step.
        report: Function that is called with a line at each beginning and end.

    Returns:
        State of each step by its name: `done`; `partial` if a part of its result is missing; `failed`; or `waiting` if
        a step whose result it needs failed.

    Raises:
        UserError: Another process runs a chain in the same folder.
    """
    race = _Race(steps, jobs, threads, report)
    with _lock(steps[0].out):
        try:
            race.begin()
            while race.running:
                time.sleep(POLL)
                race.collect()
                race.begin()
        finally:
            race.stop()
    return race.states


class _Race:
    """Processes of the running steps, and the states of all steps."""

    def __init__(self, steps: Sequence[Step], jobs: int, threads: int, report: Callable[[str], None]) -> None:
        self.steps, self.jobs, self.threads, self.report = steps, jobs, threads, report
        self.states = dict.fromkeys((step.name for step in steps), "waiting")
        self.running: dict[str, tuple[Step, subprocess.Popen[bytes]]] = {}

    def begin(self) -> None:
        """Start the steps that are ready, up to the number of jobs."""
        for step in self.steps:
            if self.states[step.name] != "waiting" or not self._ready(step):
                continue
            if step.done:
                self.states[step.name] = "done"
            elif len(self.running) < self.jobs:
                self.states[step.name] = "running"
                self.report(f"{step.name}: begins ({self._progress()})")
                self.running[step.name] = step, _start(step, self.threads)

    def _ready(self, step: Step) -> bool:
        """Return True if the steps whose results are needed have one, and all others that it waits for have ended."""
        results = all(self.states[before.name] in WITH_RESULT for before in step.required)
        return results and all(self._ended(before) for before in step.ended)

    def _ended(self, step: Step) -> bool:
        """Return True if a step has ended, or can never begin since a step whose result it needs has failed."""
        state = self.states[step.name]
        if state != "waiting":
            return state != "running"
        lost = [one for one in step.required if self.states[one.name] not in WITH_RESULT]
        return any(self.states[one.name] != "running" and self._ended(one) for one in lost)

    def collect(self) -> None:
        """Record the steps that have ended."""
        for name, (step, process) in list(self.running.items()):
            status = process.poll()
            if status is None:
                continue
            del self.running[name]
            try:
                self.states[name] = text = _finish(step, status)
            except (UserError, OSError, ValueError, KeyError) as error:
                self.states[name], text = "failed", str(error)
            if text == "partial":
                text += f", a part of its result is missing, see {step.folder / LOG_FILE}"
            self.report(f"{name}: {text} ({self._progress()})")

    def stop(self) -> None:
        """Stop the steps that still run."""
        for _, process in self.running.values():
            process.terminate()
        for _, process in self.running.values():
            process.wait()

    def _progress(self) -> str:
        counts = {state: sum(one == state for one in self.states.values()) for state in ("done", "partial", "failed")}
        others = "".join(f", {counts[state]} {state}" for state in ("partial", "failed") if counts[state])
        return f"{counts['done']} of {len(self.states)} done{others}"


def _start(step: Step, threads: int) -> "subprocess.Popen[bytes]":
    """Start a step's command in a process of its own, which writes into `log.txt`."""
    step.folder.mkdir(parents=True, exist_ok=True)
    step.forget_replaced()
    (step.folder / PARTIAL_FILE).unlink(missing_ok=True)
    report = ["--json", str(step.folder / REPORT_FILE)] if step.template[0] == "fit" else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "s2tf.cli", *step.arguments, *report]
    with open(step.folder / LOG_FILE, "a") as log:
        print(f"{ATTEMPT}{shlex.join(step.arguments)}", file=log, flush=True)
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def _finish(step: Step, status: int) -> str:
    """Record the end of a step that has a result; returns `done` or `partial`.

    Raises:
        UserError: The step has failed; the message ends with the last lines of the log.
    """
    if status not in (0, PARTIAL_STATUS):
        last = "\n".join((step.folder / LOG_FILE).read_text().splitlines()[-LOG_LINES:])
        raise UserError(f"failed with status {status}: {step.folder / LOG_FILE}\n{last}")
    is_fit = step.template[0] == "fit"
    result = json.loads((step.folder / REPORT_FILE).read_text())["run"] if is_fit else str(step.folder)
    whole = status == 0 and all(before.done for before in step.needs)
    atomic_write(step.folder / (DONE_FILE if whole else PARTIAL_FILE), step.record(result))
    return "done" if whole else "partial"


@contextmanager
def _lock(out: Path) -> Iterator[None]:
    """Prevent other processes from running a chain in the folder meanwhile."""
    out.mkdir(parents=True, exist_ok=True)
    file: IO[str]
    with open(out / LOCK_FILE, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{out}: another chain is running in this folder") from error
        yield
