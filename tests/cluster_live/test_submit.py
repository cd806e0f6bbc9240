"""`s2tf submit run` on a real SLURM: a training on two nodes runs to its end, is queued once, and is found again."""

import json
import os
import re

import pytest
import yaml
from slurm_jobs import stand_in, wait_for
from tiny_shards import tiny_shards

from s2tf.cli import main
from s2tf.config import EXPERIMENTS

pytestmark = pytest.mark.slow
CONRE = [str(EXPERIMENTS / "conre.yaml"), f"+{EXPERIMENTS / 'debug' / 'conre.yaml'}"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", people=24, seconds=2.0)


@pytest.fixture
def submit(slurm, shards, tmp_path, monkeypatch, capsys):
    """Submits the experiment with some more words; what was printed."""
    monkeypatch.chdir(tmp_path)

    def call(*words, status=0):
        assert main(["submit", "run", *CONRE, f"vars.shards={shards}", "--cluster", "local", *words]) == status
        return capsys.readouterr()

    return call


def job_of(said):
    return re.search(r"^job: +(\d+)", said.out, re.M)[1]


def rows(tmp_path):
    assert main(["runs", "--runs", str(tmp_path / "runs"), "--json", str(tmp_path / "runs.json")]) == 0
    return json.loads((tmp_path / "runs.json").read_text())


def test_two_nodes_train_a_run_which_is_queued_once_and_found_again(submit, tmp_path, capsys):
    two_by_two = ["trainer.devices=2", "trainer.num_nodes=2", "trainer.strategy=ddp"]
    job = job_of(submit(*two_by_two))
    assert re.search(f"job {job} is (PENDING|CONFIGURING|RUNNING) for .*: nothing is queued", submit(*two_by_two).out)
    (row,) = rows(tmp_path)
    assert row["job"] == job
    assert row["state"] in ("PENDING", "CONFIGURING", "RUNNING")
    assert wait_for(job, 150) == "COMPLETED"
    folder = next((tmp_path / "runs" / "conre").iterdir())
    log = (folder / f"slurm-{job}.out").read_text()
    assert "Starting with 4 processes" in log
    assert (folder / "networks" / "speech_encoder").is_dir()
    kept = {"git.json", "wandb_id", "train.sbatch", "train.yaml", "config.yaml"}
    assert kept <= {path.name for path in folder.iterdir()}
    (row,) = rows(tmp_path)
    assert (row["state"], row["steps"], row["reason"]) == ("finished", 2, "")
    assert row["checkpoint_age"] < 300
    assert "finished" in submit(*two_by_two).out


def test_an_array_trains_a_run_for_each_seed_and_again_only_what_is_left(submit, tmp_path):
    said = submit("--array", "seeds=0-1")
    assert "tasks 0-1" in said.out
    assert wait_for(job_of(said), 150) == "COMPLETED"
    folders = [next((tmp_path / "runs" / "conre").glob(f"*/slurm-*_{task}.out")).parent for task in (0, 1)]
    assert [(folder / "networks").is_dir() for folder in folders] == [True, True]
    assert "seed_everything: 1" in (folders[1] / "config.yaml").read_text()
    again = submit("--array", "seeds=0-2", "--dry-run")
    assert "#SBATCH --array=2\n" in again.out
    assert "seed_everything=2" in again.out


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Makes `s2tf fit` in a job do what a script says; the process that asks is the true one."""
    return lambda script: stand_in(tmp_path / "bin", "s2tf", script, monkeypatch)


def test_a_run_that_wants_to_go_on_is_queued_again_until_it_is_finished(submit, training, tmp_path):
    training('echo "start $SLURM_RESTART_COUNT"\n[ "${SLURM_RESTART_COUNT:-0}" -ge 1 ] || exit 75\n')
    job = job_of(submit())
    assert wait_for(job) == "COMPLETED"
    assert next(tmp_path.glob(f"runs/*/*/slurm-{job}.out")).read_text().count("\nstart ") == 2


def test_a_rank_that_srun_ends_because_another_has_stopped_is_no_death(submit, training, tmp_path):
    """srun gives 143 then, whatever the first rank's status was."""
    training(
        'if [ "${SLURM_RESTART_COUNT:-0}" -ge 1 ]; then exit 0; fi\n'
        'if [ "$SLURM_PROCID" != 0 ]; then sleep 60; fi\nexit 75\n'
    )
    job = job_of(submit("trainer.devices=2", "trainer.strategy=ddp"))
    assert wait_for(job) == "COMPLETED"
    assert not list(tmp_path.glob("runs/*/*/deaths"))


def test_a_failed_run_stays_failed_and_its_reason_is_shown(submit, training, tmp_path):
    training(
        'if [ "$SLURM_PROCID" = 0 ]; then sleep 60; fi\n'
        'printf "rank 1 on n1 failed:\nTraceback\nValueError: nonsense\n" >"$(dirname "$2")/failure.txt"\nexit 1\n'
    )
    job = job_of(submit("trainer.devices=2", "trainer.strategy=ddp"))
    assert wait_for(job) == "FAILED"
    (row,) = rows(tmp_path)
    assert (row["state"], row["reason"], row["restarts"]) == ("failed", "rank 1 on n1: ValueError: nonsense", 0)


def test_a_run_is_told_some_time_before_its_time_is_over(submit, training, tmp_path):
    """The signal goes to the ranks, not to the shell, and what they do then is heard."""
    settings = tmp_path / "mine.yaml"
    settings.write_text('time: "0:01:00"\nsignal_seconds: 55\n')
    training(
        'if [ "${SLURM_RESTART_COUNT:-0}" -ge 1 ]; then exit 0; fi\n'
        'trap "echo was told; exit 75" USR1\nfor _ in $(seq 600); do sleep 0.1 || true; done\n'
    )
    job = job_of(submit("--cluster", str(settings)))
    assert wait_for(job) == "COMPLETED"
    assert "was told" in next(tmp_path.glob(f"runs/*/*/slurm-{job}.out")).read_text()


def test_a_run_that_dies_again_and_again_is_given_up(submit, training, tmp_path):
    settings = tmp_path / "mine.yaml"
    settings.write_text("restart_limit: 1\n")
    training("kill -KILL $$\n")
    job = job_of(submit("--cluster", str(settings)))
    assert wait_for(job) == "FAILED"
    log = next(tmp_path.glob(f"runs/*/*/slurm-{job}.out")).read_text()
    assert log.count(", start ") == 2
    assert "died 2 times without a new checkpoint (restart_limit: 1)" in log


def test_a_job_may_queue_another_and_is_not_taken_for_it(submit, training, monkeypatch):
    """As within a job of `--mem-per-cpu=500`: srun refuses two measures of memory."""
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "500")
    training("exit 0\n")
    assert wait_for(job_of(submit())) == "COMPLETED"


def test_ranks_get_what_setup_has_exported_where_sbatch_hands_nothing_on(submit, training, tmp_path):
    training('[ -n "$MINE" ]\n')
    setup = [f'export PATH="{os.environ["PATH"]}"', "export MINE=1"]
    settings = tmp_path / "mine.yaml"
    settings.write_text(yaml.safe_dump({"sbatch": ["--export=NONE"], "setup": setup}))
    assert wait_for(job_of(submit("--cluster", str(settings)))) == "COMPLETED"
