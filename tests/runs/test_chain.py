"""Chains are read to the steps that they mean, and what is wrong in one is named; none is run."""

import json
from pathlib import Path

import pytest

from s2tf.cli import parse
from s2tf.errors import UserError
from s2tf.runs import chain as chains
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
