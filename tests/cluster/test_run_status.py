"""`s2tf runs` where there is no SLURM: what run folders say of themselves."""

import json
import os
import signal
import socket
import time

import pytest
import yaml

from s2tf.cli import main
from s2tf.cluster import run_status as states
from s2tf.cluster.records import Submission, note
from s2tf.cluster.run_status import states_below
from s2tf.cluster.slurm import Job
from s2tf.errors import UserError
from s2tf.fault_tolerance.lock import locked
from s2tf.fault_tolerance.wandb_page import note_page


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    monkeypatch.setattr(states, "find_jobs", lambda ids: {})


def make(runs, name, *attempts, history=(), **files):
    folder = runs / name
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"trainer": {"max_steps": 100}}))
    for file, rows in (("attempts.jsonl", attempts), ("history.jsonl", history)):
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    for file, text in files.items():
        (folder / f"{file}.txt").write_text(text)
    return folder


def start(pid=0, host="elsewhere"):
    return {"event": "start", "status": "running", "host": host, "pid": pid, "reason": ""}


def end(status, reason="", **facts):
    return {"event": "end", "status": status, "reason": reason, **facts}


def found(runs):
    return {row.name: row for row in states_below(runs)}


def test_a_run_is_known_by_what_it_has_written_last(tmp_path):
    here = socket.gethostname()
    make(tmp_path, "a/new")
    make(tmp_path, "a/done", start(), end("interrupted"), start(), end("finished"))
    make(tmp_path, "a/refused", start(), end("finished"), start(), end("failed", "UserError: tracking.x: unknown key"))
    make(tmp_path, "a/stopped", start(), end("interrupted", "USR1"))
    make(tmp_path, "a/works", start(os.getpid(), here))
    make(tmp_path, "a/gone", start(2**22 + 1, here))
    make(tmp_path, "a/far", start())
    failed = make(
        tmp_path, "a/bad", start(), end("failed", "RuntimeError: x"), failure="rank 1 on n2 failed:\n\nE: y\n"
    )
    rows = found(tmp_path)
    assert {name.partition("/")[2]: row.state for name, row in rows.items()} == {
        "new": "new",
        "done": "finished",
        "refused": "finished",
        "stopped": "interrupted",
        "works": "running",
        "gone": "killed",
        "far": "killed",
        "bad": "failed",
    }
    assert (rows["a/done"].restarts, rows["a/done"].reason) == (1, "")
    assert rows["a/stopped"].reason == "USR1"
    assert rows["a/bad"].reason == "rank 1 on n2: E: y"
    (failed / "failure.txt").unlink()
    assert found(tmp_path)["a/bad"].reason == "RuntimeError: x"


def test_a_run_on_another_machine_is_alive_as_long_as_its_lock_is_held(tmp_path):
    folder = make(tmp_path, "a/far", start())
    # A lock of this very process would not be seen by it.
    child = os.fork()
    if child == 0:
        with locked(folder):
            time.sleep(60)
        os._exit(0)
    try:
        deadline = time.monotonic() + 30
        while found(tmp_path)["a/far"].state != "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert found(tmp_path)["a/far"].state == "killed"


def test_step_loss_and_the_last_checkpoint_s_age_are_shown(tmp_path, capsys):
    folder = make(tmp_path, "a/one", start(), history=[{"row": 0, "step": 8, "metrics": {"train/loss": 0.25}}])
    checkpoint = folder / "checkpoints" / "last.ckpt"
    checkpoint.touch()
    os.utime(checkpoint, (os.stat(checkpoint).st_mtime - 7200,) * 2)
    row = found(tmp_path)["a/one"]
    assert (row.step, row.steps, row.loss) == (9, 100, 0.25)
    # The ninth step is that of number 8.
    assert 7190 < row.checkpoint_age < 7300
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "9/100" in printed
    assert "0.25" in printed
    assert "2 h" in printed


VALIDATED = {"step": 11, "metrics": {"val/loss": 1.191, "val/lossy": 2.0}}
SHOWN = {"step": 11, "metrics": {}, "media": {"samples/sheet": "samples/step-00000012/sheet.png"}}


@pytest.mark.parametrize("last", [[VALIDATED], [SHOWN], [VALIDATED, SHOWN, {"step": 11, "metrics": {"epoch": 1}}]])
def test_the_loss_is_the_last_that_was_trained_on(tmp_path, last):
    trained = [{"step": step, "metrics": {"train/l1": 9.0, "train/loss": 1 / (step + 1)}} for step in (1, 9)]
    folder = make(tmp_path, "a/one", start(), history=[*trained, *last])
    row = found(tmp_path)["a/one"]
    assert (row.step, row.loss) == (12, 0.1)
    with open(folder / "history.jsonl", "a") as file:
        # Being written.
        file.write('{"step": 12, "metr')
    row = found(tmp_path)["a/one"]
    assert (row.step, row.loss, row.reason) == (12, 0.1, "")


def test_a_loss_is_found_far_from_the_journal_s_end(tmp_path):
    folder = make(tmp_path, "a/one", start())
    with open(folder / "history.jsonl", "w") as file:
        for step in range(1000):
            file.write(json.dumps({"step": step, "metrics": {"train/loss" if step < 5 else "val/é": step}}) + "\n")
        file.write(json.dumps({"step": 1000, "metrics": {}, "media": {"long": "x" * 100_000}}) + "\n")
    row = found(tmp_path)["a/one"]
    assert (row.step, row.loss) == (1001, 4.0)


