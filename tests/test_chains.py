"""Chains run real commands, the quickest there are: `prepare --help`, and one that fails."""

import json
import re
from pathlib import Path

import pytest

from s2tf import chains
from s2tf.chains import load_chain, run_steps
from s2tf.cli import main
from s2tf.errors import UserError

CHAINS = Path(__file__).parent.parent / "experiments" / "chains"
TEXT = """
seeds: [3, 4]
vars:
  word: hello
  must: ???
steps:
  data: prepare synthetic --help
  train: prepare {data} --help {seed} {must}
  alone: fit ../some.yaml vars.x={word} +beside.yaml
  after: prepare {train} --out {out} --help
"""


def write(path, text=TEXT):
    path.write_text(text)
    return path


def test_words_are_filled_in_and_steps_are_made_for_each_seed(tmp_path):
    steps = {step.name: step for step in load_chain(write(tmp_path / "c.yaml"), ["must=1"], tmp_path / "out")}
    assert list(steps) == ["data", "train-seed3", "train-seed4", "alone", "after-seed3", "after-seed4"]
    out = tmp_path / "out"
    assert steps["train-seed4"].arguments == ["prepare", str(out / "steps/data"), "--help", "4", "1"]
    assert steps["after-seed3"].arguments[1] == str(out / "steps/train-seed3")
    assert steps["after-seed3"].arguments[3] == str(out / "steps/after-seed3")
    located = [str(tmp_path.parent / "some.yaml"), "vars.x=hello", f"+{tmp_path / 'beside.yaml'}"]
    assert steps["alone"].arguments == ["fit", *located, "--runs", str(out / "runs")]


def test_the_result_of_a_fit_is_its_run_folder(tmp_path):
    text = "steps: {one: 'fit ../a.yaml', two: 'prior ../b.yaml vars.conre={one}/networks'}"
    one, two = load_chain(write(tmp_path / "c.yaml", text), [], tmp_path / "out")
    assert two.arguments[2] == "vars.conre={one}/networks"
    one.folder.mkdir(parents=True)
    (one.folder / "done.json").write_text(json.dumps({"arguments": one.arguments, "result": "runs/a/1234"}))
    assert one.done
    assert two.arguments[2] == "vars.conre=runs/a/1234/networks"


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (TEXT, [], r"vars\.must must be given"),
        (TEXT, ["must=1", "wrod=2"], r"'wrod=2': expected key=value with a key of: word, must"),
        ("steps: {a: 'prepare {b}', b: prepare}", [], r"step a: \{b\} is no variable and no step before it"),
        ("step: {}", [], "expected `steps`"),
        ("steps: {a: prepare}\nseed: 1", [], "unknown key 'seed'"),
    ],
)
def test_what_is_wrong_in_a_chain_is_named(tmp_path, text, settings, message):
    with pytest.raises(UserError, match=message):
        load_chain(write(tmp_path / "c.yaml", text), settings, tmp_path / "out")


WITH_A_FAILURE = """
seeds: [0]
steps:
  good: prepare synthetic --help
  bad: prepare nothing
  waits: prepare synthetic --help {bad}
  goes_on: prepare synthetic --help {good}
"""


def test_a_failed_step_holds_up_only_what_needs_it_and_its_last_words_are_shown(tmp_path):
    said = []
    steps = load_chain(write(tmp_path / "c.yaml", WITH_A_FAILURE), [], tmp_path / "out")
    states = run_steps(steps, 2, 1, said.append)
    assert states == {"good": "done", "bad": "failed", "waits": "waiting", "goes_on": "done"}
    assert any("bad failed with status 2" in text and "invalid choice: 'nothing'" in text for text in said)
    assert "usage: s2tf" in (tmp_path / "out/steps/good/log.txt").read_text()


def test_done_steps_are_kept_and_changed_ones_run_again_with_what_needs_them(tmp_path, monkeypatch):
    text = "vars: {x: 1}\nsteps: {a: 'prepare --help', b: 'prepare --help {a} {x}', c: 'prepare --help {b}'}"
    path, ran = write(tmp_path / "c.yaml", text), []
    run = chains.Step.run
    monkeypatch.setattr(chains.Step, "run", lambda step, threads: (ran.append(step.name), run(step, threads))[1])
    for settings, expected in (([], ["a", "b", "c"]), ([], []), (["x=2"], ["b", "c"]), (["x=2"], [])):
        ran.clear()
        run_steps(load_chain(path, settings, tmp_path / "out"), 1, 1)
        assert ran == expected, settings


def test_the_command_prints_the_steps_or_fails_with_them(tmp_path, capsys):
    path = write(tmp_path / "c.yaml", WITH_A_FAILURE)
    # A word of the form key=value may stand behind the options.
    assert main(["chain", str(path), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "waits-seed0" not in capsys.readouterr().out
    arguments = ["chain", str(path), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "states.json")]
    assert main(arguments) == 1
    states = json.loads((tmp_path / "states.json").read_text())
    assert (states["bad"]["state"], states["good"]["state"]) == ("failed", "done")


@pytest.mark.parametrize("path", sorted(CHAINS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_chain_names_files_that_are_there(path, tmp_path):
    steps = load_chain(path, [], tmp_path)
    files = [Path(word.removeprefix("+")) for step in steps for word in step.template if word.endswith(".yaml")]
    assert files
    assert all(file.is_file() for file in files)
    assert not [word for step in steps for word in step.template if re.search(r"\{\}|\?\?\?", word)]
