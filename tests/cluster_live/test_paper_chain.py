"""The paper's chain on a real SLURM, at debug width: three of its preparations run, the rest is a dry run."""

import pytest
from paper_trees import write_networks, write_trees
from slurm_jobs import wait_for

from s2tf.cli import main
from s2tf.cluster.records import last_submission
from s2tf.runs.chain_file import load_chain

pytest.importorskip("mediapipe", reason="faces are found by the extra `mediapipe`")
pytestmark = pytest.mark.slow
PREPARED = ["voxceleb_clips", "sharp", "wild_clips"]


def test_three_steps_run_and_every_other_one_is_accepted(slurm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = [*write_trees(tmp_path / "data").settings(), *write_networks(tmp_path / "networks")]
    words = ["submit", "chain", "chains/rehearsal.yaml", *settings, "--out", "out", "--cluster", "local"]
    assert main([*words, *(word for name in PREPARED for word in ("--to", name))]) == 0
    steps = load_chain("chains/rehearsal.yaml", settings, tmp_path / "out")
    jobs = {step.name: last_submission(step.folder).job for step in steps if step.name in PREPARED}
    assert [step.name for step in steps if step.folder.exists()] == sorted(jobs, key=PREPARED.index)
    assert {name: wait_for(job, 300) for name, job in jobs.items()} == dict.fromkeys(jobs, "COMPLETED")
    assert [step.name for step in steps if step.done] == PREPARED
    capsys.readouterr()
    # Everything else is checked against what these three have written, and shown.
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("done:       ") == len(PREPARED)
    assert said.count("#SBATCH --job-name=") == len(steps) - len(PREPARED)
    waits = next(line for line in said.split("--- report\n")[1].splitlines() if "--dependency=" in line)
    assert waits.count("JOB_OF_") == len(steps) - len(PREPARED) - 1
    assert waits.startswith("#SBATCH --dependency=afterany:")
