"""Chains run real commands, the quickest there are: `prepare --help`, and one that fails."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2tf.cli import main, parse
from s2tf.errors import UserError
from s2tf.runs import chain as chains
from s2tf.runs import chain_runner
from s2tf.runs.chain_file import load_chain, read_variables
from s2tf.runs.chain_runner import run_steps
from s2tf.runs.folder import find_run

CHAINS = Path(__file__).parents[2] / "experiments" / "chains"
PAPER = CHAINS / "paper.yaml"
TEXT = """
seeds: [3, 4]
vars:
  word: hello
  must: ???
steps:
  data: prepare synthetic --help
  train: prepare {data} --help {seed} {must}
  alone: fit ../some.yaml vars.x={word} +../beside.yaml
  after: prepare {train} --out {out} --help
"""


def write(path, text=TEXT):
    path.write_text(text)
    return path


@pytest.fixture
def experiment(tmp_path):
    """Something that composes."""
    path = tmp_path / "some.yaml"
    given = '["${vars.x}", "${vars.conre}", "${vars.a}"]'
    model = f"{{class_path: some.Model, init_args: {{given: {given}}}}}"
    path.write_text(f"vars: {{x: 1, conre: '', a: ''}}\nmodel: {model}\n")
    (tmp_path / "beside.yaml").write_text("trainer: {max_steps: 2}\n")
    (tmp_path / "chains").mkdir()
    return path


def named(path, settings, out):
    return {step.name: step for step in load_chain(path, settings, out)}


def test_words_are_filled_in_and_steps_are_made_for_each_seed(experiment, tmp_path):
    out = tmp_path / "out"
    steps = named(write(tmp_path / "chains" / "c.yaml"), ["must=1"], out)
    assert list(steps) == ["data", "train-seed3", "train-seed4", "alone", "after-seed3", "after-seed4"]
    data, train, after = (str(steps[name].folder) for name in ("data", "train-seed3", "after-seed3"))
    assert data.startswith(str(out / "steps" / "data-"))
    assert steps["train-seed4"].arguments == ["prepare", data, "--help", "4", "1"]
    assert steps["after-seed3"].arguments == ["prepare", train, "--out", after, "--help"]
    located = [str(experiment), "vars.x=hello", f"+{tmp_path / 'beside.yaml'}"]
    assert steps["alone"].arguments == ["fit", *located, "--runs", str(out / "runs")]


ONCE = """
seeds: [3, 4]
steps:
  data: prepare synthetic --help
  train: prepare {data} --help {seed}
  score: runs {train}
  page:
    run: >-
      report page {data} --figures {data} {score} --results a={score}/x --json {data} --results b={score}/y
      --runs {runs}
    once: true
    after: [train]
  on: runs {page} {seed}
