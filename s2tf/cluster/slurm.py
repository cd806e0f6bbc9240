"""What is asked of SLURM: to queue a script, and how jobs stand."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.errors import UserError

TIMEOUT = 60
"""Seconds that the controller may take to answer."""
ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
}
OF_A_JOB = re.compile(r"SLURM_(?!CONF$|CONF_SERVER$|CLUSTERS$|JWT$)|SRUN_|SLURMD_|SBATCH_(CPU|MEM)_BIND")
"""Variables by which a job is told about itself: all but those that say how SLURM is reached, and whom to ask. SLURM
itself sets no others of `SBATCH_*`: a user does, for all jobs."""


@dataclass(frozen=True)
class Job:
    """A job, or a task of an array, as SLURM sees it."""

    id: str
    """Such as `12`, or `12_3`."""
    state: str
    """Such as PENDING."""
    reason: str = ""
    """Why it waits or has ended, in SLURM's word."""

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state not in ENDED


def installed() -> bool:
    """Whether there is a SLURM here."""
    return shutil.which("sbatch") is not None


def try_submit(script: str) -> str:
    """Ask whether the cluster would take a script; queues nothing.

    Returns:
        When it would run, as SLURM says it.

    Raises:
        UserError: it would not; the message is SLURM's.
    """
    # What the job waits for has no part in whether its request fits, and may not be there yet.
    lines = [line for line in script.splitlines() if not line.startswith("#SBATCH --dependency=")]
    said = _run(["sbatch", "--test-only"], "\n".join(lines) + "\n").stderr.strip()
    return said.splitlines()[-1].removeprefix("sbatch: ") if said else ""


def submit(script: Path) -> str:
    """Queue a script; returns the job's id."""
    return _run(["sbatch", "--parsable", str(script)]).stdout.strip().partition(";")[0]


def find_jobs(ids: Iterable[str]) -> dict[str, Job]:
    """The jobs that SLURM still knows, by id; from its accounting, where there is one, those that have left the queue.

    An array is in the worst of its tasks' states: one that still goes on, else one that has failed.

    Raises:
        UserError: the controller does not answer.
    """
    wanted = set(ids)
    if not wanted or shutil.which("squeue") is None:
        return {}
    # By user and not by id: one unknown id would be an error.
    said = _run(["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T|%r"]).stdout
    jobs = _by_id(said, wanted)
    left = sorted(wanted - set(jobs))
    return {**_past(left), **jobs} if left else jobs


def _by_id(said: str, wanted: set[str]) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for line in said.splitlines():
        # "CANCELLED by 1000"
        number, state, reason = (*line.split("|", 2), "", "")[:3]
        job = Job(number, state.partition(" ")[0], "" if reason == "None" else reason)
        for name in wanted & {number, number.partition("_")[0]}:
            other = jobs.get(name)
            if other is None or _urgency(job) > _urgency(other):
                jobs[name] = Job(name, job.state, job.reason)
    return jobs


def _urgency(job: Job) -> int:
    return 2 if job.active else int(job.state != "COMPLETED")


def _past(ids: list[str]) -> dict[str, Job]:
    """From the accounting; a cluster without one knows nothing."""
    if shutil.which("sacct") is None:
        return {}
    command = ["sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State,Reason", f"--jobs={','.join(ids)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return _by_id(done.stdout, set(ids)) if done.returncode == 0 else {}


def handed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a new job may see: sbatch hands its own on.

    Without the size of the job that this process runs in, which srun would take for the new one's, and without the
    address of a process of W&B's that will not be there.
    """
    return {name: value for name, value in environment.items() if name != "WANDB_SERVICE" and not OF_A_JOB.match(name)}


def _run(command: list[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": TIMEOUT, "check": True}
    try:
        return subprocess.run(command, input=text, env=handed_on(os.environ), **options)
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not installed: run this on a machine that submits to SLURM") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{command[0]}: SLURM's controller has not answered within {TIMEOUT} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip() or f"status {error.returncode}"
        raise UserError(f"{command[0]}: {said}") from error
