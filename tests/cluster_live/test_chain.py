"""`s2tf submit chain` on a real SLURM: steps wait for what they need, and a failed one is named by those it held up."""

import json
from pathlib import Path

import pytest
from slurm_jobs import wait_for
from video_folders import talking, write

from s2tf.cli import main
from s2tf.cluster.records import last_submission
from s2tf.runs.chain_file import load_chain

pytestmark = pytest.mark.slow
CHAIN = """
steps:
  good: dashboard table3 --dry-run
  parted:
    run: prepare synthetic 4 --clips 1 --seconds 1.6 --size 64 --samples-per-shard 1 --out {out}
    job: {parts: 2}
  bad: shards {good}
  waits: {run: "shards {bad}", after: [parted]}
  goes_on: shards {parted} --verify
  gap:
    run: evaluate videos made true --metrics pixels --size 64 --out {out}
    job: {parts: 2}
  page: {run: "shards {parted}", after_any: ["*"]}
"""


@pytest.fixture
def chain(slurm, tmp_path, monkeypatch):
    """Submits the chain; its steps by name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CHAIN)
    # One of two generated videos is no video.
    for name in ("a", "b"):
        write(tmp_path / "true" / f"{name}.mp4", talking(3))
        write(tmp_path / "made" / f"{name}.mp4", talking(4))
    (tmp_path / "made" / "b.mp4").write_bytes(b"no video")
    out = tmp_path / "out"

    def call(*words):
        assert main(["submit", "chain", "c.yaml", "--out", str(out), "--cluster", "local", *words]) == 0
        return {step.name: step for step in load_chain(tmp_path / "c.yaml", [], out)}

    return call


def test_steps_wait_for_what_they_need_and_a_failed_one_is_named(chain, tmp_path, capsys):
    steps = chain()
    jobs = {name: last_submission(step.folder).job for name, step in steps.items()}
    assert last_submission(steps["waits"].folder).needs == {"bad": jobs["bad"], "parted": jobs["parted"]}
    assert {name: wait_for(job) for name, job in jobs.items()} == {
        "good": "COMPLETED",
        "parted": "COMPLETED",
        "bad": "FAILED",
        "waits": "CANCELLED",
        "goes_on": "COMPLETED",
        "gap": "COMPLETED",
        "page": "COMPLETED",
    }
    assert [name for name, step in steps.items() if step.done] == ["good", "parted", "goes_on"]
    # What lacks a part holds nothing up, and a page is written after steps that failed.
    assert [name for name, step in steps.items() if step.partial] == ["gap", "page"]
    assert "failed: b: " in "".join(path.read_text() for path in steps["gap"].folder.glob("slurm-*.out"))
    assert (steps["parted"].folder / "manifest.json").is_file()
    assert "manifest.json" in next(steps["bad"].folder.glob("slurm-*.out")).read_text()
    capsys.readouterr()
    assert main(["runs", "--runs", "out", "--json", "states.json"]) == 0
    rows = {
        row["name"].partition("/")[2].rpartition("-")[0]: row for row in json.loads(Path("states.json").read_text())
    }
    assert rows["waits"]["reason"] == f"needs bad (job {jobs['bad']} FAILED)"
    assert rows["good"]["state"] == "finished"
    assert rows["gap"]["state"] == "partial"
    chain()
    said = capsys.readouterr().out
    assert said.count("done:") == 3
    assert said.count("job:") == 4
    again = {name: last_submission(step.folder).job for name, step in steps.items()}
    assert [name for name in jobs if again[name] != jobs[name]] == ["bad", "waits", "gap", "page"]


def test_a_dry_run_shows_every_script_and_queues_nothing(chain, tmp_path, capsys):
    chain("--dry-run")
    said = capsys.readouterr().out
    assert "#SBATCH --array=1-2\n" in said
    assert '--part "$SLURM_ARRAY_TASK_ID/2"' in said
    assert "#SBATCH --dependency=afterok:JOB_OF_bad:JOB_OF_parted\n" in said
    assert "#SBATCH --dependency=afterok:JOB_OF_parted,afterany:JOB_OF_good:" not in said
    assert "#SBATCH --dependency=afterany:JOB_OF_good:JOB_OF_parted:JOB_OF_bad:" in said
    assert not (tmp_path / "out").exists()
