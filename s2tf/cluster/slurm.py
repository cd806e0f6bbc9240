"""Client of SLURM: queues scripts and asks for the states of jobs."""

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
"""Seconds to wait for an answer of SLURM's controller."""
ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
}
OF_A_JOB = re.compile(r"SLURM_(?!CONF$|CONF_SERVER$|CLUSTERS$|JWT$)|SRUN_|SLURMD_|SBATCH_(CPU|MEM)_BIND")
"""Variables that describe the current job and do not configure the SLURM client. The user sets other `SBATCH_*`
variables, for all jobs."""


UNREACHABLE = ("Could not establish a configuration source", "Unable to contact slurm controller")
"""Parts of SLURM's message where the programs are installed, but no cluster answers."""


class UnreachableError(UserError):
    """Message of a client that reaches no controller."""


@dataclass(frozen=True)
class Job:
    """A job, or a task of an array, as SLURM describes it."""

    id: str
    """Id such as `12`, or `12_3` for a task of an array."""
    state: str
    """State in SLURM's words, such as PENDING."""
    reason: str = ""
    """Reason why it waits or has ended, in SLURM's words."""

    @property
    def active(self) -> bool:
        """True while the job waits or runs."""
        return self.state not in ENDED


def installed() -> bool:
    """Return True if SLURM is installed on this machine."""
    return shutil.which("sbatch") is not None


def try_submit(script: str) -> str:
    """Ask SLURM if it would accept a script; queues nothing.

    Returns:
        SLURM's own message, which says when the job would run.

    Raises:
        UserError: SLURM would not accept it; the message is SLURM's.
    """
    # Without the jobs that this job waits for: they do not matter here, and may not exist yet.
    lines = [line for line in script.splitlines() if not line.startswith("#SBATCH --dependency=")]
    answer = _run(["sbatch", "--test-only"], "\n".join(lines) + "\n").stderr.strip()
    return answer.splitlines()[-1].removeprefix("sbatch: ") if answer else ""


def submit(script: Path) -> str:
    """Queue a script; returns the job's id."""
    return _run(["sbatch", "--parsable", str(script)]).stdout.strip().partition(";")[0]


def find_jobs(ids: Iterable[str]) -> dict[str, Job]:
    """Ask SLURM about jobs; returns the jobs that it still knows, by id.

    Jobs that have left the queue are read from SLURM's accounting, if the cluster has it. An array gets the state of a
    task that is not over, else of a task that has failed, else of any task.

    Raises:
        UserError: The controller does not answer.
    """
    wanted = set(ids)
    if not wanted or shutil.which("squeue") is None:
        return {}
    # Asks for all jobs of the user, since a single unknown id would be an error.
    rows = _run(["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T|%r"]).stdout
    jobs = _by_id(rows, wanted)
    left = sorted(wanted - set(jobs))
    return {**_past(left), **jobs} if left else jobs


def _by_id(rows: str, wanted: set[str]) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for line in rows.splitlines():
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
    """Read jobs from SLURM's accounting; empty on a cluster without one."""
    if shutil.which("sacct") is None:
        return {}
    command = ["sacct", "-X", "--noheader", "--parsable2", "--format=JobID,State,Reason", f"--jobs={','.join(ids)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return _by_id(done.stdout, set(ids)) if done.returncode == 0 else {}


def handed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Select the environment variables that a new job inherits from sbatch.

    Variables of the job in which this process runs are left out, since srun would apply them to the new job. The
    address of W&B's service process is left out too, since that process will have ended.
    """
    return {name: value for name, value in environment.items() if name != "WANDB_SERVICE" and not OF_A_JOB.match(name)}


def _run(command: list[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": TIMEOUT, "check": True}
    try:
        return subprocess.run(command, input=text, env=handed_on(os.environ), **options)
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not installed: run this on a machine that submits to SLURM") from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"{command[0]}: SLURM's controller has not answered within {TIMEOUT} s") from error
    except subprocess.CalledProcessError as error:
        message = (error.stderr or error.stdout).strip() or f"status {error.returncode}"
        if any(part in message for part in UNREACHABLE):
            where = "set SLURM_CONF, or run this on a machine that submits to SLURM"
            raise UnreachableError(f"{command[0]} reaches no cluster: {where} ({message.splitlines()[-1]})") from error
        raise UserError(f"{command[0]}: {message}") from error
