import pytest

from s2tf.config import compose, identity_hash, merge
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
    with pytest.raises(UserError, match=r"nowhere\.yaml: no such experiment file"):
        compose(path, ["+nowhere.yaml", "vars.shards=s"])


def test_what_must_be_given_can_be_filled_in(experiment):
    assert compose(experiment("base: base.yaml"), missing="x")["data"]["init_args"]["shards"] == "x"
