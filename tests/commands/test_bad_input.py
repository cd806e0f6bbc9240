"""Bad input to every command: one line that names the file or the option, a status, and nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline
from tiny_shards import tiny_shards

from s2tf import cli
from s2tf.cli import COMMANDS, main
from s2tf.media.audio import write_wav
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 54573114\n"
PAGE = b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>"
WORDS = {
    "animate": "animate {face} {speech} --pipeline {pipeline} --out {out}.mp4",
    "generate": "generate {speech} --pipeline {pipeline} --out {out}.mp4",
    "portrait": "portrait {speech} --pipeline {pipeline} --out {out}.png",
    "prepare": "prepare synthetic 4 --out {out}",
    "compare": "compare {video} {video} --names a,b --landmarks none --out {out}",
    "codes": "codes {shards} --autoencoder {pipeline}/motion_autoencoder --out {out}",
    "attributes": "attributes {shards} --attributes judges --out {out}",
    "check-faces": "check-faces judges {faces}",
    "features": "features {shards} --hubert {pipeline} --out {out}",
    "prior": "prior demo/prior.yaml vars.shards={shards} vars.conre={pipeline} --out {out}",
    "evaluate videos": "evaluate videos {video} {video} --metrics pixels --out {out}",
    "evaluate portraits": "evaluate portraits {faces} {faces} --faces judges --out {out}",
    "evaluate run": "evaluate run {pipeline} --out {out}",
    "evaluate pipeline": "evaluate pipeline {pipeline} --shards {shards} --out {out} --metrics pixels",
    "shards": "shards {shards}",
    "demo": "demo --source {faces} --out {out}",
    "chain": "chain chains/portraits.yaml --out {out} --dry-run",
    "judges": "judges --out {out}",
    "runs": "runs --runs {faces}",
    "dashboard": "dashboard --dry-run",
    "fit": "fit demo/conre.yaml vars.shards={shards} --runs {out}",
    "validate": "validate demo/conre.yaml vars.shards={shards} --runs {out}",
    "test": "test demo/conre.yaml vars.shards={shards} --runs {out}",
    "import": "import syncnet {speech} --out {out}",
    "report table": "report table table5 --runs {faces} --out {out}",
    "report table12": "report table table12 --pipeline {pipeline} --out {out}",
    "report page": "report page --runs {faces} --out {out}",
    "report figure": "report figure portraits --runs {faces} --out {out}",
    "report cost": "report cost communication",
    "bench data": "bench data",
    "bench evaluate": "bench evaluate",
    "submit run": "submit run conre.yaml --cluster nowhere --runs {out}",
    "submit chain": "submit chain chains/portraits.yaml --cluster nowhere --out {out}",
    "sweep": "sweep sweeps/prior_weighting.yaml --cluster nowhere --runs {out}",
    "assemble": "assemble --out {out} --scfp {pipeline}",
}
"""Command -> a command line whose places are filled by the fixture."""
WITH_JSON = sorted(
    set(WORDS) - {"attributes", "codes", "features", "import", "submit run", "submit chain", "sweep", "assemble"}
)
WITH_DEVICE = sorted(
    [
        *("animate", "generate", "portrait", "attributes", "check-faces", "codes", "features", "prior"),
        *(
            "evaluate videos",
            "evaluate portraits",
            "evaluate run",
            "evaluate pipeline",
            "report table12",
            "bench evaluate",
        ),
    ]
)
WITH_FOLDER = sorted(name for name in WORDS if "--out {out}" in WORDS[name] and "{out}." not in WORDS[name])


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("places")
    write_wav(root / "speech.wav", coloured_noise(0.5))
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(root / "pipeline")
    (root / "faces").mkdir()
    Image.fromarray(np.full((32, 32, 3), 120, np.uint8)).save(root / "face.png")
    Image.fromarray(np.full((32, 32, 3), 120, np.uint8)).save(root / "faces" / "face.png")
    tiny_shards(root / "shards")
    assert (
        main(
            [
                "generate",
                str(root / "speech.wav"),
                "--pipeline",
                str(root / "pipeline"),
                "--steps",
                "1",
                "--out",
                str(root / "video.mp4"),
            ]
        )
        == 0
    )
    names = {"speech": "speech.wav", "face": "face.png", "video": "video.mp4"}
    return {name: root / names.get(name, name) for name in ("speech", "face", "video", "faces", "pipeline", "shards")}


@pytest.fixture
def answer(places, tmp_path, capsys, monkeypatch):
    """Run a command line on bad input, and return its only line; the folder of its results stays empty."""
    monkeypatch.setenv("S2TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(line, *more, status=2, **other):
        out = tmp_path / "results" / "out"
        out.parent.mkdir(exist_ok=True)
        words = [word.format(**{**places, "out": out, **other}) for word in line.split()] + [str(one) for one in more]
        capsys.readouterr()
        try:
            found = main(words)
        except SystemExit as end:
            found = end.code
        error = capsys.readouterr().err
        assert found == status, error
        (only,) = error.splitlines()
        assert only.startswith("s2tf ")
        assert "Traceback" not in only
        assert not list(out.parent.iterdir()), "something was left behind"
        return only

    return run


def test_every_command_stands_in_the_table():
    assert {line.split()[0] for line in WORDS.values()} == set(COMMANDS)


class Recorded(cli.Parser):
    """A parser that is remembered."""

    found: list["Recorded"] = []  # noqa: RUF012

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.found.append(self)


@pytest.mark.parametrize("command", sorted(WORDS))
def test_no_option_takes_any_number(command, capsys):
    Recorded.found.clear()
    with pytest.raises(SystemExit, match="0"):
        cli.parse([*WORDS[command].split()[: len(command.split())], "--help"], Recorded)
    options = [action for parser in Recorded.found for action in parser._actions]
    assert not [action.option_strings for action in options if action.type in (int, float)]
    numbers = [action for action in options if action.type is not None and action.type.__name__ == "parse"]
    for action in numbers:
        for text in ("nan", "inf", "-inf", "1e999", "x", "", "9" * 5000, "²", "-101"):
            with pytest.raises(Exception, match="expected a"):
                action.type(text)


@pytest.mark.parametrize("command", WITH_JSON)
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere/x.json", "--json nowhere/x.json: its folder nowhere does not exist"),
        ("{faces}", "a folder, expected a file"),
        ("{speech}/x.json", "speech.wav is a file, expected a folder"),
        ("y" * 250, "the name is too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_first(command, path, reason, answer):
    assert reason in answer(f"{WORDS[command]} --json {path}")


@pytest.mark.parametrize("command", WITH_DEVICE)
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "gpu", "mps", "cuda:-1", "meta", "0"])
def test_a_device_that_is_not_here_is_refused_first(command, device, answer, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    told = answer(f"{WORDS[command]} --device {device}")
    assert f"--device {device}: " in told
    assert told.endswith("cpu")


@pytest.mark.parametrize("command", WITH_FOLDER)
def test_a_folder_that_cannot_be_created_is_refused_first(command, answer):
    line = WORDS[command].replace("{out}", "{speech}")
    assert "speech.wav is a file, expected a folder" in answer(line)
    assert "speech.wav is a file, expected a folder" in answer(line.replace("--out {speech}", "--out {speech}/x/y"))


@pytest.mark.parametrize("command", ["animate", "generate", "portrait"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("{out}", "the name has no suffix, expected one of ."),
        ("{out}.xyz", "the name has the suffix .xyz, expected one of ."),
        ("{out}.wav", "the name has the suffix .wav, expected one of ."),
        ("{faces}", "a folder, expected a file"),
        ("{speech}/x.SUFFIX", "speech.wav is a file, expected a folder"),
        ("y" * 250 + ".SUFFIX", "the name is too long, expected at most 200 bytes"),
    ],
)
def test_an_output_that_no_player_would_open_is_refused_first(command, path, reason, answer):
    line = WORDS[command]
    suffix = line.rpartition(".")[2]
    assert reason in answer(f"{line} --out {path.replace('SUFFIX', suffix)} --steps 1")


def test_an_output_never_replaces_an_input(answer, places):
    assert "would overwrite this input" in answer(
        f"generate {places['video']} --pipeline {{pipeline}} --out {places['video']}"
    )
    line = "animate {face} {speech} --pipeline {pipeline} --out {out}.mp4 --json {face}"
    assert "face.png: the results would overwrite this input" in answer(line)
    assert "the same file is given twice" in answer(f"{WORDS['generate']} --json {{out}}.mp4")


@pytest.mark.parametrize("command", ["animate", "generate", "portrait"])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--steps", "0"], "argument --steps: '0', expected a whole number of at least 1"),
        (["--steps", "-3"], "argument --steps: '-3', expected a whole number"),
        (["--steps", "99999999"], "steps"),
        (["--seed", "-1"], "argument --seed: '-1', expected a whole number from 0 to 4294967295"),
        (["--seed", "1" * 30], "argument --seed"),
        (["--sampler", "magic"], "argument --sampler: invalid choice: 'magic'"),
        (["--lips", "nan"], "--lips"),
    ],
)
def test_senseless_numbers_are_refused(command, options, reason, answer):
    assert reason in answer(WORDS[command], *options)


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


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (PermissionError(13, "Permission denied", "a.wav"), 2, "a.wav: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (MemoryError(), 2, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "not enough memory"),
        (KeyError("a"), 70, "unexpected KeyError: 'a'"),
        (RuntimeError("two\nlines \x1b[31m"), 70, "unexpected RuntimeError: two lines [31m"),
    ],
)
def test_an_exception_that_nobody_expected_is_one_line(error, status, reason, answer, monkeypatch, tmp_path):
    def fail(args):
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("s2tf.commands.runs.run", fail)
    told = answer(WORDS["runs"], status=status)
    assert reason in told
    traces = list(tmp_path.glob("s2tf-traceback-*.txt"))
    if status == cli.BUG_STATUS:
        assert "probably a bug of s2tf" in told
        assert str(traces[0]) in told
        assert "Traceback (most recent call last)" in traces[0].read_text()
    else:
        assert not traces


def test_the_debug_switch_prints_the_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("s2tf.commands.runs.run", lambda args: 1 / 0)
    monkeypatch.setenv(cli.DEBUG, "1")
    assert main(["runs"]) == cli.BUG_STATUS
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_checks_are_not_made_where_a_command_is_only_parsed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    parsed = cli.parse(["evaluate", "videos", "a", "b", "--device", "cuda", "--json", "nowhere/x.json"])
    assert parsed.device == "cuda"


@pytest.mark.slow
def test_a_first_line_is_there_before_the_work(tmp_path):
    """A line in a file, where a pipe's end would show it late."""
    code = "import sys, time; from s2tf.cli import main; import s2tf.demo.train as train\n"
    code += "train._recordings = lambda settings: time.sleep(60)\n"
    code += f"main(['demo', '--out', {str(tmp_path / 'demo')!r}])"
    with open(tmp_path / "log", "w") as log, subprocess.Popen([sys.executable, "-c", code], stdout=log) as process:
        try:
            for _ in range(600):
                if "shards: reading the recordings of 680 synthetic speakers" in (tmp_path / "log").read_text():
                    break
                assert process.poll() is None
                time.sleep(0.1)
            else:
                pytest.fail("no line in a minute")
        finally:
            process.kill()


def test_a_device_file_takes_the_numbers(capfd):
    assert main(["report", "cost", "communication", "--json", "/dev/stdout"]) == 0
    out = capfd.readouterr().out
    assert json.loads(out[out.index("{") :])["conre"]
