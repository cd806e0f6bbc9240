"""The dashboards: what they show, against what is really logged and measured, and as objects of W&B's library."""

import json
import re

import pytest

from s2tf.cli import main
from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores
from s2tf.reporting.dashboards import ABLATIONS, ablation
from s2tf.reporting.paper import TABLES
from s2tf.runs.folder import find_run


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Nobody is logged in."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_row_with_experiments_is_an_arm_and_every_number_a_panel(name):
    shown, table = ablation(name), TABLES[name]
    assert [arm.label for arm in shown.arms] == [row.label for row in table.rows if row.runs]
    measured = {column.measurement for column in table.columns if column.measurement}
    bars = {key for section in shown.sections for panel in section.panels if panel.kind == "bars" for key in panel.keys}
    assert bars == {f"metrics/{one}/value" for one in measured} == set(shown.columns)


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_arms_are_the_groups_that_runs_have(name, tmp_path):
    """Each group is what a run of an experiment that is there is called."""
    for group in (group for arm in ablation(name).arms for group in arm.groups):
        table, _, row = group.partition("-")
        path = EXPERIMENTS / "ablations" / table / f"{row}.yaml" if row else EXPERIMENTS / f"{group}.yaml"
        assert find_run(path, given(path), tmp_path).experiment == group


def given(path):
    """Overrides for all that an experiment leaves open."""
    overrides = []
    while True:
        try:
            compose(path, overrides)
        except UserError as error:
            overrides.append(re.search(r"add ([\w.]+)=VALUE", str(error)).group(1) + "=x")
        else:
            return overrides


def panels(workspace):
    return [panel for section in workspace["section"]["panelBankConfig"]["sections"] for panel in section["panels"]]


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_workspace_is_built_without_a_server(name, offline):
    from s2tf.reporting.wandb_dashboards import build_workspace

    shown = ablation(name)
    model = json.loads(build_workspace(shown, "e", "p")._to_model().model_dump_json(by_alias=True, exclude_none=True))
    view = model["spec"]
    assert [one["name"] for one in view["section"]["panelBankConfig"]["sections"]] == [
        section.title for section in shown.sections
    ]
    (runs,) = view["section"]["runSets"]
    (condition,) = runs["filters"]["filters"]
    assert condition["key"] == {"section": "run", "name": "group"}
    assert condition["value"] == [group for arm in shown.arms for group in arm.groups]
    assert runs["grouping"] == [{"section": "run", "name": "group"}]
    media = [panel["config"] for panel in panels(view) if panel["viewType"] == "Media Browser"]
    assert media
    assert all(one["gridSettings"] == {"xAxis": "run", "yAxis": "step"} for one in media)
    lines = [panel["config"] for panel in panels(view) if panel["viewType"] == "Run History Line Plot"]
    assert all((one["xAxis"], one["groupBy"]) == ("trainer/global_step", "group") for one in lines)


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_report_has_the_table_and_a_set_of_runs_for_each_arm(name, offline):
    from s2tf.reporting.wandb_dashboards import build_report

    shown = ablation(name, "| method | L1 |")
    report = build_report(shown, "e", "p")._to_model().model_dump_json(by_alias=True, exclude_none=True)
    spec = json.loads(report)["spec"]
    assert "| method | L1 |" in json.dumps(spec)
    grids = [block for block in spec["blocks"] if block["type"] == "panel-grid"]
    assert len(grids) == len(shown.sections)
    for grid in grids:
        assert [runs["name"] for runs in grid["metadata"]["runSets"]] == [arm.label for arm in shown.arms]


def test_a_dry_run_writes_what_would_be_shown(tmp_path, capsys):
    file = tmp_path / "shown.json"
    assert main(["dashboard", "table3", "table10", "--dry-run", "--json", str(file)]) == 0
    first, second = json.loads(file.read_text())
    assert (first["table"], second["table"]) == ("table3", "table10")
    # The paper's own row, beside which ours will stand.
    assert "31.26" in first["text"]
    assert "Table III: the parts of the first stage" in capsys.readouterr().out


def test_finished_runs_stand_beside_the_papers_numbers(tmp_path):
    run = tmp_path / "runs" / "table11-hubert" / "1"
    measurement = Measurement("mouth correlation", 0.77, {"clips": 2}, baseline=0.0, baseline_name="another's speech")
    Scores("motion", "table11-hubert", [measurement], {"clips": 2}, []).write(run)
    speech = {"class_path": "s2tf.models.pretrained_speech.HubertFeatures"}
    config = {"seed_everything": 0, "model": {"init_args": {"speech_features": speech}}}
    (run / "config.yaml").write_text(json.dumps(config))
    file = tmp_path / "shown.json"
    assert main(["dashboard", "table11", "--dry-run", "--runs", str(tmp_path / "runs"), "--json", str(file)]) == 0
    lines = json.loads(file.read_text())[0]["text"].splitlines()
    assert "0.77" in next(line for line in lines if line.startswith("| HuBERT | ours"))
    assert "6.61" in next(line for line in lines if line.startswith("| HuBERT | paper"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table12", "--dry-run"], "table12 is no ablation with a dashboard, expected one of table3"),
        (["table3"], "expected --wandb ENTITY/PROJECT, or --dry-run"),
        (["table3", "--wandb", "project"], "expected --wandb ENTITY/PROJECT, or --dry-run"),
        (["table3", "--wandb", "e/p"], "W&B did not take the dashboard of table3 for e/p: No API key configured"),
    ],
)
def test_what_cannot_be_done_is_one_message(arguments, message, offline, capsys):
    assert main(["dashboard", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
