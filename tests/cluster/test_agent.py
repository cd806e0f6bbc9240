"""An agent's script without a SLURM: what its trial's run is told, and which trials of other jobs it takes up.

`squeue`, `srun`, `scontrol` and `wandb` are scripts; W&B's draws a new number each time. `s2tf` is the training.
"""

import json
import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from slurm_jobs import stand_in

from s2tf.cluster.records import Submission, last_submission
from s2tf.cluster.resources import Resources
from s2tf.cluster.run_status import states_below
from s2tf.cluster.script import render, values_of
from s2tf.cluster.settings import SLURM, Cluster

TRAIN = 'run=$PWD/runs/scfp/$WANDB_RUN_ID\nmkdir -p "$run"\necho "$run" >"$S2TF_RUN_FILE"\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A sweep's folder, and the programs of its jobs."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "runs" / "sweeps" / "it's one"
    path.mkdir(parents=True)
    (path / "trial.sh").write_text((SLURM / "trial.sh").read_text())
    trial = shlex.quote(str(path / "trial.sh"))
    (tmp_path / "queue").touch()
    (tmp_path / "drawn").touch()
    draw = (
        f'echo "$SLURM_ARRAY_JOB_ID" >>drawn\nexport WANDB_RUN_ID=draw$SLURM_ARRAY_JOB_ID\nexec bash {trial} s2tf fit\n'
    )
    programs = {
        "squeue": "cat queue\n",
        "srun": 'while [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n',
        "scontrol": 'echo "$*" >>requeued\n',
        "wandb": draw,
        "s2tf": TRAIN,
    }
    for name, script in programs.items():
        stand_in(tmp_path / "bin", name, script, monkeypatch)
    values = values_of(Cluster(name="local"), Resources(), "sweep", path, [], [])
    submission = json.dumps(vars(Submission("JOB", "local", "s2tf sweep it's 'a JOB'", "sweep")))
    values |= {"array": "1-1", "sweep": "us/faces/here", "submission": shlex.quote(submission)}
    (path / "agent.sbatch").write_text(render("agent.sbatch", values))
    return path


def training(folder, script):
    path = folder.parents[2] / "bin" / "s2tf"
    path.write_text(f"#!/usr/bin/env bash\n{TRAIN}{script}")


def start(folder, job, cluster="here"):
    """Begin the job `job`_1, in a process group of its own."""
    told = {"SLURM_ARRAY_JOB_ID": str(job), "SLURM_ARRAY_TASK_ID": "1", "SLURM_CLUSTER_NAME": cluster}
    return subprocess.Popen(
        ["bash", str(folder / "agent.sbatch")],
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def work(folder, job, cluster="here"):
    """Status and output of a job."""
    return end(start(folder, job, cluster))


def end(process):
    """Status and output of a job that has begun."""
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.communicate()
    return process.returncode, said


def lose(folder, job, cluster="here"):
    """A job that is killed, shell and all, while it trains."""
    training(folder, "touch training\nsleep 60\n")
    here = folder.parents[2]
    (here / "training").unlink(missing_ok=True)
    process = start(folder, job, cluster)
    until((here / "training").exists)
    os.killpg(process.pid, 9)
    end(process)
    training(folder, "")


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def drawn(folder):
    return (folder.parents[2] / "drawn").read_text().split()


def test_a_trial_s_run_learns_its_job_and_its_log_while_it_trains(folder, tmp_path):
    training(folder, "until [ -e go ]; do sleep 0.1; done\nexit 75\n")
    run = tmp_path / "runs" / "scfp" / "draw7"
    process = start(folder, 7)
    until((run / "slurm-7_1.out").is_symlink)
    noted = last_submission(run)
    assert (noted.job, noted.cluster, noted.command) == ("7_1", "local", "s2tf sweep it's 'a JOB'")
    assert os.readlink(run / "slurm-7_1.out") == str(folder / "slurm-7_1.out")
    (tmp_path / "go").touch()
    status, said = end(process)
    assert status == 75, said
    assert (tmp_path / "requeued").read_text() == "requeue 7_1\n"
    # Queued again, it is the same job.
    training(folder, "")
    assert work(folder, 7)[0] == 0
    assert drawn(folder) == ["7"]
    assert len((run / "submissions.jsonl").read_text().splitlines()) == 1
    rows = {row.name: row.job for row in states_below(tmp_path / "runs")}
    assert rows == {"scfp/draw7": "7_1"}


def test_the_trial_of_a_job_that_is_gone_goes_before_a_new_one(folder, tmp_path):
    lose(folder, 7)
    status, said = work(folder, 8)
    assert (status, drawn(folder)) == (0, ["7"])
    assert "going on with the trial of job 7_1, which has left the queue\n" in said
    assert "Terminated" not in said
    assert last_submission(tmp_path / "runs" / "scfp" / "draw7").job == "8_1"
    assert {path.name for path in folder.glob("trial-*")} == {
        f"trial-8_1{end}" for end in ("", ".run", ".status", ".over")
    }
    # It is finished: the next draws.
    assert work(folder, 9)[0] == 0
    assert drawn(folder) == ["7", "9"]


@pytest.mark.parametrize("why", ["in the queue", "of another cluster", "nobody knows"])
def test_the_trial_of_a_job_that_may_go_on_is_left_to_it(folder, tmp_path, why):
    lose(folder, 7, "there" if why == "of another cluster" else "here")
    (tmp_path / "queue").write_text("7_10\n7_1\n" if why == "in the queue" else "7_10\n17_1\n")
    if why == "nobody knows":
        (tmp_path / "bin" / "squeue").write_text("#!/bin/sh\nexit 1\n")
    assert work(folder, 8)[0] == 0
    assert drawn(folder) == ["7", "8"]
    assert (folder / "trial-7_1").is_file()


def test_a_trial_that_has_failed_is_not_tried_again(folder):
    training(folder, "exit 3\n")
    assert work(folder, 7)[0] == 3
    # Dies each time, without a checkpoint, until it is given up.
    training(folder, "kill -9 $$\n")
    for _ in range(Cluster().restart_limit + 1):
        status, said = work(folder, 8)
        assert status == 137
    assert "died 4 times without a new checkpoint" in said
    training(folder, "")
    assert work(folder, 9)[0] == 0
    assert drawn(folder) == ["7", "8", "9"]


def test_two_jobs_do_not_take_up_the_same_trial(folder, tmp_path):
    lost = [10, 11, 12]
    (tmp_path / "queue").write_text("10_1\n11_1\n12_1\n")
    for job in lost:
        lose(folder, job)
    training(folder, 'echo "$WANDB_RUN_ID" >>trained\n')
    # All of them look at the queue at the same time.
    squeue = 'touch "asked-$SLURM_ARRAY_JOB_ID"\nuntil [ "$(ls | grep -c asked-)" -ge 5 ]; do sleep 0.02; done\n'
    (tmp_path / "bin" / "squeue").write_text(f"#!/usr/bin/env bash\n{squeue}")
    jobs = [20, 21, 22, 23, 24]
    processes = [start(folder, job) for job in jobs]
    for status, said in [end(process) for process in processes]:
        assert status == 0, said
    trained = (tmp_path / "trained").read_text().split()
    assert len(set(trained)) == len(trained) == len(jobs)
    assert {f"draw{job}" for job in lost} < set(trained)
    assert len(drawn(folder)) == len(lost) + 2
    assert {Path(path).name for path in folder.glob("trial-*[0-9]")} == {f"trial-{job}_1" for job in jobs}
