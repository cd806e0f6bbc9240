"""Options of `s2tf evaluate` that say nothing of what is measured, and the device of each process."""

import argparse

import pytest
import torch
from PIL import Image
from video_folders import evaluate, talking, write

from s2tf.cli import main
from s2tf.commands.evaluate import add_arguments
from s2tf.commands.evaluate_options import ANY, OF_METRIC, TAKEN, refuse_others
from s2tf.commands.options import local_device
from s2tf.errors import UserError


@pytest.fixture
def folders(tmp_path):
    for name in ("made", "true"):
        write(tmp_path / name / "a.mp4", talking(0))
        (tmp_path / f"{name}-portraits").mkdir()
        Image.new("RGB", (32, 32)).save(tmp_path / f"{name}-portraits" / "a.png")
    return tmp_path


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_every_option_belongs_to_something():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = {action.dest for action in parser._actions if action.option_strings} - {"help"}
    assert ANY | set().union(*TAKEN.values()) == options
    assert set(OF_METRIC) <= options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        # The default's value is as much left out as another.
        (["--batch", "32"], "--batch says nothing of videos: it belongs to a run of ConReStage, a run of SCFPStage"),
        (["--attributes", "facepp"], "--attributes says nothing of videos: it belongs to portraits"),
        (["--shards", "s"], "--shards says nothing of videos: it belongs to --pipeline"),
        (["--seed", "1"], "--seed says nothing of videos: it belongs to --pipeline"),
        (["--faces", "judges"], "--faces belongs to the metric identity, which --metrics pixels leaves out"),
        (["--protocol", "frame"], "--protocol belongs to the metric sync, which --metrics pixels leaves out"),
    ],
)
def test_options_that_say_nothing_of_videos_are_refused(folders, capsys, options, message):
    assert evaluate(folders, *options) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (folders / "made-evaluation").exists()


def test_options_that_say_nothing_of_portraits_are_refused(folders, capsys):
    pair = [str(folders / "made-portraits"), str(folders / "true-portraits")]
    assert main(["evaluate", *pair, "--faces", "judges", "--metrics", "pixels"]) == 2
    assert "--metrics says nothing of portraits: it belongs to videos, --pipeline" in capsys.readouterr().err
    assert main(["evaluate", *pair, "--faces", "judges", "--allow-random"]) == 2
    assert "--allow-random says nothing of portraits" in capsys.readouterr().err


def test_options_that_say_nothing_of_a_run_are_refused():
    with pytest.raises(UserError, match="--metrics says nothing of a run of SCFPStage: it belongs to videos"):
        refuse_others(parsed("--run", "r", "--faces", "judges", "--metrics", "fid"), "SCFPStage")
    with pytest.raises(UserError, match="--faces says nothing of a run of ConReStage"):
        refuse_others(parsed("--run", "r", "--faces", "judges"), "ConReStage")
    refuse_others(parsed("--run", "r", "--faces", "judges", "--seeds", "2", "--out", "o", "--wandb", "p"), "SCFPStage")


def test_each_process_of_a_machine_takes_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert local_device("cuda", {}) == "cuda:0"
    assert [local_device("cuda", {"RANK": "6", "LOCAL_RANK": str(rank)}) for rank in range(4)] == [
        f"cuda:{rank}" for rank in range(4)
    ]
    assert local_device("cuda", {"SLURM_LOCALID": "2"}) == "cuda:2"
    # More processes than GPUs share them.
    assert local_device("cuda", {"LOCAL_RANK": "5"}) == "cuda:1"
    assert local_device("cuda:3", {"LOCAL_RANK": "1"}) == "cuda:3"
    assert local_device("cpu", {"LOCAL_RANK": "1"}) == "cpu"
    # A launcher that shows each process one GPU.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert local_device("cuda", {"SLURM_LOCALID": "2"}) == "cuda:0"


def test_a_device_that_is_not_there_is_named(folders, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert evaluate(folders, "--device", "cuda") == 2
    assert "--device cuda: torch sees 0 GPUs on this machine" in capsys.readouterr().err
    assert evaluate(folders, "--device", "gpu") == 2
    assert "--device gpu: expected cpu, cuda or cuda:N" in capsys.readouterr().err
