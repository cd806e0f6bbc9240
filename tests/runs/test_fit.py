"""A run through `s2tf.runs.fit.fit`: it goes on where it was interrupted, and shows its progress."""

import io
import itertools
import os
import signal
import subprocess
import sys

import lightning as L
import numpy as np
import pytest
import torch
from fit_ranks import InterruptAfter, InterruptionError, WriteKeys, saving
from rich.console import Console
from tiny_shards import tiny_shards

from datamodules.shards.add_member import NewMember, add_member
from datamodules.shards.samples import MOTION
from s2tf.callbacks import progress
from s2tf.callbacks.progress import LiveProgress
from s2tf.config import compose
from s2tf.demo.train import DEMO_EXPERIMENTS
from s2tf.errors import UserError
from s2tf.fault_tolerance.attempts import read_attempts
from s2tf.fault_tolerance.journal import read_journal
from s2tf.fault_tolerance.lock import IN_USE_STATUS
from s2tf.fault_tolerance.signals import Interruption
from s2tf.runs.build import build
from s2tf.runs.fit import evaluate, fit
from s2tf.runs.folder import read_config

STEPS = 4
MEASURED = "throughput/"


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    shards = tiny_shards(tmp_path_factory.mktemp("data") / "shards")
    return [
        f"vars.shards={shards}",
        f"trainer.max_steps={STEPS}",
        "data.init_args.batch_size=2",
    ]


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(overrides, tmp_path):
    whole = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "whole")
    with pytest.raises(InterruptionError):
        fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "broken", [InterruptAfter(2)], saving(2))
    broken = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "broken")
    states = [torch.load(result.run.last_checkpoint, weights_only=False)["state_dict"] for result in (whole, broken)]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


@pytest.mark.slow
def test_the_best_checkpoint_is_that_of_the_best_validation_over_restarts(overrides, tmp_path):
    losses = iter([1.0, 3.0, 2.0, 4.0])

    class Stub(L.Callback):
        """Gives the validations their losses: that of step 1 is the best, before the interruption."""

        def on_validation_end(self, trainer, pl_module):
            trainer.callback_metrics["val/loss"].fill_(next(losses))

    every_step = {"limit_val_batches": 1, "val_check_interval": 1, "num_sanity_val_steps": 0}
    validated = [*overrides, *(f"trainer.{name}={value}" for name, value in every_step.items())]
    with pytest.raises(InterruptionError):
        fit(DEMO_EXPERIMENTS / "conre.yaml", validated, tmp_path, [Stub(), InterruptAfter(2)], saving(2))
    run = fit(DEMO_EXPERIMENTS / "conre.yaml", validated, tmp_path, [Stub()]).run
    assert next(losses, None) is None
    assert torch.load(run.checkpoints / "best.ckpt", weights_only=False)["global_step"] == 1
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["before_last.ckpt", "best.ckpt", "last.ckpt"]


class AskToStop(L.Callback):
    """The signal comes within a step."""

    def __init__(self, step, number):
        self.step, self.number = step, number

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


