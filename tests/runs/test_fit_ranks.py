"""Runs in two processes over gloo: resumed to the bit, evaluated to the last sample, ended together."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.shards.writing import read_split
from s2tf.demo.train import DEMO_EXPERIMENTS
from s2tf.fault_tolerance.failures import LOST_STATUS

SCRIPT = Path(__file__).parents[1] / "support" / "fit_ranks.py"
STEPS = 5
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    # Seven clips to validate on: two ranks get different numbers of batches.
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", people=21)


CONRE = (DEMO_EXPERIMENTS / "conre.yaml", "model.init_args.speech_encoder.init_args.dropout=0.0")
MOTION_AUTOENCODER = (
    DEMO_EXPERIMENTS.parent / "motion_autoencoder.yaml",
    f"+{DEMO_EXPERIMENTS.parent / 'debug' / 'motion_autoencoder.yaml'}",
)


def fit_ranks(shards, runs, interruption=0, experiment=CONRE):
    command = [
        *(sys.executable, str(SCRIPT), str(experiment[0]), str(runs), str(interruption), *experiment[1:]),
        *(f"vars.shards={shards}", f"trainer.max_steps={STEPS}", "trainer.devices=2", "trainer.strategy=ddp"),
        *("trainer.limit_val_batches=1.0", "trainer.val_check_interval=3", "trainer.num_sanity_val_steps=0"),
        *("data.init_args.batch_size=2", "data.init_args.num_workers=2"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_two_ranks_resume_to_the_bit_and_validate_each_clip_once(shards, tmp_path):
    whole = fit_ranks(shards, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert fit_ranks(shards, tmp_path / "broken", interruption=2).returncode != 0
    resumed = fit_ranks(shards, tmp_path / "broken")
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    seen = []
    for rank in range(2):
        keys, again = ((tmp_path / run / f"rank{rank}.txt").read_text() for run in ("whole", "broken"))
        assert keys == again
        seen += [key for line in keys.splitlines() if line.startswith("val after 3:") for key in line.split()[3:]]
    assert sorted(seen) == sorted(sample.key for sample in read_split(shards, "val"))
    states = [
        torch.load(next((tmp_path / run).glob("*/*/checkpoints/last.ckpt")), weights_only=False)["state_dict"]
        for run in ("whole", "broken")
    ]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


LAST_MOMENT = """
import os, signal, sys
from lightning import Trainer
from s2tf.cli import main

fit = Trainer.fit

def fit_and_die(trainer, *args, **more):
    fit(trainer, *args, **more)
    if trainer.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.fit = fit_and_die
sys.exit(main(sys.argv[1:]))
"""


def start_rank(rank, port, command):
    """Start one of two ranks as torchrun does; Lightning's own launcher would kill one soon after the other's death."""
    named = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    named |= {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    environment = os.environ | {name: str(value) for name, value in named.items()}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def test_a_rank_that_dies_after_the_last_step_leaves_a_run_to_be_continued(shards, tmp_path):
    script = tmp_path / "last_moment.py"
    script.write_text(LAST_MOMENT)
    command = [
        *(sys.executable, str(script), "fit", str(CONRE[0]), f"vars.shards={shards}", "trainer.max_steps=1"),
        *("trainer.devices=2", "trainer.strategy=ddp", "trainer.limit_val_batches=0", "--runs", str(tmp_path / "runs")),
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [start_rank(rank, port, command) for rank in range(2)]
    said = [rank.communicate(timeout=240)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [LOST_STATUS, -signal.SIGKILL], said[0][-3000:]


def rank_weights(runs):
    return {(runs / f"rank{rank}.weights").read_text() for rank in range(2)}


def test_samples_of_the_first_rank_leave_both_as_they_were(shards, tmp_path):
    plain = fit_ranks(shards, tmp_path / "plain")
    assert plain.returncode == 0, plain.stderr[-3000:]
    shown = fit_ranks(shards, tmp_path / "shown", experiment=(*CONRE, "tracking.samples_every=2", "tracking.samples=2"))
    assert shown.returncode == 0, shown.stderr[-3000:]
    assert rank_weights(tmp_path / "plain") == rank_weights(tmp_path / "shown")
    (folder,) = (tmp_path / "shown").glob("*/*/samples")
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000002", "step-00000004"]
    assert "no samples at step" not in shown.stderr


def test_generator_and_discriminator_are_the_same_on_both_ranks_and_resume_to_the_bit(shards, tmp_path):
    """And so are the optimizer's states of both; the discriminator starts late."""
    experiment = (*MOTION_AUTOENCODER, "model.init_args.adversarial_start=1")
    whole = fit_ranks(shards, tmp_path / "whole", experiment=experiment)
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert fit_ranks(shards, tmp_path / "broken", 3, experiment).returncode != 0
    resumed = fit_ranks(shards, tmp_path / "broken", experiment=experiment)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    assert len(rank_weights(tmp_path / "whole") | rank_weights(tmp_path / "broken")) == 1
    checkpoints = [
        torch.load(next((tmp_path / run).glob("*/*/checkpoints/last.ckpt")), weights_only=False)
        for run in ("whole", "broken")
    ]
    assert any(name.startswith("discriminator.") for name in checkpoints[0]["state_dict"])
    torch.testing.assert_close(*(one["optimizer_states"] for one in checkpoints), rtol=0, atol=0)


def test_one_rank_s_broken_sample_ends_both(shards, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for path in shards.iterdir():
        data = path.read_bytes()
        # Only one shard is broken: the rank that does not read it must not wait for the other.
        (folder / path.name).write_bytes(data[: len(data) // 2] if path.name == "train-000000.tar" else data)
    result = fit_ranks(folder, tmp_path / "runs")
    assert result.returncode != 0
    assert "train-000000.tar" in result.stderr
    assert "max_broken" in result.stderr
    # Its traceback alone, first: what the other rank has to say of lost connections would bury it.
    failed = [line for line in result.stderr.splitlines() if line.startswith("rank ") and " failed:" in line]
    assert len(failed) == 1
    (failure,) = (tmp_path / "runs").glob("*/*/failure.txt")
    assert failure.read_text().startswith(failed[0])
    assert "train-000000.tar" in failure.read_text()
