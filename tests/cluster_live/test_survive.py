"""A training on two nodes that is killed at random moments ends as one that never was."""

import os
import random
import re
import subprocess
import time

import pytest
import torch
from kills import KINDS, Killer
from slurm_jobs import wait_for
from tiny_shards import tiny_shards

from s2tf.cli import main
from s2tf.config import EXPERIMENTS
from s2tf.fault_tolerance.attempts import read_attempts
from s2tf.fault_tolerance.checkpoints import find_checkpoint
from s2tf.loggers.wandb_files import find_files, history, records, wait_until_quiet

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("S2TF_KILLS", 0))
"""0: one of each kind that differs most; docs/results/speed.md has the result of 20."""
STEPS = 80 if KILLS else 30
SETTINGS = [
    f"trainer.max_steps={STEPS}",
    *("trainer.devices=2", "trainer.num_nodes=2", "trainer.strategy=ddp", "trainer.log_every_n_steps=1"),
    *("trainer.limit_val_batches=1.0", "trainer.val_check_interval=7", "trainer.num_sanity_val_steps=0"),
    "trainer.logger={class_path: s2tf.loggers.wandb_run.WandbRun, init_args: {project: s2tf, offline: true}}",
    "data.init_args.batch_size=2",
]
CLUSTER = """
memory_per_task: 1G
environment:
  MASTER_ADDR: 127.0.0.1
  GLOO_SOCKET_IFNAME: lo
  OMP_NUM_THREADS: "1"
  S2TF_SAVE_EVERY: 5steps
restart_limit: 100
"""
# Speed is never twice the same, nor is the time.
MEASURED = ("throughput/", "_runtime", "_timestamp", "_wandb")


@pytest.fixture
def shards(tmp_path):
    return tiny_shards(tmp_path / "shards", people=24)


@pytest.fixture
def submit(slurm, shards, tmp_path, monkeypatch, capsys):
    """A function that queues the training with runs in a folder, and returns its job and its run folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)

    def call(runs, *more):
        words = ["submit", "run", str(EXPERIMENTS / "demo" / "conre.yaml"), f"vars.shards={shards}", *SETTINGS, *more]
        assert main([*words, "--cluster", "cluster.yaml", "--runs", runs]) == 0
        return re.search(r"job:? +(\d+)", capsys.readouterr().out)[1]

    return call


def state_of(runs):
    (folder,) = runs.glob("*/*")
    return torch.load(find_checkpoint(folder / "checkpoints").path, weights_only=False)


def rows_of(runs):
    """The history that W&B has written, in the order in which it stands in its files."""
    for path in find_files(runs):
        wait_until_quiet(path)
    rows = [row for path in find_files(runs) for row in written(path)]
    return [{name: value for name, value in row.items() if not name.startswith(MEASURED)} for row in rows]


def written(path):
    try:
        for record in records(path):
            if record.HasField("history"):
                yield history(record)
    except Exception:
        # The end of a killed process's file is missing.
        return


def test_weights_and_history_are_those_of_a_run_that_was_never_stopped(submit, slurm, tmp_path):
    whole = Killer(slurm, lambda: submit("whole"), random.Random(0), 0)
    whole.run([], 300)
    draw = random.Random(KILLS)
    # Each kind as often as any other, in a random order.
    kinds = [kind for _ in range(-(-KILLS // len(KINDS))) for kind in draw.sample(KINDS, len(KINDS))][:KILLS]
    killer = Killer(slurm, lambda: submit("killed"), draw, 45.0 if KILLS else 20.0)
    killer.run(kinds or [KINDS[2], KINDS[4], KINDS[6]], 300 + 150 * KILLS)
    states = [state_of(tmp_path / runs) for runs in ("whole", "killed")]
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        torch.testing.assert_close(states[0][part], states[1][part], rtol=0, atol=0)
    whole_rows, rows = (rows_of(tmp_path / runs) for runs in ("whole", "killed"))
    assert [row["_step"] for row in rows] == list(range(len(whole_rows)))
    assert rows == whole_rows
    (folder,) = (tmp_path / "killed").glob("*/*")
    print("\n".join(killer.done), read_attempts(folder), sep="\n")


def test_a_preempted_training_saves_makes_room_and_goes_on(submit, tmp_path):
    job = submit("preempted", "trainer.max_steps=100")
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in tmp_path.glob("preempted/*/*/history.jsonl")):
        assert time.monotonic() < deadline, "the training has not begun"
        time.sleep(0.2)
    urgent = ["sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive", "--output=urgent.out"]
    done = subprocess.run([*urgent, "--wrap=true"], check=True, capture_output=True, text=True)
    assert wait_for(done.stdout.strip()) == "COMPLETED"
    assert wait_for(job, 200) == "COMPLETED"
    (folder,) = (tmp_path / "preempted").glob("*/*")
    ends = [(one["restart"], one["status"]) for one in read_attempts(folder) if one["event"] == "end"]
    assert ends == [(0, "interrupted"), (1, "finished")]
    assert not (folder / "deaths").exists()


def test_one_rank_s_failure_ends_the_job_with_its_traceback_first(submit, shards, tmp_path):
    for path in shards.glob("train-*.tar"):
        # Readable at first: the rank fails in the midst of the training.
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if path.name == "train-000001.tar" else data)
    job = submit("failing")
    assert wait_for(job, 120) == "FAILED"
    (folder,) = (tmp_path / "failing").glob("*/*")
    log = (folder / f"slurm-{job}.out").read_text()
    failures = [line for line in log.splitlines() if re.search(r"rank \d on .* failed:", line)]
    assert len(failures) == 1
    assert log.count("Traceback (most recent call last)") == (folder / "failure.txt").read_text().count("Traceback")
    assert "train-000001.tar" in (folder / "failure.txt").read_text()
    # It would only come again.
    assert log.count(", start ") == 1