def rows_of(run):
    """All but times and memory."""
    rows = read_journal(run.folder)
    kept = [{name: value for name, value in row.metrics.items() if not name.startswith(MEASURED)} for row in rows]
    return [(row.row, row.step, metrics) for row, metrics in zip(rows, kept, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_run_that_was_asked_to_stop_goes_on_behind_the_validation_of_its_last_step(overrides, tmp_path, number):
    """With the weights, the optimizer's state and the journal's rows of an unbroken run, each row once."""
    logged = {"limit_val_batches": 1, "val_check_interval": 2, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    settings = [*overrides, *(f"trainer.{name}={value}" for name, value in logged.items())]
    before = signal.getsignal(number)
    whole = fit(DEMO_EXPERIMENTS / "conre.yaml", settings, tmp_path / "whole").run
    with pytest.raises(Interruption, match="saved at step 2"):
        fit(DEMO_EXPERIMENTS / "conre.yaml", settings, tmp_path / "broken", [AskToStop(1, number)])
    assert signal.getsignal(number) == before
    broken = fit(DEMO_EXPERIMENTS / "conre.yaml", settings, tmp_path / "broken").run
    assert [one["status"] for one in read_attempts(broken.folder)] == ["running", "interrupted", "running", "finished"]
    assert [one.get("step") for one in read_attempts(broken.folder)] == [None, 2, None, STEPS]
    assert rows_of(broken) == rows_of(whole)
    assert [sorted(row)[-1].split("/")[0] for _, _, row in rows_of(whole)] == ["train", "train", "val"] * 2
    states = [torch.load(run.last_checkpoint, weights_only=False) for run in (whole, broken)]
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "loops"):
        torch.testing.assert_close(states[0][part], states[1][part], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning")
def test_a_second_process_does_not_train_the_same_run(overrides, tmp_path):
    class Second(L.Callback):
        def on_train_start(self, trainer, pl_module):
            command = [sys.executable, "-m", "s2tf.cli", "fit", str(DEMO_EXPERIMENTS / "conre.yaml"), *overrides]
            command.append("trainer.log_every_n_steps=3")
            result = subprocess.run(
                [*command, "--runs", str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
            )
            self.said = result.returncode, result.stderr.splitlines()[-1]

    second = Second()
    run = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path, [second]).run
    assert second.said[0] == IN_USE_STATUS
    assert 'another process writes into this run folder: {"host"' in second.said[1]
    # What was refused has not changed what the folder says was trained, nor has a measurement.
    evaluate(DEMO_EXPERIMENTS / "conre.yaml", "validate", [*overrides, "trainer.log_every_n_steps=4"], tmp_path)
    assert read_config(run.folder) == run.config


@pytest.mark.slow
def test_a_cut_checkpoint_costs_the_steps_since_the_one_before(overrides, tmp_path, capsys):
    whole = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "whole").run
    with pytest.raises(InterruptionError):
        fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "broken", [InterruptAfter(3)], saving(1))
    (last,) = tmp_path.glob("broken/*/*/checkpoints/last.ckpt")
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    broken = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "broken").run
    assert "before_last.ckpt, since" in capsys.readouterr().err
    assert "last.ckpt: not complete" in read_attempts(broken.folder)[-2]["reason"]
    states = [torch.load(run.last_checkpoint, weights_only=False)["state_dict"] for run in (whole, broken)]
    torch.testing.assert_close(*states, rtol=0, atol=0)
    assert rows_of(broken) == rows_of(whole)


@pytest.mark.slow
def test_a_full_disk_while_saving_costs_no_training(overrides, tmp_path, small_disk, capsys):
    """The first checkpoint fits, the later ones do not, until there is room."""
    whole = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path / "whole").run
    room = int(1.6 * whole.last_checkpoint.stat().st_size)
    small_disk.resize(room)
    with pytest.raises(UserError, match=r"last\.ckpt: step 4 could not be saved: No space left on device"):
        fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, small_disk.folder, saving=saving(1))
    said = capsys.readouterr().err
    assert [f"step {step} could not be saved: No space left on device" in said for step in (1, 2, 3)] == [0, 1, 1]
    small_disk.resize(10 * room)
    run = fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, small_disk.folder, saving=saving(1)).run
    assert rows_of(run) == rows_of(whole)
    states = [torch.load(one.last_checkpoint, weights_only=False)["state_dict"] for one in (whole, run)]
    torch.testing.assert_close(*states, rtol=0, atol=0)


@pytest.mark.slow
def test_progress_says_stage_step_loss_and_time_left(overrides, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LINE_INTERVAL", 0.0)
    console = Console(file=io.StringIO(), width=100)
    fit(DEMO_EXPERIMENTS / "conre.yaml", overrides, tmp_path, [LiveProgress("conre", console)])
    lines = console.file.getvalue().splitlines()
    assert len(lines) == STEPS + 1
    assert lines[1].startswith(f"conre: step 2/{STEPS}, loss ")
    assert lines[1].endswith(" s left")
    assert lines[-1].startswith(f"conre: {STEPS} steps in ")


@pytest.mark.slow
def test_statistics_of_the_codes_take_no_batch_away_from_the_training(overrides, tmp_path):
    shards = overrides[0].partition("=")[2]
    codes = NewMember(MOTION, {"dim": 20}, lambda clip: np.random.default_rng(0).normal(size=(clip.record.frames, 20)))
    add_member(shards, tmp_path / "codes", codes)
    settings = [f"vars.shards={tmp_path / 'codes'}", "trainer.max_steps=3", "data.init_args.batch_size=2"]
    (tmp_path / "keys").mkdir()
    fit(DEMO_EXPERIMENTS / "motion_diffusion.yaml", settings, tmp_path / "runs", [WriteKeys(tmp_path / "keys")])
    trained = (tmp_path / "keys" / "rank0.txt").read_text().splitlines()
    data = build(compose(DEMO_EXPERIMENTS / "motion_diffusion.yaml", settings)).datamodule
    first = [f"train: {' '.join(batch['key'])}" for batch in itertools.islice(data.train_dataloader(), 3)]
    assert trained == first
