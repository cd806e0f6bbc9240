"""What ships with the package is found by every command and by the API, and is small."""

import json

import numpy as np
import pytest
import torch
from packaged_files import packaged_stand_in

import s2tf
from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.faces.judges import Judges
from s2tf.media.audio import SAMPLE_RATE
from s2tf.packaged import files
from s2tf.pipelines.files import read_speech

MOST_BYTES = 10_000_000
NOTE = "the packaged pipeline, trained on synthetic speakers: its faces are drawn ones"


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Small networks in the place of those that ship."""
    for name, value in packaged_stand_in(tmp_path / "packaged").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "packaged"


def first_line(capsys) -> str:
    return capsys.readouterr().out.splitlines()[0]


def test_a_video_and_a_portrait_are_generated_without_naming_a_pipeline(packaged, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["portrait", "sample", "--out", "portrait.png"]) == 0
    assert first_line(capsys) == f"reading the sample speech (a synthetic voice) and {NOTE}"
    assert main(["generate", str(files.sample_speech()), "--steps", "1", "--out", "talking.mp4"]) == 0
    assert first_line(capsys) == f"reading {files.sample_speech()} and {NOTE}"
    assert main(["animate", "portrait.png", "sample", "--steps", "1", "--out", "animated.mp4", "--json", "a.json"]) == 0
    assert json.loads((tmp_path / "a.json").read_text())["seconds"] == 5


def test_a_file_that_is_called_sample_is_read_itself(packaged, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").write_text("no sound")
    assert main(["portrait", "sample", "--out", "portrait.png"]) == 2
    assert first_line(capsys) == f"reading sample and {NOTE}"


def test_the_api_opens_the_packaged_pipeline_with_weights_of_32_bits(packaged):
    pipeline = s2tf.load_pipeline()
    kinds = {parameter.dtype for network in pipeline.components.values() for parameter in network.parameters()}
    assert kinds == {torch.float32}
    assert pipeline.portrait(read_speech(s2tf.sample_speech())).image.dtype == np.uint8


def test_a_checkout_without_the_networks_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("S2TF_PACKAGED", str(tmp_path))
    with pytest.raises(UserError, match="s2tf demo --out demo"):
        s2tf.load_pipeline()
    with pytest.raises(UserError, match=r"speech\.wav is missing"):
        s2tf.sample_speech()
    assert main(["generate", "speech.wav", "--out", str(tmp_path / "talking.mp4")]) == 2
    assert "speech_to_talking_face is missing, expected the packaged pipeline" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_sample_is_five_seconds_of_speech():
    assert len(read_speech(files.FOLDER / files.SPEECH)) == 5 * SAMPLE_RATE
    assert (files.FOLDER / files.SPEECH).stat().st_size <= 200_000


def test_all_that_ships_is_at_most_ten_megabytes():
    shipped = [path for path in files.FOLDER.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert sum(path.stat().st_size for path in shipped) <= MOST_BYTES


needs_networks = pytest.mark.skipif(
    not (files.FOLDER / files.PIPELINE).is_dir(), reason="the networks of this checkout are not trained yet"
)


@pytest.mark.slow
@needs_networks
def test_the_packaged_pipeline_was_trained_and_has_a_card():
    pipeline = s2tf.load_pipeline()
    assert pipeline.random_weights == ()
    assert pipeline.output_size >= 128
    faces = [pipeline.portrait(read_speech(s2tf.sample_speech()), seed=seed).image for seed in (0, 0)]
    assert np.array_equal(*faces)
    assert faces[0].std() > 20
    card = (files.packaged_pipeline() / "MODEL_CARD.md").read_text()
    assert "## Measurements" in card


@needs_networks
def test_the_packaged_judges_are_those_of_this_version():
    from s2tf.evaluation.judge_training import JudgeData, holds_judges

    assert holds_judges(files.packaged_judges(), JudgeData())
    assert Judges.load(files.packaged_judges()).settings["accuracy"]["gender accuracy"] > 0.9
