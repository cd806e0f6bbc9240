"""The keys of `data.init_args`: each datamodule knows its own and the common ones, and refuses any other."""

import pytest

from s2tf.errors import UserError
from s2tf.runs.build import build

COMMON = {"shards": "folder", "batch_size": 3, "num_workers": 0, "seed": 1, "buffer": 5, "max_broken": 2}
OWN = {
    "datamodules.frames.FrameData": {"size": 32, "frames_per_clip": 2, "frames": 3},
    "datamodules.frame_pairs.FramePairData": {
        "input_size": 32,
        "output_size": 64,
        "pairs_per_clip": 2,
        "pairs": 3,
        "span": [0.0, 0.5],
    },
    "datamodules.lip_sync.LipSyncData": {
        "size": 32,
        "windows": 3,
        "gap": 2,
        "zoom": 0.2,
        "brightness": 0.3,
        "rows": 2,
    },
    "datamodules.motion_sequences.MotionSequenceData": {
        "frames": 20,
        "require_motion": True,
        "features": True,
        "windows_per_clip": 2,
        "windows": 3,
    },
    "datamodules.speech_portrait.SpeechPortraitData": {"size": 32, "seconds": 1.0},
}
PER_CLIP_EVAL = {
    "datamodules.frames.FrameData": {"frames": "per_clip_eval"},
    "datamodules.frame_pairs.FramePairData": {"pairs": "per_clip_eval"},
    "datamodules.lip_sync.LipSyncData": {"rows": "per_clip_eval"},
    "datamodules.motion_sequences.MotionSequenceData": {"windows": "per_clip_eval"},
}
"""Keys whose attribute has another name."""


def validated(class_path, init_args, instantiate=False):
    stage = {"class_path": "lightning.pytorch.demos.boring_classes.BoringModel"}
    data = {"class_path": class_path, "init_args": init_args}
    trainer = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    config = {"seed_everything": 0, "model": stage, "data": data, "trainer": trainer}
    return build(config, instantiate=instantiate)


@pytest.mark.parametrize("class_path", OWN)
def test_fit_hands_every_key_to_the_datamodule(class_path):
    keys = {**COMMON, **OWN[class_path]}
    data = validated(class_path, keys, instantiate=True).datamodule
    names = {name: name for name in keys} | PER_CLIP_EVAL.get(class_path, {})
    found = {key: getattr(data, attribute) for key, attribute in names.items()}
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()} == keys


@pytest.mark.parametrize("class_path", OWN)
@pytest.mark.parametrize("typo", ["buffr", "per_clip_eval"])
def test_fit_refuses_an_unknown_key_by_its_name(class_path, typo):
    name = class_path.rpartition(".")[2]
    with pytest.raises(UserError, match=rf"data \({name}\).*'{typo}' is not accepted"):
        validated(class_path, {**COMMON, **OWN[class_path], typo: 1})


@pytest.mark.parametrize("class_path", OWN)
def test_fit_names_the_key_of_a_wrong_value_and_of_a_missing_one(class_path):
    with pytest.raises(UserError, match=r"seed.*Got value: x"):
        validated(class_path, {**COMMON, **OWN[class_path], "seed": "x"})
    with pytest.raises(UserError, match="batch_size"):
        validated(class_path, {"shards": "folder"})


def test_values_without_meaning_are_refused_when_the_datamodule_is_built():
    with pytest.raises(UserError, match="buffer 0"):
        validated("datamodules.speech_portrait.SpeechPortraitData", {**COMMON, "buffer": 0}, instantiate=True)
