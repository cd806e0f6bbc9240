"""Sweeps in W&B's form: their points, what W&B's agent runs, and that the ready ones compose."""

import importlib
import re
import subprocess

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from s2tf.cluster.settings import SLURM
from s2tf.cluster.sweeps import MACRO, load_sweep
from s2tf.config import EXPERIMENTS, compose, named_experiment
from s2tf.errors import UserError
from s2tf.reporting.paper import TABLES

GIVEN = {
    "prior_weighting": ["vars.shards=s", "vars.conre=c", "vars.prior=p"],
    "controls": ["vars.shards=s", "vars.conre=c", "vars.prior=p"],
    "face_parts": ["vars.shards=s", "vars.vgg=random"],
    "speech_encoders": ["vars.shards=s", "vars.hubert=h", "vars.wav2vec=w"],
}
READY = sorted((EXPERIMENTS / "sweeps").glob("*.yaml"))


@pytest.fixture
def at_home(monkeypatch):
    """The ready sweeps name experiments as a user does, from the folder that holds them."""
    monkeypatch.chdir(EXPERIMENTS.parent)


def ready(name, tmp_path):
    sweep = load_sweep(EXPERIMENTS / "sweeps" / f"{name}.yaml", GIVEN[name])
    return [sweep.run(point, tmp_path) for point in sweep.grid()]


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_point_of_a_ready_sweep_is_a_run_of_its_own(path, at_home, tmp_path):
    folders = [run.folder for run in ready(path.stem, tmp_path)]
    assert len(set(folders)) == len(folders) >= 6


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_the_points_of_a_ready_sweep_are_rows_of_the_paper_s_tables_and_judged_as_their_stage_is(
    path, at_home, tmp_path
):
    rows = {name for table in TABLES.values() for row in table.rows for name in row.runs}
    metric = load_sweep(path).config["metric"]
    for run in ready(path.stem, tmp_path):
        assert run.experiment in rows
        module, _, name = run.config["model"]["class_path"].rpartition(".")
        best, mode = getattr(importlib.import_module(module), name).best
        assert metric == {"name": best, "goal": {"min": "minimize", "max": "maximize"}[mode]}


def test_the_ready_sweeps_switch_what_they_say(at_home, tmp_path):
    weighting = [
        run.config["model"]["init_args"]["diffusion"]["init_args"]["weighting"]["class_path"].rpartition(".")[2]
        for run in ready("prior_weighting", tmp_path)
    ]
    assert weighting[::3] == [
        "SampleAdaptiveWeighting",
        "AttentionWeighting",
        "SampleEquivalentWeighting",
        "NoPrior",
    ]
    parts = [run.config["model"]["init_args"]["autoencoder"]["init_args"] for run in ready("face_parts", tmp_path)]
    on = [(one["codebook"] is not None, one["lip_refiner"] is not None) for one in parts]
    assert on[::3] == [(False, False), (False, True), (True, False), (True, True)]
    speech = [run.config["model"]["init_args"]["speech_features"] for run in ready("speech_encoders", tmp_path)]
    weights = [(one["class_path"].rpartition(".")[2], one["init_args"]["weights"]) for one in speech]
    assert weights[::3] == [("HubertFeatures", "h"), ("Wav2Vec2Features", "w")]


def test_what_w_b_s_agent_makes_of_a_point_is_the_point_of_the_grid(at_home, tmp_path):
    sweep = load_sweep(EXPERIMENTS / "sweeps" / "prior_weighting.yaml", GIVEN["prior_weighting"])
    drawn = {name: {"value": spec["values"][1]} for name, spec in sweep.parameters.items()}
    command = sweep.command(tmp_path / "trial.sh", tmp_path / "elsewhere")
    assert command[:4] == ["bash", str(tmp_path / "trial.sh"), "s2tf", "fit"]
    assert command[-2:] == ["--runs", str(tmp_path / "elsewhere")]
    at = command.index(MACRO)
    words = [*command[4:at], *create_sweep_command_args({"args": drawn})["args_no_hyphens"], *command[at + 1 : -2]]
    experiment, overrides = named_experiment(words)
    folder = sweep.run(sweep.grid()[4], tmp_path).folder
    assert experiment.name == "attention.yaml"
    assert compose(experiment, overrides) == sweep.run(sweep.grid()[4], tmp_path).config
    assert "table5-attention" in str(folder)


