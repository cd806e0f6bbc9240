"""Chains run real commands, the quickest there are: `prepare --help`, and one that fails."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.runs import chain_runner
from s2tf.runs.chain_file import load_chain
from s2tf.runs.chain_runner import run_steps


def write(path, text):
    path.write_text(text)
    return path


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
    assert any(text.startswith("bad: failed with status 2") and "invalid choice: 'nothing'" in text for text in said)
    assert "usage: s2tf" in (steps[0].folder / "log.txt").read_text()


def test_done_steps_are_kept_and_changed_ones_run_again_with_what_needs_them(tmp_path, monkeypatch):
    text = "vars: {x: 1}\nsteps: {a: 'prepare --help', b: 'prepare --help {a} {x}', c: 'prepare --help {b}'}"
    path, ran = write(tmp_path / "c.yaml", text), []
    start = chain_runner._start
    monkeypatch.setattr(chain_runner, "_start", lambda step, threads: (ran.append(step.name), start(step, threads))[1])
    for settings, expected in (([], ["a", "b", "c"]), ([], []), (["x=2"], ["b", "c"]), (["x=2"], []), ([], [])):
        ran.clear()
        run_steps(load_chain(path, settings, tmp_path / "out"), 1, 1)
        assert ran == expected, settings


def exits(tmp_path, monkeypatch):
    """Stands in for the program that runs a step: a word such as `exit3` is its status."""
    package = tmp_path / "fake" / "s2tf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(
        "import pathlib, sys\n"
        "codes = [w.removeprefix('exit') for w in sys.argv if w.startswith('exit')]\n"
        "files = [pathlib.Path(w.removeprefix('status=')) for w in sys.argv if w.startswith('status=')]\n"
        "sys.exit(int(files[0].read_text() if files else codes[0] if codes else 0))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.chdir(tmp_path / "fake")


PARTIAL = """
vars:
  status: ???
steps:
  whole: runs
  partial: runs status={status}
  on: runs {partial}
  broken: runs exit1
  held_up: runs {broken}
  page:
    run: runs {whole} --steps {needs}
    after_any: ["*"]
  strict: {run: runs, after: [held_up]}