"""


def test_a_step_may_be_run_once_for_all_seeds(tmp_path):
    steps = named(write(tmp_path / "c.yaml", ONCE), [], tmp_path / "out")
    assert list(steps)[-3:] == ["page", "on-seed3", "on-seed4"]
    data, three, four = (str(steps[name].folder) for name in ("data", "score-seed3", "score-seed4"))
    words = ["report", "page", data, "--figures", data, three, "--figures", data, four]
    words += ["--results", f"a={three}/x", "--results", f"a={four}/x", "--json", data]
    words += ["--results", f"b={three}/y", "--results", f"b={four}/y", "--runs", str(tmp_path / "out" / "runs")]
    page = steps["page"]
    assert page.arguments == words
    assert {step.name for step in page.needs} == {"data", "score-seed3", "score-seed4", "train-seed3", "train-seed4"}
    assert steps["on-seed4"].arguments == ["runs", str(page.folder), "4"]
    one = {step.name: step for step in load_chain(tmp_path / "c.yaml", [], tmp_path / "out", [4], to=["page"])}
    assert one["page"].arguments[-6:-2] == ["--json", data, "--results", f"b={four}/y"]


def test_the_paper_s_page_is_written_once_with_the_numbers_of_all_seeds(tmp_path):
    steps = {step.name: step for step in load_chain(PAPER, given(PAPER), tmp_path, [0, 1])}
    pages = [step for step in steps.values() if step.template[:2] == ("report", "page")]
    assert [page.name for page in pages] == ["report"]
    results = [word for word in pages[0].template if "{" in word and "=" in word]
    for table in ("table2", "table7", "table8", "table9", "table10", "table11"):
        rows = [word.replace("-seed0", "").replace("-seed1", "") for word in results if word.startswith(table)]
        assert rows, table
        assert all(rows.count(row) == 2 for row in rows)
    # What it takes is the same for all seeds.
    assert "cost" in steps
    assert set(pages[0].needs) == set(steps.values()) - {pages[0]}


def finish(step, result):
    step.folder.mkdir(parents=True)
    (step.folder / "done.json").write_text(json.dumps({"arguments": step.arguments, "result": result}))


CONRE = "steps: {one: 'fit ../some.yaml', two: 'fit ../some.yaml vars.conre={one}/networks', three: 'prepare {two}'}"


def test_the_result_of_a_fit_is_its_run_folder_which_is_known_before(experiment, tmp_path):
    one, two, three = load_chain(write(tmp_path / "chains" / "c.yaml", CONRE), [], tmp_path / "out")
    runs = tmp_path / "out" / "runs"
    folder = find_run(experiment, [], runs).folder
    assert two.arguments[2] == f"vars.conre={folder}/networks"
    assert three.arguments[1] == str(find_run(experiment, [two.arguments[2]], runs).folder)
    finish(one, "runs/a/1234")
    assert one.done
    assert two.arguments[2] == "vars.conre=runs/a/1234/networks"


def test_a_step_may_wait_for_others_whose_results_it_does_not_name(tmp_path):
    text = "steps: {a: 'prepare nothing', b: {run: 'prepare --help {runs}', after: [a], job: {parts: 2}}}"
    steps = load_chain(write(tmp_path / "c.yaml", text), [], tmp_path / "out")
    assert steps[1].arguments[-1] == str(tmp_path / "out" / "runs")
    assert steps[1].job == {"parts": 2}
    assert run_steps(steps, 1, 1) == {"a": "failed", "b": "waiting"}


def test_what_was_done_before_a_file_or_another_result_changed_is_not_done_now(experiment, tmp_path):
    path = write(tmp_path / "chains" / "c.yaml", CONRE)
    one, two, _ = load_chain(path, [], tmp_path / "out")
    finish(one, "runs/a/1234")
    finish(two, "runs/b/1234")
    chains._composed.cache_clear()
    assert [step.done for step in load_chain(path, [], tmp_path / "out")] == [True, True, False]
    experiment.write_text(experiment.read_text().replace("x: 1", "x: 2"))
    chains._composed.cache_clear()
    assert [step.done for step in load_chain(path, [], tmp_path / "out")] == [False, False, False]
    experiment.write_text(experiment.read_text().replace("x: 2", "x: 1"))
    chains._composed.cache_clear()
    (one.folder / "done.json").write_text(json.dumps({"result": "runs/a/5678"}))
    assert [step.done for step in load_chain(path, [], tmp_path / "out")] == [True, False, False]


def test_a_mistake_in_an_experiment_is_found_before_the_first_step(experiment, tmp_path):
    text = "steps: {one: 'prepare --help', two: 'fit ../some.yaml vars.conre={one} vars.cnore=1'}"
    with pytest.raises(UserError, match=r"step two: .*vars\.cnore"):
        load_chain(write(tmp_path / "chains" / "c.yaml", text), [], tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (TEXT, [], r"vars\.must must be given"),
        (TEXT, ["must=1", "wrod=2"], r"'wrod=2': expected key=value with a key of: word, must"),
        ("steps: {a: 'prepare {b}', b: prepare}", [], r"step a: \{b\} is neither a variable nor an earlier step"),
        ("step: {}", [], "expected `steps`"),
        ("steps: {a: prepare}\nseeds: 3", [], "seeds is 3, expected a list of numbers"),
        ("steps: {a: prepare}\nseeds: []", [], "seeds is "),
        ("steps: {a: 'prepare {b'}", [], "step a: expected '}' before end of string: prepare {b"),
        ("steps: {a: prepare}\nseed: 1", [], "unknown key 'seed'"),
        ("steps: {a: {run: prepare, afer: [b]}}", [], "step a: unknown key 'afer'"),
        ("steps: {a: {run: prepare, once: 2}}", [], "step a: once is 2, expected true or false"),
        ("steps: {a: {run: 'prepare {seed}', once: true}}", [], r"step a: \{seed\} has no value in a step with once"),
        ("steps: {a: {run: prepare, after: [b]}}", [], "step a: after: 'b' is no earlier step"),
        ("steps: {a: {run: prepare, after_any: ['b*']}}", [], "step a: after_any: 'b\\*' is no earlier step"),
        ("steps: {a: 'prepare --out={needs}'}", [], "step a: --out={needs}: expected {needs} as a word of its own"),
        ("steps: {a: prepare}\nchange: {b: --help}", [], "change: no step is named 'b'"),
        ("steps: {a: prepare}\nbase: c.yaml", [], "its `base:` files form a cycle"),
        ("base: nothing.yaml", [], "this chain file does not exist"),
    ],
)
def test_what_is_wrong_in_a_chain_is_named(experiment, tmp_path, text, settings, message):
    with pytest.raises(UserError, match=message):
        load_chain(write(tmp_path / "chains" / "c.yaml", text), settings, tmp_path / "out")


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


PART = """
vars: {side: 64}
steps:
  data: prepare synthetic 2 --size {side} --out {out}
  look: shards {data}