SWEEP = "method: grid\nparameters: {{{}}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parameters: {a: {values: [1]}}", "expected `method`, `command` and `parameters`"),
        (SWEEP.format("a: {valuse: [1]}"), "parameters.a: 'valuse': expected W&B's form"),
        (SWEEP.format("a: 1"), "parameters.a: '1': expected W&B's form"),
        (
            SWEEP.format("trainer.num_nodes: {values: [1, 2]}"),
            "parameters.trainer.num_nodes: results do not depend on this key",
        ),
        (SWEEP.format("tracking.samples: {min: 1, max: 4}"), "all its values would be the same run in one folder"),
        (SWEEP.format("a: {value: 1}") + "command: [python, x.py]", "expected [srun, s2tf, fit, ..., "),
    ],
)
def test_what_is_wrong_in_a_sweep_is_named(tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        load_sweep(tmp_path / "s.yaml")


def test_only_values_make_a_grid(tmp_path):
    (tmp_path / "s.yaml").write_text(SWEEP.format("lr: {min: 0.1, max: 1.0}"))
    sweep = load_sweep(tmp_path / "s.yaml")
    assert sweep.example() == ["lr=0.1"]
    with pytest.raises(UserError, match=r"parameters\.lr has neither `value` nor `values`"):
        sweep.grid()


def test_what_is_the_same_for_all_points_may_be_where_they_are_computed(tmp_path):
    (tmp_path / "s.yaml").write_text(SWEEP.format("trainer.devices: {value: 2}, a: {values: [1, 2]}"))
    assert load_sweep(tmp_path / "s.yaml").grid()[1] == ["trainer.devices=2", "a=2"]


def test_null_in_a_sweep_is_null_in_a_run(tmp_path):
    """W&B's agent writes it as None, of which trial.sh makes null again."""
    (tmp_path / "a.yaml").write_text("trainer: {gradient_clip_val: 3.0}\n")
    (tmp_path / "s.yaml").write_text(SWEEP.format("trainer.gradient_clip_val: {values: [null, 1.0]}"))
    (point, _) = load_sweep(tmp_path / "s.yaml").grid()
    assert compose(tmp_path / "a.yaml", point) == {"trainer": {"gradient_clip_val": None}}
    drawn = {"trainer.gradient_clip_val": {"value": None}, "a": {"value": "None of it"}}
    words = create_sweep_command_args({"args": drawn})["args_no_hyphens"]
    script = f"launch() {{ printf '%s\\n' \"$@\"; }}\nexport -f launch\nexport S2TF_TRIAL={tmp_path}/trial\n"
    done = subprocess.run(
        ["bash", "-c", f'{script}bash {SLURM}/trial.sh "$@"', "bash", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [*point, "a=None of it"]


def test_an_overlay_with_a_name_goes_on_top_or_not_at_all(tmp_path):
    (tmp_path / "a.yaml").write_text("trainer: {max_steps: 1}\n")
    (tmp_path / "b.yaml").write_text("trainer: {max_steps: 2}\n")
    for word, steps in ((f"+{tmp_path / 'b.yaml'}", 2), (f"+width={tmp_path / 'b.yaml'}", 2), ("+width=none", 1)):
        assert compose(tmp_path / "a.yaml", [word])["trainer"]["max_steps"] == steps


def test_values_of_a_sweep_are_texts_as_they_are_typed(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "method: grid\nprogram: s2tf\n"
        "parameters: {vars.shards: {values: [0123, 2024_11_27, on]}, model.init_args.lr: {values: [1e-4, 0.5, null]}}"
    )
    points = load_sweep(path).grid()
    assert {point[0] for point in points} == {"vars.shards=0123", "vars.shards=2024_11_27", "vars.shards=on"}
    assert [point[1].partition("=")[2] for point in points[:3]] == ["1e-4", "0.5", "null"]
