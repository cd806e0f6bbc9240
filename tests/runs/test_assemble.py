"""Runs to a pipeline, as the system declares it."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from narrow_autoencoder import narrow_autoencoder, narrow_codeformer
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline

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


def test_a_network_that_two_runs_have_in_common_is_loaded_stored_and_run_once(runs, tmp_path, monkeypatch):
    talking = small_talking_face_pipeline()
    same = {"speech_features": talking.motion_features, "lip_landmarks": talking.lip_landmarks}
    given = {**second_stage(runs), "lip_landmarks": finished_run(tmp_path / "ll", same)}
    apart, pipeline = assemble(second_stage(runs)), assemble(given)
    assert apart.lip_features is not apart.motion_features
    assert pipeline.lip_features is pipeline.motion_features
    folder = pipeline.save_pretrained(tmp_path / "pipeline")
    assert [one.name for one in sorted(folder.glob("*_features"))] == ["lip_features"]
    loaded = TalkingFacePipeline.from_pretrained(folder)
    assert loaded.lip_features is loaded.motion_features
    # A folder of an earlier version holds it twice.
    shutil.copytree(folder / "lip_features", folder / "motion_features")
    index = json.loads((folder / "model_index.json").read_text())
    del index["shared"]
    (folder / "model_index.json").write_text(json.dumps(index))
    earlier = TalkingFacePipeline.from_pretrained(folder)
    assert earlier.lip_features is earlier.motion_features
    # The frames are those of two networks, and the features are computed once.
    calls, forward = [], type(talking.motion_features).forward
    monkeypatch.setattr(type(talking.motion_features), "forward", lambda *args: calls.append(1) or forward(*args))
    speech, picture = coloured_noise(0.5), np.full((16, 16, 3), 99, np.uint8)
    frames = [np.stack(list(one(speech, picture, steps=2))) for one in (loaded, pipeline)]
    assert len(calls) == 2
    pipeline.lip_features = copy.deepcopy(pipeline.motion_features)
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0], np.stack(list(pipeline(speech, picture, steps=2))))


def test_a_pipeline_that_shares_with_no_component_is_refused(runs, tmp_path):
    folder = assemble(second_stage(runs)).save_pretrained(tmp_path / "pipeline")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "shared": {"motion_features": "../secret"}}))
    with pytest.raises(ValueError, match=r"model_index.json: shared is .*secret"):
        TalkingFacePipeline.from_pretrained(folder)


def words_of(runs) -> list[str]:
    return [word for name, run in runs.items() for word in (f"--{name.replace('_', '-')}", str(run))]


def test_the_command_adds_the_code_predictor_of_codeformer(runs, tmp_path, capsys):
    """From the folder of the whole CodeFormer or of its predictor; what does not fit is one line."""
    autoencoder, codeformer = narrow_autoencoder(codes=12), narrow_codeformer()
    for name in ("image_encoder", "motion_encoder"):
        setattr(autoencoder, name, getattr(small_talking_face_pipeline().motion_autoencoder, name))
    codeformer.save_pretrained(tmp_path / "codeformer")
    codeformer.predictor.save_pretrained(tmp_path / "predictor")
    large = finished_run(tmp_path / "large", {"motion_autoencoder": autoencoder})
    words = words_of({**second_stage(runs), "motion_autoencoder": large})
    for folder in ("codeformer", "predictor"):
        out = tmp_path / f"with_{folder}"
        assert main(["assemble", *words, "--code-predictor", str(tmp_path / folder), "--out", str(out)]) == 0
        assert f"{tmp_path / folder}: codes are predicted" in capsys.readouterr().out
        loaded = TalkingFacePipeline.from_pretrained(out)
        assert loaded.code_predictor.fingerprint() == codeformer.predictor.fingerprint()
    # An autoencoder without a codebook, another network, no network, and a pipeline without frames.
    refused = (
        (words_of(second_stage(runs)), "codeformer", "codeformer does not fit: a code predictor needs a codebook"),
        (words, "large/networks/motion_autoencoder", "expected a CodeFormer or a CodePredictor"),
        (words, "nowhere", "nowhere/config.json is missing"),
        (["--scfp", str(runs["scfp"])], "codeformer", "--code-predictor has no effect on a PortraitPipeline"),
    )
    for others, folder, message in refused:
        command = ["assemble", *others, "--code-predictor", str(tmp_path / folder), "--out", str(tmp_path / "refused")]
        assert main(command) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert message in lines[0]
    assert not (tmp_path / "refused").exists()
