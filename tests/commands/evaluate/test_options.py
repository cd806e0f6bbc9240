"""Options of `s2tf evaluate`: foreign ones and old spellings are refused, and each process takes its own device."""

import pytest
import torch
from video_folders import evaluate, status, talking, write

from s2tf.evaluation.stages import evaluate_run
from s2tf.evaluation.videos.metric_files import FILES, METRICS
from s2tf.evaluation.videos.open_measures import MEASURES
from s2tf.nn.devices import local_device

VIDEOS, PORTRAITS = ["videos", "made", "true"], ["portraits", "made", "true", "--faces", "judges"]
PIPELINE, RUN = ["pipeline", "p", "--shards", "s", "--out", "o"], ["run", "r"]


@pytest.fixture
def folders(tmp_path):
    for name in ("made", "true"):
        write(tmp_path / name / "a.mp4", talking(0))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "option"),
    [
        # The default's value is refused like any other.
        (VIDEOS, ["--batch", "32"]),
        (VIDEOS, ["--attributes", "facepp"]),
        (VIDEOS, ["--shards", "s"]),
        (PORTRAITS, ["--metrics", "pixels"]),
        (PORTRAITS, ["--allow-random"]),
        (PORTRAITS, ["--clips", "3"]),
        (PIPELINE, ["--guidance", "2"]),
        (PIPELINE, ["--name", "mine"]),
        (RUN, ["--metrics", "fid"]),
        (RUN, ["--weights", "w"]),
    ],
)
def test_options_of_another_evaluation_are_refused(capsys, words, option):
    assert status(["evaluate", *words, *option]) == 2
    message = f"s2tf evaluate {words[0]}: error: unrecognized arguments: {' '.join(option)}"
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "new"),
    [
        (["--run", "r", "--faces", "judges"], "write `s2tf evaluate run RUN`"),
        (["--out", "o", "--run=r"], "write `s2tf evaluate run RUN`"),
        (["--pipeline", "p", "--shards", "s"], "write `s2tf evaluate pipeline FOLDER --shards S --out O`"),
        (["made", "true"], "write `s2tf evaluate videos GENERATED REFERENCE` or `s2tf evaluate portraits GENERATED"),
        ([*VIDEOS, "--process", "1/2"], "--process is no longer an option: write --part I/N"),
        ([*PORTRAITS, "--process=1/2"], "--process is no longer an option: write --part I/N"),
        ([*PIPELINE, "--pictures", "0"], "--pictures is no longer an option: write --no-videos"),
        ([*RUN, "--part", "0", "0.5"], "a share of each clip's length is `s2tf evaluate run --span FROM TO`"),
    ],
)
def test_an_old_spelling_names_the_new_one(capsys, words, new):
    assert status(["evaluate", *words]) == 2
    assert new in " ".join(capsys.readouterr().err.split())


def test_removed_options_are_not_in_the_help(capsys):
    assert status(["evaluate", "videos", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--part" in shown
    assert "--process" not in shown


@pytest.mark.parametrize(
    ("stage", "words", "message"),
    [
        ("ConReStage", ["--faces", "judges"], "--faces has no effect on a run of ConReStage; it applies to: SCFPStage"),
        ("ConReStage", ["--part", "1/2"], "--part has no effect on a run of ConReStage; it applies to: SCFPStage"),
        ("LipLandmarksStage", ["--batch", "32"], "--batch has no effect on a run of LipLandmarksStage"),
        (
            "MotionAutoencoderStage",
            ["--seeds", "2"],
            "--seeds has no effect on a run of MotionAutoencoderStage; it applies to: SCFPStage, MotionDiffusionStage",
        ),
        ("SyncNetStage", [], "a run of SyncNetStage, expected a run of ConReStage"),
        ("SCFPStage", ["--seeds", "2"], "--faces must be given for a run of SCFPStage: vggface=FILE"),
    ],
)
def test_options_without_effect_on_the_runs_stage_are_refused(tmp_path, monkeypatch, capsys, stage, words, message):
    monkeypatch.setattr(evaluate_run, "finished_stage", lambda _: stage)
    assert status(["evaluate", "run", tmp_path, *words]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("s2tf evaluate run: ")
    assert message in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--faces", "judges"],
            "--faces has no effect: it belongs to the metric identity, which --metrics pixels",
        ),
        (["--protocol", "frame"], "--protocol has no effect: it belongs to the metric sync"),
    ],
)
def test_options_of_a_metric_that_is_left_out_are_refused(folders, capsys, options, message):
    assert evaluate(folders, *options) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (folders / "made-evaluation").exists()


def test_every_metric_is_opened_by_its_name():
    assert tuple(MEASURES) == METRICS
    assert set(FILES) <= set(METRICS)


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
    assert "--device gpu: expected cpu, cuda, cuda:N or mps; this machine has cpu" in capsys.readouterr().err