@pytest.mark.parametrize(
    ("attempts", "logged", "step"),
    [
        ([start(), end("interrupted", "asked to stop, saved at step 37", step=37)], [], 37),
        ([start(), end("interrupted", "USR1", step=37), start()], [], 37),
        ([start(), end("interrupted", "USR1", step=37), start(), end("interrupted", step=None)], [], 37),
        ([start(), end("interrupted", "USR1", step=37), start()], [49], 50),
        ([start(), end("finished", step=60)], [49], 60),
        ([start()], [], None),
    ],
)
def test_steps_are_those_that_were_logged_or_saved(tmp_path, attempts, logged, step):
    make(tmp_path, "a/one", *attempts, history=[{"step": number, "metrics": {}} for number in logged])
    assert found(tmp_path)["a/one"].step == step


@pytest.mark.parametrize("text", ["trainer: {max_steps: 1", "- 1", "", "trainer: fast", b"\xff\xfe"])
def test_a_config_that_cannot_be_read_is_said_in_its_row(tmp_path, capsys, text):
    folder = make(tmp_path, "a/bad", start(), end("failed", "E: x"), history=[{"step": 1, "metrics": {}}])
    make(tmp_path, "a/good", start(), end("finished"))
    (folder / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    rows = found(tmp_path)
    assert (rows["a/bad"].state, rows["a/bad"].step, rows["a/bad"].steps) == ("failed", 2, None)
    assert rows["a/bad"].reason == "E: x; config.yaml cannot be read"
    assert (rows["a/good"].state, rows["a/good"].reason) == ("finished", "")
    assert main(["runs", "--runs", str(tmp_path)]) == 0


@pytest.mark.parametrize("line", ['{"step": 7, "me{"step": 8}', "[1]", "7", "\xff"])
@pytest.mark.parametrize("name", ["submissions.jsonl", "attempts.jsonl", "history.jsonl"])
def test_a_line_that_cannot_be_read_is_said_and_those_before_it_count(tmp_path, name, line):
    history = [{"step": 4, "metrics": {"train/loss": 0.5}}]
    folder = make(tmp_path, "a/one", start(), end("finished"), history=history)
    note(folder, Submission("13", "local", "s2tf submit", "a"))
    with open(folder / name, "a", encoding="latin-1") as file:
        file.write(f"{line}\n")
    row = found(tmp_path)["a/one"]
    assert (row.job, row.state, row.step, row.loss) == ("13", "finished", 5, 0.5)
    assert row.reason == f"{name}: a line cannot be read"


def test_the_page_in_w_b_is_that_of_the_run_or_else_of_its_submission(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_ENTITY", "someone")
    monkeypatch.delenv("WANDB_MODE")
    folder = make(tmp_path, "a/one")
    logger = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "p"}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": logger}}))
    assert found(tmp_path)["a/one"].wandb == "https://wandb.ai/someone/p"
    note(folder, Submission("13", "local", "s2tf submit", "a", wandb="https://wandb.ai/lab/p/runs/9af163ab"))
    assert found(tmp_path)["a/one"].wandb == "https://wandb.ai/lab/p/runs/9af163ab"
    note_page(folder, "https://wandb.ai/me/p/runs/9af163ab")
    assert found(tmp_path)["a/one"].wandb == "https://wandb.ai/me/p/runs/9af163ab"
    note_page(folder, "offline")
    assert found(tmp_path)["a/one"].wandb.startswith(f"offline; `for part in {folder}/wandb/")


def test_a_job_that_waits_names_what_it_needs(tmp_path, monkeypatch):
    folder = make(tmp_path, "a/child", failure="rank 0 on n1 failed:\nE: of an attempt before\n")
    note(folder, Submission("13", "local", "s2tf submit", "a", {"conre": "12", "shards": "11"}))
    for parent, child, reason in (
        (Job("12", "RUNNING"), Job("13", "PENDING", "Dependency"), "needs conre (job 12 RUNNING)"),
        (Job("12", "FAILED"), Job("13", "CANCELLED", "DependencyNeverSatisfied"), "needs conre (job 12 FAILED)"),
        (Job("12", "COMPLETED"), Job("13", "PENDING", "Resources"), "Resources"),
        (Job("12", "COMPLETED"), Job("13", "CANCELLED"), ""),
    ):
        jobs = {"11": Job("11", "COMPLETED"), "12": parent, "13": child}
        monkeypatch.setattr(states, "find_jobs", lambda ids, jobs=jobs: jobs)
        row = found(tmp_path)["a/child"]
        assert (row.state.upper(), row.reason) == (child.state, reason)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="the folder does not exist"):
        states_below(tmp_path / "nothing")


def test_the_table_says_how_each_attempt_ended(tmp_path, capsys):
    killed, here = start(2**22 + 1, socket.gethostname()), start(os.getpid(), socket.gethostname())
    make(tmp_path, "a/run", start(), end("interrupted"), killed, killed, start(), end("finished"))
    make(tmp_path, "a/works", killed, start(), end("failed", "x"), here)
    rows = found(tmp_path)
    assert rows["a/run"].endings == ("interrupted", "killed", "killed", "finished")
    assert rows["a/works"].endings == ("killed", "failed")
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "(1 failed, 1 killed)" in " ".join(capsys.readouterr().out.split())
