"""Bad options of every command: one line that names the option, a status, and nothing left behind."""

import json
import subprocess
import sys
import time

import pytest
import torch
from command_lines import WORDS

from s2tf import cli
from s2tf.cli import COMMANDS, main

WITH_JSON = sorted(
    set(WORDS)
    - {"attributes", "codes", "features", "import", "submit run", "submit chain", "sweep", "assemble", "report card"}
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
                if "shards: reading the recordings of 1000 synthetic speakers" in (tmp_path / "log").read_text():
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
