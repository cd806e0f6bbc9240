"""Waiting for jobs of the test cluster, and programs that stand in for others in them."""

import os
import time

from s2tf.cluster.slurm import find_jobs


def wait_for(job: str, seconds: float = 90.0) -> str:
    """The state that a job, or an array, has ended in."""
    deadline = time.monotonic() + seconds
    while True:
        found = find_jobs([job]).get(job)
        if found is not None and not found.active:
            return found.state
        assert time.monotonic() < deadline, f"job {job} has not ended within {seconds:.0f} s: {found}"
        time.sleep(0.5)


def stand_in(folder, name: str, script: str, monkeypatch) -> None:
    """Put a shell script before all other programs of its name, in this process and in the jobs that it queues."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
