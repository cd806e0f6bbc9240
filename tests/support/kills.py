"""Kills a SLURM job at random moments until it has ended, and starts again what was killed, as a user would.

Ranks, a node and the whole job; USR1, TERM and KILL. Used by `tests/cluster_live`, and by hand with more kills.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CLUSTER = Path(__file__).parents[1] / "cluster_live" / "cluster.sh"
KINDS = (
    *(("rank", number) for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL)),
    *(("job", number) for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL)),
    ("node", signal.SIGKILL),
)
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
NODE = "n2"


@dataclass
class Killer:
    """Kills one job.

    `cluster` is the folder of `cluster.sh start`, `submit` a function that queues the job (again) and returns its id.
    """

    cluster: Path
    submit: Callable[[], str]
    random: random.Random
    longest: float
    """Seconds from a start to the latest moment of a kill."""
    done: list[str] = field(default_factory=list)

    def run(self, kinds: Sequence[tuple[str, signal.Signals]], timeout: float) -> None:
        """Kill in these ways, one after the other, then let it end.

        Raises:
            TimeoutError: it has not ended in `timeout` seconds.
        """
        until = time.monotonic() + timeout
        pending, job, state = list(kinds), self.submit(), ""
        while time.monotonic() < until:
            state = self.state(job)
            if state == "COMPLETED":
                return
            if state in ENDED:
                # All else is queued again by itself.
                log = Path(self._fact(job, "StdOut")).read_text(errors="replace")[-8000:]
                assert self.done[-1].startswith("job SIGKILL"), f"{state} after {self.done[-1]}:\n{log}"
                job = self.submit()
            elif state == "RUNNING" and pending and self.begun(job):
                self.kill(job, *pending.pop(0))
            time.sleep(0.5)
        raise TimeoutError(f"job {job} is {state} after {timeout} s: {self.done}")

    def begun(self, job: str) -> bool:
        """Wait for a random moment of this start; whether it runs still."""
        moment = self.random.uniform(0, self.longest)
        for _ in range(int(moment / 0.5)):
            if self.state(job) != "RUNNING":
                return False
            time.sleep(0.5)
        return self.state(job) == "RUNNING"

    def kill(self, job: str, what: str, number: signal.Signals) -> None:
        """Send the signal, and wait until the job has noticed."""
        starts = self.restarts(job)
        self.done.append(f"{what} {number.name} of job {job}, start {starts + 1}")
        print(f"{time.strftime('%X')} {self.done[-1]}", flush=True)
        if what == "rank":
            ranks = self.ranks(job)
            if ranks:
                self._signal(self.random.choice(ranks), number)
        elif what == "job":
            full = ["--full"] if number == signal.SIGKILL else []
            self._slurm("scancel", *full, f"--signal={number.name.removeprefix('SIG')}", job)
        else:
            self._kill_node(job)
        self._wait_for_end_of(job, starts)

    def ranks(self, job: str) -> list[int]:
        """The processes of the ranks."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            variables = _environment(path)
            # The batch shell has no step.
            if variables.get("SLURM_JOB_ID") == job and "SLURM_STEP_ID" in variables and _is_rank(path):
                found.append(int(path.name))
        return found

    def state(self, job: str) -> str:
        """State of the job, in SLURM's words."""
        return self._fact(job, "JobState")

    def restarts(self, job: str) -> int:
        """Number of times that SLURM has queued it again."""
        return int(self._fact(job, "Restarts") or 0)

    def _kill_node(self, job: str) -> None:
        """All of a node, as where its power fails, and the node back."""
        daemon = int((self.cluster / f"slurmd.{NODE}.pid").read_text())
        for path in Path("/proc").glob("[0-9]*"):
            variables = _environment(path)
            # Other clusters may be on this machine.
            ours = variables.get("SLURM_CONF") == str(self.cluster / "slurm.conf")
            if ours and (variables.get("SLURMD_NODENAME") == NODE or _is_step_of(path, NODE)):
                self._signal(int(path.name), signal.SIGKILL)
        self._signal(daemon, signal.SIGKILL)
        # Until SLURM has noticed.
        time.sleep(1)
        subprocess.run(["bash", str(CLUSTER), "node", str(self.cluster), NODE], check=True, env=self._environment)

    def _wait_for_end_of(self, job: str, starts: int) -> None:
        for _ in range(240):
            if self.state(job) != "RUNNING" or self.restarts(job) > starts:
                return
            time.sleep(0.5)

    def _fact(self, job: str, name: str) -> str:
        out = self._slurm("scontrol", "--oneliner", "show", "job", job)
        facts = dict(word.split("=", 1) for word in out.split() if "=" in word)
        return facts.get(name, "")

    def _slurm(self, *command: str) -> str:
        return subprocess.run(
            command, check=False, env=self._environment, capture_output=True, text=True, timeout=60
        ).stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.cluster / "slurm.conf")}

    def _signal(self, process: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _environment(process: Path) -> dict[str, str]:
    try:
        text = (process / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(word.split("=", 1) for word in text.split("\0") if "=" in word)


def _is_rank(process: Path) -> bool:
    """Tell whether a process of a step trains: its parent is a shell, which that of a loader's worker is not."""
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        parent_name = (Path("/proc") / parent / "comm").read_text().strip()
        return parent_name == "bash" and (process / "comm").read_text().strip() != "bash"
    except OSError:
        return False


def _is_step_of(process: Path, node: str) -> bool:
    """Tell whether a process is SLURM's own for a step on a node."""
    try:
        return "slurmstepd" in (process / "comm").read_text() and f"slurmd.{node}" in (process / "maps").read_text()
    except OSError:
        return False
