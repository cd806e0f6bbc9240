"""Runs to a pipeline, as the system declares it."""

import json
from pathlib import Path

import pytest
import yaml
from small_pipelines import small_portrait_pipeline, small_talking_face_pipeline

from datamodules.shards.sources import MANIFEST
from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.pipelines.talking_face import TalkingFacePipeline
from s2tf.runs.assemble import assemble, chosen_settings
from s2tf.runs.finished import MOTION_ENCODER

SCFP = ("speech_encoder", "portrait_diffusion", "face_decoder")


def finished_run(folder: Path, networks, motion=None) -> Path:
    """A run folder with what is read of it, and the manifest of its shards."""
    shards = folder / "shards"
    shards.mkdir(parents=True)
    manifest = {"crop_rule": {"size": 64}, "splits": {}, **({} if motion is None else {"motion": motion})}
    (shards / MANIFEST).write_text(json.dumps(manifest))
    data = {"init_args": {"shards": str(shards), "seconds": 3.0}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    for name, network in networks.items():
        network.save_pretrained(folder / "networks" / name)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    portrait, talking = small_portrait_pipeline(), small_talking_face_pipeline()
    motion = {MOTION_ENCODER: talking.motion_autoencoder.encoder_fingerprints(), "fingerprint": "of another phase"}
    diffusion = {"speech_features": talking.motion_features, "motion_diffusion": talking.motion_diffusion}
    return {
        "scfp": finished_run(folder / "scfp", {name: portrait.components[name] for name in SCFP}),
        "motion_autoencoder": finished_run(folder / "ma", {"motion_autoencoder": talking.motion_autoencoder}),
        "lip_landmarks": finished_run(
            folder / "ll", {"speech_features": talking.lip_features, "lip_landmarks": talking.lip_landmarks}
        ),
        "motion_diffusion": finished_run(folder / "md", diffusion, motion),
        "other_diffusion": finished_run(folder / "other", diffusion, {MOTION_ENCODER: "1 2", "fingerprint": "3"}),
    }


def second_stage(runs):
    return {name: runs[name] for name in ("motion_autoencoder", "lip_landmarks", "motion_diffusion")}


def test_what_a_run_determines_and_what_is_chosen_is_stored(runs):
    given = {"scfp": runs["scfp"], **second_stage(runs)}
    settings = chosen_settings(given, {"steps": 7, "temperature": 0.5})
    pipeline = assemble(given, {**settings, "talking_settings.blink": 0.0})
    portrait, talking = pipeline.settings["portrait_settings"], pipeline.settings["talking_settings"]
    assert (portrait.seconds, portrait.crop, portrait.steps, portrait.temperature) == (3.0, {"size": 64}, 7, 0.5)
    assert (talking.crop, talking.steps, talking.temperature, talking.blink) == ({"size": 64}, 7, 1.0, 0.0)
    assert pipeline.crop_rule == {"size": 64}


def test_the_command_takes_the_runs_by_their_names(runs, tmp_path, capsys):
    words = [word for name, run in second_stage(runs).items() for word in (f"--{name.replace('_', '-')}", str(run))]
    assert main(["assemble", *words, "--steps", "2", "--out", str(tmp_path / "pipeline")]) == 0
    assert f"TalkingFacePipeline: {tmp_path / 'pipeline'}" in capsys.readouterr().out
    assert TalkingFacePipeline.from_pretrained(tmp_path / "pipeline").talking_settings.steps == 2
    assert main(["assemble", *words, "--temperature", "2", "--out", str(tmp_path / "pipeline")]) == 2
    assert "--temperature has no effect on a TalkingFacePipeline" in capsys.readouterr().err
    assert main(["assemble", *words, "--scfp", str(tmp_path), "--out", str(tmp_path / "pipeline")]) == 2
    assert "no finished run of speech_encoder" in capsys.readouterr().err


def test_motion_codes_of_another_autoencoder_are_refused(runs):
    with pytest.raises(UserError, match="but the codes of the data of .*other"):
        assemble({**second_stage(runs), "motion_diffusion": runs["other_diffusion"]})


def test_a_setting_of_no_section_is_refused(runs):
    with pytest.raises(UserError, match="talking_settings.steps has no effect on a PortraitPipeline"):
        assemble({"scfp": runs["scfp"]}, {"talking_settings.steps": 3})