"""


def test_a_step_with_a_part_of_its_result_lets_others_go_on_and_is_tried_again(tmp_path, monkeypatch):
    exits(tmp_path, monkeypatch)
    status = tmp_path / "status"
    status.write_text("3")
    path, out, said = write(tmp_path / "c.yaml", PARTIAL), tmp_path / "out", []
    steps = load_chain(path, [f"status={status}"], out)
    expected = {"whole": "done", "partial": "partial", "on": "partial", "broken": "failed", "held_up": "waiting"}
    assert run_steps(steps, 2, 1, said.append) == {**expected, "page": "partial", "strict": "waiting"}
    assert any(text.startswith("partial: partial, a part of its result is missing, see ") for text in said)
    assert [step.name for step in steps if step.partial] == ["partial", "on", "page"]
    # The page gets the folders of all steps that it waits for, of those that failed as well.
    page = next(step for step in steps if step.name == "page")
    named = ["whole", "partial", "on", "broken", "held_up"]
    words = page.arguments[page.arguments.index("--steps") + 1 :]
    assert words == [str(step.folder) for name in named for step in steps if step.name == name]
    # Once the step finds everything, what needs it runs again, and what was whole before does not.
    status.write_text("0")
    begun = [text.partition(":")[0] for text in said if ": begins" in text]
    said.clear()
    steps = load_chain(path, [f"status={status}"], out)
    states = run_steps(steps, 2, 1, said.append)
    assert {name: states[name] for name in ("partial", "on", "page")} == {
        "partial": "done",
        "on": "done",
        "page": "partial",
    }
    again = [text.partition(":")[0] for text in said if ": begins" in text]
    assert sorted(again) == sorted(set(begun) - {"whole"})


def test_a_chain_of_partial_results_alone_ends_with_their_status(tmp_path, monkeypatch):
    exits(tmp_path, monkeypatch)
    path = write(tmp_path / "c.yaml", "steps: {a: 'runs --runs exit3'}")
    assert main(["chain", str(path), "--out", str(tmp_path / "out")]) == 3


def test_what_was_measured_of_a_run_is_measured_again_after_other_settings_wrote_there(tmp_path, monkeypatch):
    path = write(tmp_path / "c.yaml", "vars: {x: 1}\nsteps: {a: 'evaluate run here --help {x}'}")
    ran, start = [], chain_runner._start
    monkeypatch.setattr(
        chain_runner, "_start", lambda step, threads: (ran.append(step.template[-1]), start(step, threads))[1]
    )
    for settings in ([], ["x=2"], ["x=2"], []):
        run_steps(load_chain(path, settings, tmp_path / "out"), 1, 1)
    assert ran == ["1", "2", "1"]


def test_an_interrupted_rerun_goes_on_with_what_it_had_not_reached(tmp_path, monkeypatch):
    text = "vars: {x: 1}\nsteps: {b: 'prepare --help {x}', c: 'prepare --help {b}'}"
    path = write(tmp_path / "c.yaml", text)
    run_steps(load_chain(path, [], tmp_path / "out"), 1, 1)

    def interrupt(said):
        if said.startswith("b: done"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_steps(load_chain(path, ["x=2"], tmp_path / "out"), 1, 1, interrupt)
    steps = load_chain(path, ["x=2"], tmp_path / "out")
    assert [step.done for step in steps] == [True, False]


@pytest.mark.slow
def test_a_chain_that_is_stopped_stops_its_steps_and_lets_nobody_in_before(tmp_path):
    marker = tmp_path / "alive"
    # Any program that takes long; the chain starts `python -m s2tf.cli`, so it stands in for that module here.
    package = tmp_path / "fake" / "s2tf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(
        f"import pathlib, time\nwhile True:\n    pathlib.Path({str(marker)!r}).touch()\n    time.sleep(0.05)\n"
    )
    path = write(tmp_path / "c.yaml", "steps: {a: 'runs'}")
    program = (
        "import os, sys; from s2tf.cli import main; "
        f"os.environ['PYTHONPATH'] = {str(tmp_path / 'fake')!r}; os.chdir({str(tmp_path / 'fake')!r}); "
        f"sys.exit(main(['chain', {str(path)!r}, '--out', {str(tmp_path / 'out')!r}]))"
    )
    chain = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not marker.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(UserError, match="another chain is running"):
            run_steps(load_chain(path, [], tmp_path / "out"), 1, 1)
    finally:
        chain.terminate()
    assert chain.wait(30) == 128 + signal.SIGTERM
    chain.stdout.close()
    marker.unlink()
    time.sleep(0.3)
    assert not marker.exists()


@pytest.mark.slow
def test_the_command_prints_the_steps_or_fails_with_them(tmp_path, capsys):
    text = "steps: {good: 'runs --runs {out}', bad: 'shards nothing', waits: 'runs --runs {bad}', "
    path = write(tmp_path / "c.yaml", text + "goes_on: 'runs --runs {good}'}")
    out = str(tmp_path / "out")
    assert main(["chain", str(path), "--out", out, "--dry-run"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["good", "bad", "waits", "goes_on"]
    assert printed[1] == "bad: s2tf shards nothing"
    assert not Path(out).exists()
    arguments = ["chain", str(path), "--out", out, "--json", str(tmp_path / "states.json")]
    assert main(arguments) == 1
    states = json.loads((tmp_path / "states.json").read_text())
    assert (states["bad"]["state"], states["good"]["state"]) == ("failed", "done")


def test_a_misspelt_step_is_told_before_the_first_one_runs(tmp_path, capsys):
    path = write(tmp_path / "c.yaml", "steps: {first: 'runs --runs {out}', last: 'evaluate --run {first}'}")
    assert main(["chain", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"{path}: step last: '--run' is no sub-command" in said
    assert "write `s2tf evaluate run RUN`" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--seeds", "2-0"], ["--seeds", "0,"]])
def test_senseless_numbers_are_refused(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(["chain", "c.yaml", "--out", str(tmp_path), *arguments])
    assert arguments[1] in capsys.readouterr().err
