"""Bad files for the commands that open pipelines: one line that names the file, and nothing left behind."""

import os
import shutil

import numpy as np
import pytest
from command_lines import WORDS
from PIL import Image

from s2tf.cli import main

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 54573114\n"
PAGE = b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>"


def float_wav(path, samples):
    data = np.asarray(samples, "<f4").tobytes()
    head = b"WAVEfmt " + np.array([16], "<u4").tobytes() + np.array([3, 1], "<u2").tobytes()
    head += np.array([16000, 64000], "<u4").tobytes() + np.array([4, 32], "<u2").tobytes()
    head += b"data" + np.array([len(data)], "<u4").tobytes()
    path.write_bytes(b"RIFF" + np.array([len(head) + len(data)], "<u4").tobytes() + head + data)
    return path


def bad_speech(kind, path, places):
    """Write a bad sound file."""
    samples = np.sin(np.arange(8000) / 9) / 2
    if kind in ("nan", "inf"):
        samples[5000] = float(kind)
        return float_wav(path, samples)
    if kind == "no samples":
        return float_wav(path, [])
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        picture = places["face"].read_bytes()
        path.write_bytes(
            {"empty": b"", "page": PAGE, "pointer": POINTER, "picture": picture, "noise": b"\1\2" * 99}[kind]
        )
    return path


@pytest.mark.parametrize("command", ["animate", "generate", "portrait"])
@pytest.mark.parametrize(
    "kind", ["nan", "inf", "no samples", "folder", "missing", "empty", "page", "pointer", "picture", "noise"]
)
def test_bad_sound_is_named_as_sound(command, kind, answer, tmp_path, places):
    path = bad_speech(kind, tmp_path / f"bad-{command}.wav", places)
    told = answer(WORDS[command], speech=path)
    assert str(path) in told
    assert "--crop" not in told
    if kind in ("nan", "inf"):
        assert "finite" in told
        assert "0.31" in told


@pytest.mark.parametrize("command", ["animate", "generate", "portrait"])
def test_one_sample_of_sound_is_enough(command, places, tmp_path):
    speech, out = float_wav(tmp_path / "one.wav", [0.5]), tmp_path / "one"
    words = [word.format(**{**places, "speech": speech, "out": out}) for word in WORDS[command].split()]
    assert main([*words, "--steps", "1"]) == 0


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("flat", "a picture of 9000x2 pixels, expected at least 8 on each side"),
        ("empty", "it is empty or only zeros (0 bytes): copy or download it again; expected a picture"),
        ("page", "it is an HTML page"),
        ("pointer", "it is a pointer of git-lfs for a file of"),
        ("missing", "does not exist"),
        ("folder", ""),
        ("cut", "is cut off or damaged"),
    ],
)
def test_bad_pictures_are_named_as_pictures(kind, reason, answer, tmp_path, places):
    path = tmp_path / "bad.png"
    if kind == "flat":
        Image.new("RGB", (9000, 2)).save(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut":
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:3000])
    elif kind != "missing":
        path.write_bytes({"empty": b"", "page": PAGE, "pointer": POINTER}[kind])
    told = answer(WORDS["animate"], face=path)
    assert str(path) in told
    assert reason in told


def half(path):
    return path.read_bytes()[: path.stat().st_size // 2]


WEIGHTS = "face_decoder/weights.safetensors"
CONFIG = "face_decoder/config.json"
INDEX = "model_index.json"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (WEIGHTS, half, "is cut off: "),
        (WEIGHTS, lambda path: path.read_bytes()[:-1], "is cut off: "),
        (WEIGHTS, lambda path: path.read_bytes()[:5], "no file of safetensors"),
        (WEIGHTS, lambda path: path.read_bytes() + b"more", "is longer than its contents: "),
        (WEIGHTS, lambda path: b"", "is empty or only zeros (0 bytes)"),
        (WEIGHTS, lambda path: bytes(9999), "is empty or only zeros (9999 bytes)"),
        (WEIGHTS, lambda path: POINTER, "is a pointer of git-lfs for a file of 54573114 bytes: run `git lfs pull`"),
        (WEIGHTS, lambda path: PAGE, "is an HTML page, 'Quota exceeded'"),
        (WEIGHTS, lambda path: b"\x93NUMPY" * 20, "is a NumPy array"),
        (WEIGHTS, lambda path: (path.parents[1] / "motion_diffusion/weights.safetensors").read_bytes(), "does not fit"),
        (WEIGHTS, None, "is missing: expected a folder written by `save_pretrained`"),
        (CONFIG, lambda path: b"{", "is cut off: its JSON ends after 1 bytes"),
        (CONFIG, half, "is cut off: its JSON ends after"),
        (CONFIG, lambda path: b"", "is empty"),
        (CONFIG, lambda path: POINTER, "is a pointer of git-lfs"),
        (CONFIG, lambda path: b"[]", "class_path is None"),
        (
            CONFIG,
            lambda path: b'{"class_path": "s2tf.no.such"}',
            "class_path 's2tf.no.such' is no class of this version",
        ),
        (CONFIG, lambda path: b'{"class_path": "os.system"}', "expected the path of a class of this package"),
        (CONFIG, lambda path: path.read_bytes().replace(b"32", b'"big"'), "config.json"),
        (CONFIG, lambda path: b"\xff\xfe\x00x", "is no text in UTF-8"),
        (INDEX, half, "is cut off: its JSON ends after"),
        (INDEX, lambda path: PAGE, "is an HTML page, 'Quota exceeded'"),
        (INDEX, lambda path: POINTER, "is a pointer of git-lfs"),
        (INDEX, lambda path: b"{}", "entry 'components' is missing"),
        (INDEX, lambda path: path.read_bytes().replace(b'"steps": 3', b'"steps": "many"'), "steps"),
        (INDEX, lambda path: path.read_bytes().replace(b'"seconds": 3.0', b'"seconds": -1'), "seconds"),
        (INDEX, None, "is missing: expected a pipeline folder"),
    ],
)
def test_a_pipeline_that_is_not_whole_is_named(name, content, reason, answer, places, tmp_path):
    broken = shutil.copytree(places["pipeline"], tmp_path / "pipeline")
    new = None if content is None else content(broken / name)
    (broken / name).unlink()
    if new is not None:
        (broken / name).write_bytes(new)
    told = answer(WORDS["generate"], pipeline=broken)
    assert str(broken / name) in told
    assert reason in told


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder(answer, places, tmp_path):
    broken = shutil.copytree(places["pipeline"], tmp_path / "pipeline")
    (broken / CONFIG).unlink()
    (broken / CONFIG).mkdir()
    assert "config.json" in answer(WORDS["generate"], pipeline=broken)
    assert "model_index.json" in answer(WORDS["generate"], pipeline=places["speech"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_named(answer, places, tmp_path):
    speech = shutil.copy(places["speech"], tmp_path / "secret.wav")
    os.chmod(speech, 0)
    assert "secret.wav" in answer(WORDS["generate"], speech=speech)
