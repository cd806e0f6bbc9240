"""Measurements through W&B: into a real offline run, and back from its file."""

import json
import types

import pytest
import wandb
from wandb.apis.public.summary import HTTPSummary
from wandb.sdk.lib.service.service_connection import ServiceConnection
from written_scores import video_scores

from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.reporting.wandb_records import RECORD, from_summary, log_record, read_offline, read_project, to_summary


def log(folder, name, summary, run_id=None):
    """An offline run with this summary, as W&B writes it."""
    settings = wandb.Settings(silent=True, console="off")
    run = wandb.init(project="p", mode="offline", dir=folder, name=name, id=run_id, resume="allow", settings=settings)
    run.log({"loss": 1.0})
    run.summary.update(summary)
    run.finish()


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Two seeds of HRTF in W&B's files, one of them measured twice, and a run that was never measured."""
    folder = tmp_path_factory.mktemp("logged")
    for seed in range(2):
        record = video_scores(folder / str(seed), factor=1.0 + seed)
        log(folder, f"hrtf-{seed}", to_summary(record, seed), f"run{seed}")
    log(folder, "hrtf-1", to_summary(video_scores(folder / "again", factor=3.0), 1), "run1")
    log(folder, "conre", {"val/loss": 0.5})
    # `finish` does not wait for the files.
    wandb.teardown()
    return folder


def test_a_record_is_flat_numbers_and_comes_back_whole(tmp_path):
    record = video_scores(tmp_path, crop="none", random_weights=["denoiser"])
    summary = to_summary(record, 3)
    assert summary["metrics/PSNR/value"] == 5.0
    assert summary["metrics/PSNR/baseline"] == 20.0
    assert summary["metrics/PSNR/truth"] == 100.0
    assert all(isinstance(value, (int, float, str)) for value in summary.values())
    run = from_summary(json.loads(json.dumps(summary)), "r")
    assert (run.record, run.seed) == (record, 3)
    assert from_summary({"val/loss": 1.0}, "r") is None


def test_a_number_that_is_none_is_left_out(tmp_path):
    record = video_scores(tmp_path, factor=float("nan"))
    summary = to_summary(record, 0)
    assert "metrics/PSNR/value" not in summary
    assert from_summary(summary, "r").record["measurements"]["PSNR"]["value"] is None


@pytest.mark.parametrize("summary", [{RECORD: "{"}, {RECORD: "[]", "metrics/seed": 1}, {RECORD: "{}"}, {RECORD: 3}])
def test_a_broken_record_is_named(summary):
    with pytest.raises(UserError, match=r"W&B run x: its summary's metrics/record"):
        from_summary(summary, "W&B run x")


def test_offline_runs_are_read_and_the_last_word_of_a_run_holds(logged):
    found = read_offline(logged)
    assert [(run.name, run.seed) for run in found.runs] == [("W&B run hrtf-0 (run0)", 0), ("W&B run hrtf-1 (run1)", 1)]
    assert [run.record["measurements"]["LSE-D"]["value"] for run in found.runs] == [1.0, 3.0]
    assert len(found.unmeasured) == 1
    assert found.unmeasured[0].startswith("conre (")


def test_a_logged_record_is_on_disk_when_logging_returns(tmp_path, monkeypatch):
    """However late W&B's service gets to what a finished run tells it: here it does not before it ends."""
    monkeypatch.setattr(ServiceConnection, "inform_finish", lambda self, run_id: None)
    record = video_scores(tmp_path / "scores")
    log_record(record, 7, "talking", tmp_path, None)
    (run,) = read_offline(tmp_path).runs
    assert (run.record, run.seed) == (record, 7)


def test_offline_runs_become_the_papers_table(logged, tmp_path, capsys, monkeypatch):
    # Runs of here are not asked for where W&B is.
    monkeypatch.chdir(tmp_path)
    video_scores(tmp_path / "runs" / "hrtf" / "1234", factor=100.0)
    arguments = ["report", "table", "table7", "--wandb-offline", str(logged), "--json", str(tmp_path / "t.json")]
    assert main(arguments) == 0
    lines = json.loads((tmp_path / "t.json").read_text())["lines"]
    ours = next(line for line in lines if line["source"] == "ours")
    assert (ours["method"], ours["runs"], ours["cells"]["LSE-D ↓"]["mean"]) == ("HRTF", 2, 2.0)
    printed = " ".join(capsys.readouterr().out.split())
    assert "From W&B, without comparing a run's config with its row's: W&B run hrtf-0 (run0)" in printed
    assert "Left out, since W&B has no measurements of them: conre (" in printed
    assert main([*arguments, "--runs", str(tmp_path / "runs")]) == 2
    assert "both have the seed 0" in capsys.readouterr().err
    assert main([*arguments[:4], str(tmp_path)]) == 2
    assert "no run-*.wandb below it" in capsys.readouterr().err


def test_what_can_be_read_of_a_damaged_file_is_read_and_the_damage_told(logged, tmp_path):
    whole = next(logged.rglob("run-run0.wandb")).read_bytes()
    contents = {"end": whole[:-5], "half": whole[: len(whole) // 3], "other": b"no file of that kind"}
    found = {}
    for name, content in contents.items():
        path = tmp_path / name / "offline-run-20260101_000000-a" / "run-a.wandb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        found[name] = read_offline(tmp_path / name)
    (run,) = found["end"].runs
    assert run.record["measurements"]["LSE-D"]["value"] == 1.0
    assert run.name.startswith("W&B run hrtf-0 (run0), whose run-a.wandb is damaged: ")
    for name, beginning in (("half", "hrtf-0 (run0)"), ("other", "run-a")):
        assert found[name].runs == ()
        assert found[name].unmeasured[0].startswith(f"{beginning}, whose run-a.wandb is damaged: ")


def test_a_projects_finished_runs_are_asked_for(tmp_path, monkeypatch):
    """The one place where W&B's server is needed: its answer is made up here."""
    summary = to_summary(video_scores(tmp_path), 2)
    answers = [types.SimpleNamespace(name="n", id="i", dir=str(tmp_path)) for _ in range(2)]
    for answer, one in zip(answers, (summary, {}), strict=True):
        answer.summary = HTTPSummary(answer, None, summary=one)
    asked = {}
    api = types.SimpleNamespace(runs=lambda project, filters: asked.update(project=project, **filters) or answers)
    monkeypatch.setattr(wandb, "Api", lambda: api)
    found = read_project("me/s2tf")
    assert asked == {"project": "me/s2tf", "state": "finished"}
    assert [(run.name, run.seed) for run in found.runs] == [("W&B run n (i)", 2)]
    assert found.unmeasured == ("n (i)",)


def test_a_project_that_cannot_be_reached_is_said(monkeypatch):
    def refuse():
        raise wandb.errors.UsageError("no API key")

    monkeypatch.setattr(wandb, "Api", refuse)
    with pytest.raises(UserError, match="--wandb me/s2tf: no API key"):
        read_project("me/s2tf")


def test_a_record_is_written_by_a_process_of_w_and_b_s_of_its_own(tmp_path, monkeypatch):
    # Another program's, which it hands on in the environment and which is gone.
    monkeypatch.setenv("WANDB_SERVICE", "3-1-unix-/gone/socket")
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()
    record = video_scores(tmp_path / "scores")
    log_record(record, 3, "p", tmp_path, None)
    (run,) = read_offline(tmp_path).runs
    assert run.record == record