"""


def test_a_chain_is_divided_into_files_and_another_one_changes_it(tmp_path):
    write(tmp_path / "data.yaml", PART)
    write(tmp_path / "first.yaml", "base: data.yaml\nsteps: {score_a: 'runs {data}'}")
    write(tmp_path / "all.yaml", "base: [first.yaml, data.yaml]\nseeds: [1]\nsteps: {score_b: 'runs {score_a} {seed}'}")
    write(
        tmp_path / "narrow.yaml",
        "base: all.yaml\nvars: {side: 32}\nchange: {data: '--clips 1 --size 16', score_*: '--json {look}'}",
    )
    steps = named(tmp_path / "narrow.yaml", [], tmp_path / "out")
    assert list(steps) == ["data", "look", "score_a", "score_b-seed1"]
    data, look = steps["data"], str(steps["look"].folder)
    words = ["prepare", "synthetic", "2", "--out", str(data.folder), "--clips", "1", "--size", "16"]
    assert data.arguments == words
    assert steps["score_a"].arguments == ["runs", str(data.folder), "--json", look]
    assert steps["score_b-seed1"].arguments[-2:] == ["--json", look]
    # What the other chain leaves as it is keeps its folder.
    assert named(tmp_path / "all.yaml", ["side=32"], tmp_path / "out")["look"].name == "look"


def test_braces_in_a_variable_are_kept(tmp_path):
    text = "vars: {x: a}\nsteps: {a: 'prepare {x}', b: 'prepare {a}'}"
    steps = load_chain(write(tmp_path / "c.yaml", text), ["x=s3://b/{0..3}.tar"], tmp_path / "out")
    assert steps[0].arguments == ["prepare", "s3://b/{0..3}.tar"]


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


def given(path):
    """Words for all that a chain leaves open."""
    return [f"{name}={name}" for name, value in read_variables(path).items() if value == "???"]


def test_the_paper_s_steps_need_each_other_as_it_says(tmp_path):
    before: dict[str, set[str]] = {}
    for step in load_chain(PAPER, given(PAPER), tmp_path):
        parents = {parent.name.partition("-seed")[0] for parent in step.needs}
        before[step.name.partition("-seed")[0]] = parents.union(*(before[name] for name in parents))
    # Both stages learn from two data sets, as the paper says.
    assert before["scfp"] >= {"portraits", "faces", "conre", "prior"}
    assert before["lip_refiner"] == {"faces", "voxceleb_clips", "talking"}
    assert before["both"] >= {"sharp", "lip_refiner"}
    assert before["motion"] >= {"faces_codes", "talking_codes", "lip_refiner"}
    assert before["motion_plain"] >= {"faces_plain_codes", "plain"}
    assert before["pipeline"] >= {"scfp", "both", "lips", "motion"}
    assert before["report"] == set(before) - {"report"}


def test_a_chain_goes_only_as_far_as_it_is_asked_to(tmp_path):
    settings = [one for one in given(PAPER) if one.partition("=")[0] in ("avspeech", "voxceleb", "vggface", "alexnet")]
    # What the other steps leave open need not be given.
    steps = load_chain(PAPER, [*settings, "attributes=facepp"], tmp_path, to=["conre"])
    assert [step.name for step in steps] == ["voxceleb_clips", "faces", "avspeech_clips", "portraits", "conre-seed0"]
    with pytest.raises(UserError, match="--to conrE: expected a step: voxceleb_clips, "):
        load_chain(PAPER, settings, tmp_path, to=["conrE"])


@pytest.mark.parametrize("path", sorted(CHAINS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_chain_s_commands_are_known_and_its_experiments_compose(path, tmp_path):
    steps = load_chain(path, given(path), tmp_path)
    for step in steps:
        parse([*step.arguments, *(["--part", "1/2"] if "parts" in step.job else [])])
    files = [Path(word.removeprefix("+")) for step in steps for word in step.template if word.endswith(".yaml")]
    assert files
    assert all(file.is_file() for file in files)


@pytest.mark.slow
def test_a_chain_found_by_its_short_name_has_the_step_folders_of_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(CHAINS.parents[1])
    by_path = load_chain(Path("experiments/chains/portraits.yaml"), [], tmp_path)
    monkeypatch.chdir(tmp_path)
    by_name = load_chain(Path("chains/portraits.yaml"), [], tmp_path)
    assert [step.folder for step in by_name] == [step.folder for step in by_path]
    assert [step.result for step in by_name] == [step.result for step in by_path]
    with pytest.raises(
        UserError, match="^chains/portrait.yaml: this chain file does not exist; also tried /.*/chains/portrait.yaml"
    ):
        load_chain(Path("chains/portrait.yaml"), [], tmp_path)


def test_variables_of_a_chain_are_texts_as_they_are_typed(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "vars: {folder: 0123, date: 2024_11_27, rate: 1e-4, share: 0.50, none: on}\n"
        "steps: {a: 'prepare synthetic 4 --val {share} --test {rate} --out {folder}/{date}/{none}'}\n"
    )
    [step] = load_chain(path, [], tmp_path)
    assert step.arguments[3:] == ["--val", "0.5", "--test", "1e-4", "--out", "0123/2024_11_27/on"]
