"""Refusals of `s2tf submit run` before anything is queued, and the page in W&B; tests/cluster_live has the rest."""

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from slurm_jobs import stand_in
from slurm_stubs import stub_slurm
from tiny_shards import tiny_shards

from s2tf.cli import main
from s2tf.cluster import queue_runs
from s2tf.cluster.links import wandb_link
from s2tf.cluster.queue_runs import ranges
from s2tf.cluster.records import Submission
from s2tf.cluster.run_status import states_below
from s2tf.config import EXPERIMENTS
from s2tf.fault_tolerance.attempts import read_attempts
from s2tf.fault_tolerance.lock import locked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two clips each for training, validation and test."""
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards")


@pytest.fixture
def submit(shards, tmp_path, monkeypatch, capsys):
    """Submits ConRe at debug width with some more words; status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue_runs, "installed", lambda: False)

    def call(*words):
        experiment = [str(EXPERIMENTS / "conre.yaml"), f"+{EXPERIMENTS / 'debug' / 'conre.yaml'}"]
        status = main(["submit", "run", *experiment, f"vars.shards={shards}", "--cluster", "local", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.init_args.lerning_rate=1"], "lerning_rate"),
        (["trainer.max_steps=many"], "trainer.max_steps"),
        (["tracking.sampels_every=5"], "tracking.sampels_every: unknown key, expected one of throughput"),
        (["tracking.autoencoder=nowhere"], "tracking.autoencoder is 'nowhere', which does not exist"),
        (["vars.shards=nowhere"], "no folder 'nowhere'"),
        (
            ["vars.weights=vgg_face_dag.pth"],
            "face_encoder.init_args.weights is 'vgg_face_dag.pth', which does not exist",
        ),
        (["trainer.devices=auto"], "trainer.devices is 'auto', expected the number that the job asks for"),
        (["trainer.accelerator=gpu"], "trainer.accelerator is gpu, but local has no GPUs"),
        (["trainer.accelerator=gpu", "--cluster", "a6000x8", "trainer.devices=9"], "has 8 GPUs"),
        (["trainer.devices=3", "trainer.limit_val_batches=1"], "2 examples in the split val for 3 ranks"),
        (["--cluster", "nowhere"], "--cluster nowhere: unknown cluster"),
    ],
)
def test_what_cannot_train_is_refused_and_leaves_nothing(submit, tmp_path, words, message):
    status, _, errors = submit(*words)
    assert status == 2
    assert message in errors
    assert not (tmp_path / "runs").exists()


def test_an_option_of_chains_is_refused(submit, capsys):
    with pytest.raises(SystemExit, match="2"):
        submit("--seeds", "0-2")
    assert "s2tf submit run: error: unrecognized arguments: --seeds" in capsys.readouterr().err


def test_a_number_of_tasks_without_an_array_is_refused(submit):
    status, _, errors = submit("--jobs", "3", "--dry-run")
    assert status == 2
    assert "--jobs has an effect only on an array: expected --array" in errors


def test_the_removed_spelling_names_the_new_one(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["submit", "experiments/conre.yaml", "--cluster", "local"])
    assert "write `s2tf submit run EXPERIMENT [key=value ...] --cluster NAME`" in capsys.readouterr().err


def test_a_short_name_is_submitted_from_any_folder(shards, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue_runs, "installed", lambda: False)
    words = ["+debug/conre.yaml", f"vars.shards={shards}", "--cluster", "local", "--dry-run"]
    assert main(["submit", "run", "conre.yaml", *words]) == 0
    assert f"run={tmp_path}/runs/conre/" in capsys.readouterr().out


def test_fewer_tasks_at_once_than_one_are_refused(submit, capsys):
    with pytest.raises(SystemExit, match="2"):
        submit("--array", "seeds=1-2", "--jobs", "-1", "--dry-run")
    assert "'-1', expected a whole number of at least 1" in capsys.readouterr().err


