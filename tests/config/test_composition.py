import hashlib
import json
from pathlib import Path

import pytest

from s2tf.config import EXPERIMENTS, compose, find_experiment, identity_hash, merge
from s2tf.errors import UserError

BASE = """
vars:
  width: 16
  shards: ???
seed_everything: 1
trainer: {max_steps: 10, devices: 1}
model: {class_path: a.A, init_args: {width: "${vars.width}", deep: {x: 1, y: 2}}}
data: {class_path: d.D, init_args: {shards: "${vars.shards}", num_workers: 2}}
"""


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)

    def write(text, name="over.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_overlay_of_a_variable_reaches_its_uses_in_the_base(experiment):
    config = compose(experiment("base: base.yaml\nvars: {width: 32}"), ["vars.shards=s"])
    assert config["model"]["init_args"] == {"width": 32, "deep": {"x": 1, "y": 2}}
    assert "vars" not in config


def test_of_several_bases_the_later_wins(experiment):
    experiment("trainer: {max_steps: 7, precision: 32}", "cpu.yaml")
    path = experiment("base: [base.yaml, cpu.yaml]\ntrainer: {devices: 4}")
    trainer = compose(path, ["vars.shards=s"])["trainer"]
    assert trainer == {"max_steps": 7, "devices": 4, "precision": 32}


def test_a_variable_of_a_part_that_is_switched_off_need_not_be_given(experiment):
    config = compose(experiment("base: base.yaml\ndata: {init_args: {shards: here}}"))
    assert config["data"]["init_args"]["shards"] == "here"


def test_overrides_come_last_and_are_typed(experiment):
    path = experiment("base: base.yaml\nmodel: {init_args: {deep: {x: 5}}}")
    config = compose(path, ["vars.shards=s", "model.init_args.deep.x=1e-4", "trainer.max_steps=3"])
    assert config["model"]["init_args"]["deep"] == {"x": 1e-4, "y": 2}
    assert config["trainer"]["max_steps"] == 3


def test_changed_class_path_drops_the_old_init_args(experiment):
    path = experiment("base: base.yaml\nvars: {width: 2}\nmodel: {class_path: b.B, init_args: {w: '${vars.width}'}}")
    assert compose(path, ["vars.shards=s"])["model"] == {"class_path": "b.B", "init_args": {"w": 2}}
    assert merge({"class_path": "a", "init_args": {"x": 1}}, {"class_path": "a", "init_args": {"y": 2}}) == {
        "class_path": "a",
        "init_args": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize(
    ("text", "overrides", "telling"),
    [
        ("base: base.yaml", [], "shards"),
        ("base: base.yaml\nvars: {widht: 3}", ["vars.shards=s"], "vars.widht"),
        ("base: base.yaml", ["vars.shrads=s"], "vars.shrads=s"),
        ("base: base.yaml", ["vars.shards"], "key=value"),
        ("base: nowhere.yaml", [], "nowhere.yaml"),
        ("base: over.yaml", [], "cycle"),
        ("base: base.yaml\ntrianer: {}", ["vars.shards=s"], "trianer"),
        ("- a\n- b", [], "mapping"),
        ("a: [", [], "YAML"),
        ("model: ${vars.gone}", [], "vars.gone"),
        ("model: {init_args: {x: 1}}", [], "model has no class_path"),
    ],
)
def test_a_mistake_is_named(experiment, text, overrides, telling):
    with pytest.raises(UserError, match=telling.replace("$", ".")):
        compose(experiment(text), overrides)


def test_identity_ignores_how_a_run_is_computed_and_nothing_else(experiment):
    path = experiment("base: base.yaml")

    def identity(*overrides):
        return identity_hash(compose(path, ["vars.shards=s", *overrides]))

    assert identity() == identity("trainer.devices=8", "data.init_args.num_workers=0", "trainer.accelerator=gpu")
    different = {identity(), identity("seed_everything=2"), identity("vars.width=3"), identity("trainer.max_steps=11")}
    assert len(different) == 4


def test_an_overlay_on_the_command_line_goes_on_top_of_what_an_ablation_changed(experiment, tmp_path):
    (tmp_path / "debug.yaml").write_text(
        "vars: {width: 2}\ntrainer: {max_steps: 1}\nmodel: {init_args: {deep: {x: 9}}}"
    )
    path = experiment("base: base.yaml\nmodel: {class_path: b.B, init_args: {width: '${vars.width}', deep: {y: 5}}}")
    config = compose(path, [f"+{tmp_path / 'debug.yaml'}", "vars.shards=s", "trainer.devices=3"])
    assert config["model"] == {"class_path": "b.B", "init_args": {"width": 2, "deep": {"x": 9, "y": 5}}}
    assert config["trainer"] == {"max_steps": 1, "devices": 3}
    with pytest.raises(UserError, match=r"nowhere\.yaml: this experiment file"):
        compose(path, ["+nowhere.yaml", "vars.shards=s"])


def test_what_must_be_given_can_be_filled_in(experiment):
    assert compose(experiment("base: base.yaml"), missing="x")["data"]["init_args"]["shards"] == "x"


@pytest.mark.parametrize("part", ["whole", "base", "overlay", "override", "mapping"])
def test_a_renamed_key_is_read_by_its_old_name_and_hashed_by_it(experiment, tmp_path, part):
    new = experiment("base: base.yaml\nmodel: {init_args: {weights: {outside_mouth: 0.5, motion_reader: 2.0}}}")
    old = experiment("base: base.yaml\nmodel: {init_args: {weights: {elsewhere: 0.5, reading: 2.0}}}", "old.yaml")
    base, key = str(tmp_path / "base.yaml"), "model.init_args.weights"
    words = {
        "whole": [str(old)],
        "base": [str(experiment("base: old.yaml\ntrainer: {max_steps: 10}"))],
        "overlay": [base, f"+{old}"],
        "override": [base, f"{key}.elsewhere=0.5", f"{key}.reading=2.0"],
        "mapping": [base, f"{key}={{elsewhere: 0.5, reading: 2.0}}"],
    }
    config = compose(words[part][0], [*words[part][1:], "vars.shards=s"])
    assert config == compose(new, ["vars.shards=s"])
    weights = config["model"]["init_args"]["weights"]
    assert weights == {"outside_mouth": 0.5, "motion_reader": 2.0}
    config["model"]["init_args"]["weights"] = {"elsewhere": 0.5, "reading": 2.0}
    del config["trainer"]["devices"], config["data"]["init_args"]["num_workers"]
    text = json.dumps(config, sort_keys=True)
    assert identity_hash(compose(new, ["vars.shards=s"])) == hashlib.sha256(text.encode()).hexdigest()[:8]


def test_of_an_old_and_a_new_name_the_later_wins_and_both_in_one_place_are_refused(experiment):
    path = experiment("base: base.yaml\nmodel: {init_args: {weights: {reading: 1.0}}}")
    key = "model.init_args.weights"
    config = compose(path, [f"{key}.motion_reader=2", f"{key}.reading=3", "vars.shards=s"])
    assert config["model"]["init_args"]["weights"] == {"motion_reader": 3}
    with pytest.raises(
        UserError, match="reading is the old name of motion_reader: both are given, expected one of them"
    ):
        compose(path, [f"{key}={{reading: 1, motion_reader: 2}}", "vars.shards=s"])


def test_a_short_name_finds_an_experiment_of_s2tf_and_a_path_that_exists_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = EXPERIMENTS / "demo" / "conre.yaml"
    assert find_experiment("demo/conre.yaml") == find_experiment("experiments/demo/conre.yaml") == packaged
    assert compose("demo/conre.yaml", ["+small/conre.yaml"], "x") == compose(
        packaged, [f"+{EXPERIMENTS}/small/conre.yaml"], "x"
    )
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "conre.yaml").write_text("base: conre.yaml\n")
    assert find_experiment("demo/conre.yaml") == Path("demo/conre.yaml")
    with pytest.raises(UserError, match="form a cycle"):
        compose("demo/conre.yaml")
    (tmp_path / "mine.yaml").write_text("base: demo/prior.yaml\n")
    assert compose("mine.yaml", missing="x") == compose(EXPERIMENTS / "demo" / "prior.yaml", missing="x")
    with pytest.raises(
        UserError, match="^demo/conrre.yaml: this experiment file does not exist; also tried /.*/demo/conrre.yaml$"
    ):
        compose("demo/conrre.yaml")