def test_a_dry_run_prints_the_script_and_makes_no_folder(submit, tmp_path):
    status, printed, notes = submit("trainer.devices=2", "--after", "7", "--dry-run")
    assert status == 0
    assert printed.startswith("#!/usr/bin/env bash\n")
    assert "#SBATCH --ntasks-per-node=2\n" in printed
    assert "#SBATCH --dependency=afterok:7\n" in printed
    assert "1 shards of training data for 2 readers" in notes
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("tracker", ["CSVLogger", "TensorBoardLogger", "WandbLogger"])
def test_any_tracker_of_lightning_is_accepted_without_its_folder(submit, tracker):
    status, _, errors = submit(f"trainer.logger.class_path=lightning.pytorch.loggers.{tracker}", "--dry-run")
    assert status == 0, errors


def test_where_slurm_is_not_installed_it_is_said(submit, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert submit()[::2] == (
        2,
        "s2tf submit run: sbatch is not installed: run this on a machine that submits to SLURM\n",
    )


def test_a_run_that_another_command_queues_meanwhile_is_not_queued_twice(submit, tmp_path, monkeypatch):
    jobs = stub_slurm(tmp_path, monkeypatch)
    ask = queue_runs.confirm_with_slurm

    def meanwhile(script, request):
        monkeypatch.setattr(queue_runs, "confirm_with_slurm", ask)
        assert submit("seed_everything=1")[0] == 0
        return ask(script, request)

    monkeypatch.setattr(queue_runs, "confirm_with_slurm", meanwhile)
    status, _, errors = submit("--array", "seeds=0-1")
    assert status == 2
    assert "seed_everything=1 is job 100 PENDING by another command meanwhile" in errors
    assert "tasks 0\n" in submit("--array", "seeds=0-1")[1]
    assert sorted(path.name for path in jobs.glob("*.sbatch")) == ["100.sbatch", "101.sbatch"]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Stand-ins that queue anything as job 12 and run a step here, in one process."""
    stand_in(tmp_path / "bin", "sbatch", '[ "$1" = --test-only ] || echo 12\n', monkeypatch)
    stand_in(tmp_path / "bin", "squeue", "", monkeypatch)
    stand_in(tmp_path / "bin", "srun", 'while [[ $1 == --* ]]; do shift; done\nexec "$@"\n', monkeypatch)
    # Where the interpreter's programs are, and this checkout.
    root, programs = EXPERIMENTS.parent, Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), str(programs), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))


def run_script(script, **variables):
    environment = {**os.environ, "SLURM_JOB_ID": "12", "SLURM_JOB_NODELIST": "here", **variables}
    return subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)


def every(path):
    return yaml.safe_load(path.read_text())["trainer"]["log_every_n_steps"]


@pytest.mark.parametrize("array", [False, True])
def test_a_job_trains_what_was_submitted_whatever_is_asked_of_its_folder_meanwhile(
    submit, slurm, shards, tmp_path, array
):
    status, printed, errors = submit("trainer.log_every_n_steps=2", *(["--array", "seeds=0"] if array else []))
    assert status == 0, errors
    (folder,) = (tmp_path / "runs" / "conre").iterdir()
    script = Path(printed.split("script:")[1].strip()) if array else folder / "train.sbatch"
    assert not (folder / "config.yaml").exists()
    (row,) = states_below(tmp_path / "runs")
    assert row.steps == 2
    others = [str(EXPERIMENTS / "conre.yaml"), f"+{EXPERIMENTS / 'debug' / 'conre.yaml'}", f"vars.shards={shards}"]
    assert main(["validate", *others, "seed_everything=0", "trainer.log_every_n_steps=3"]) == 2
    assert main(["fit", *others, "seed_everything=0", "trainer.log_every_n_steps=4"]) == 0
    assert (every(folder / "train.yaml"), every(folder / "config.yaml")) == (2, 4)
    (folder / "git.json").write_text('{"commit": "another"}')
    done = run_script(script, SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="0")
    assert done.returncode == 0, done.stderr
    assert (every(folder / "train.yaml"), every(folder / "config.yaml")) == (2, 2)
    # Nor is what was found of the code at the submission lost.
    assert f"{folder / 'git.json'} (and .diff)" in done.stderr
    assert (folder / "git.json").read_text() == '{"commit": "another"}'
    starts = [one["code"] for one in read_attempts(folder) if one["event"] == "start"]
    assert starts == ["git.json", "git-2.json"]


def test_a_job_whose_folder_is_in_use_is_queued_again(submit, slurm, tmp_path, monkeypatch):
    submit()
    (folder,) = (tmp_path / "runs" / "conre").iterdir()
    stand_in(tmp_path / "bin", "scontrol", 'echo "$*"\n', monkeypatch)
    with locked(folder):
        done = run_script(folder / "train.sbatch")
    assert done.returncode == 73
    assert done.stdout.endswith("requeue 12\n")
    assert f'another process writes into this run folder: {{"host": "{socket.gethostname()}"' in done.stderr


def test_shards_go_to_scratch_where_the_cluster_has_one(submit, shards, tmp_path):
    (tmp_path / "mine.yaml").write_text("scratch: /scratch\n")
    _, printed, _ = submit("--cluster", "mine.yaml", "--dry-run")
    assert f"python -m datamodules.shards.staging {shards}\n" in printed


@pytest.mark.parametrize(
    ("settings", "environment", "link"),
    [
        ({"entity": "us", "project": "faces"}, {}, "https://wandb.ai/us/faces/runs/abc"),
        (
            {"project": "faces"},
            {"WANDB_ENTITY": "a", "WANDB_BASE_URL": "https://w.us/"},
            "https://w.us/a/faces/runs/abc",
        ),
        ({"project": "faces"}, {}, "set WANDB_ENTITY"),
        ({"project": "faces"}, {"WANDB_MODE": "offline"}, "offline; `for part in"),
        (None, {}, "none"),
        ([{"project": "faces"}], {"WANDB_ENTITY": "a"}, "https://wandb.ai/a/faces/runs/abc"),
    ],
)
def test_a_run_s_page_in_w_b_is_named_or_why_it_has_none(tmp_path, settings, environment, link):
    (tmp_path / "wandb_id").write_text("abc\n")
    several = isinstance(settings, list)
    settings = settings[0] if several else settings
    logger = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": settings} if settings else False
    logger = [{"class_path": "lightning.pytorch.loggers.CSVLogger"}, logger] if several else logger
    assert link in wandb_link({"trainer": {"logger": logger}}, tmp_path, environment)


def test_a_trial_s_run_will_be_told_its_job_in_the_form_of_submissions(shards, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue_runs, "installed", lambda: False)
    (tmp_path / "o'ne.yaml").write_text(
        f"command: [srun, s2tf, fit, {EXPERIMENTS / 'conre.yaml'}, '${{args_no_hyphens}}']\n"
        "method: grid\nparameters: {seed_everything: {values: [0, 1]}}\n"
    )
    words = [f"+{EXPERIMENTS / 'debug' / 'conre.yaml'}", f"vars.shards={shards}", "--cluster", "local"]
    assert main(["sweep", "o'ne.yaml", *words, "--id", "us/faces/here", "--dry-run"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("submission=")]
    (text,) = shlex.split(line.removeprefix("submission="))
    submission = Submission(**json.loads(text))
    assert (submission.job, submission.cluster) == ("JOB", "local")
    assert shlex.split(submission.command)[:3] == ["s2tf", "sweep", "o'ne.yaml"]


def test_numbers_of_an_array_are_written_as_slurm_takes_them():
    assert ranges([0, 2, 3, 4, 7]) == "0,2-4,7"


@pytest.mark.parametrize(
    ("environment", "link"),
    [
        ({"WANDB_MODE": "offline"}, "offline; `for part in {folder}/wandb/*run-*; "),
        ({"WANDB_ENTITY": "lab"}, "https://wandb.ai/lab/p/runs/{id}"),
    ],
)
def test_the_page_is_the_same_in_the_table_of_runs(submit, tmp_path, monkeypatch, environment, link):
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    stand_in(tmp_path / "bin", "sbatch", "echo 12\n", monkeypatch)
    stand_in(tmp_path / "bin", "squeue", "echo '12|PENDING|Priority'\n", monkeypatch)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"environment": environment}))
    wandb = ["trainer.logger.class_path=lightning.pytorch.loggers.WandbLogger", "trainer.logger.init_args.project=p"]
    status, printed, errors = submit(*wandb, "--cluster", "mine.yaml")
    assert status == 0, errors
    (row,) = states_below(tmp_path / "runs")
    link = link.format(folder=row.folder, id=(Path(row.folder) / "wandb_id").read_text().strip())
    assert f"W&B:        {link}" in printed
    assert row.wandb.startswith(link)
    assert (row.job, row.state) == ("12", "PENDING")
