"""`s2tf sweep` on a real SLURM: a grid without a server, and agents that keep their trial.

There is no W&B server here: `wandb agent` is a script that draws a new number each time it is called, and starts the
sweep's command as W&B's agent does, with the run's id in `WANDB_RUN_ID`. `s2tf fit` is one that wants to go on once.
"""

import json
import re
import subprocess
import time

import pytest
from slurm_jobs import stand_in, wait_for
from tiny_shards import tiny_shards

from s2tf.cli import main
from s2tf.config import EXPERIMENTS

pytestmark = pytest.mark.slow
SWEEP = """
command: [srun, s2tf, fit, {experiment}, "${{args_no_hyphens}}"]
method: grid
parameters:
  model.init_args.speech_learning_rate: {{values: [0.1, 0.2]}}
  seed_everything: {{values: [0, 1]}}
"""
AGENT = """
draw=$(cat drawn 2>/dev/null | wc -l)
echo "$*${{WANDB_SERVICE:+ by another program}}" >>drawn
export WANDB_RUN_ID=trial$draw WANDB_SWEEP_ID=here WANDB_API_KEY=secret
exec {command} model.init_args.speech_learning_rate=0.$((draw + 1)) seed_everything=$draw {overrides}
"""
CLUSTER = """
container: env WHERE=$SLURM_JOB_ID
srun: [--label]
scratch: {}
"""
WAITING = """
run=$PWD/mine/conre/$WANDB_RUN_ID
mkdir -p "$run"
echo "$run" >"$S2TF_RUN_FILE"
echo "$SLURM_ARRAY_JOB_ID" >>"$run/jobs"
until [ -e go ]; do sleep 0.2; done
"""
FIT = """
mkdir -p run
echo "$PWD/run" >"$S2TF_RUN_FILE"
echo "start ${SLURM_RESTART_COUNT:-0} of $WANDB_RUN_ID at ${WHERE:-none}: $*"
[ "${SLURM_RESTART_COUNT:-0}" -ge 1 ] || exit 75
"""


@pytest.fixture
def sweep(slurm, tmp_path, monkeypatch):
    """Submits a sweep of ConRe."""
    shards = tiny_shards(tmp_path / "shards")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr.yaml").write_text(SWEEP.format(experiment=EXPERIMENTS / "conre.yaml"))
    debug = [f"+{EXPERIMENTS / 'debug' / 'conre.yaml'}", f"vars.shards={shards}"]
    return lambda *words: main(["sweep", "lr.yaml", *debug, "--cluster", "local", *words])


def finishing(tmp_path, monkeypatch):
    """A training that is finished at once, but for the points of the greater rate, which fail."""
    script = 'grep -q "rate: 0.2" "$2" && exit 1\nmkdir "$(dirname "$2")/networks"\n'
    stand_in(tmp_path / "bin", "s2tf", script, monkeypatch)


def test_a_grid_begins_again_with_what_is_not_finished(sweep, tmp_path, monkeypatch, capsys):
    finishing(tmp_path, monkeypatch)
    assert sweep("--local-grid", "--jobs", "2") == 0
    said = capsys.readouterr().out
    assert said.count("to run:") == 4
    assert "tasks 0-3%2" in said
    assert wait_for(re.search(r"^job: +(\d+)", said, re.M)[1]) == "FAILED"
    assert sweep("--local-grid", "--dry-run") == 0
    said = capsys.readouterr()
    assert "#SBATCH --array=2-3\n" in said.out
    assert said.err.count("finished: ") == 2
    assert "to run: model.init_args.speech_learning_rate=0.2 seed_everything=1: " in said.err


def rows(tmp_path):
    """Job and state of each row of `s2tf runs`, by name."""
    assert main(["runs", "--runs", "mine", "--json", "rows.json"]) == 0
    return {row["name"]: (row["job"], row["state"]) for row in json.loads((tmp_path / "rows.json").read_text())}


def test_a_trial_whose_job_has_ended_is_taken_up_before_another_is_drawn(sweep, tmp_path, monkeypatch, capsys):
    there = ["--id", "us/faces/here", "--runs", "mine"]
    assert sweep("--dry-run", *there) == 0
    command, _, overrides = capsys.readouterr().out.splitlines()[-1].partition(" '${args_no_hyphens}' ")
    agent = AGENT.format(command=command.removeprefix("# command of the sweep: "), overrides=overrides)
    stand_in(tmp_path / "bin", "wandb", agent, monkeypatch)
    stand_in(tmp_path / "bin", "s2tf", WAITING, monkeypatch)
    assert sweep(*there) == 0
    first = re.search(r"^job: +(\d+)", capsys.readouterr().out, re.M)[1]
    run = tmp_path / "mine" / "conre" / "trial0"
    log = run / f"slurm-{first}_1.out"
    deadline = time.monotonic() + 60
    while not log.is_symlink():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert f"job {first}_1, start 1" in log.read_text()
    assert rows(tmp_path)["conre/trial0"] == (f"{first}_1", "RUNNING")
    subprocess.run(["scancel", first], check=True)
    assert wait_for(first) == "CANCELLED"
    assert rows(tmp_path)["conre/trial0"] == (f"{first}_1", "cancelled")
    (tmp_path / "go").touch()
    capsys.readouterr()
    assert sweep("--jobs", "2", *there) == 0
    second = re.search(r"^job: +(\d+)", capsys.readouterr().out, re.M)[1]
    assert wait_for(second) == "COMPLETED"
    assert len((tmp_path / "drawn").read_text().splitlines()) == 2
    assert set((run / "jobs").read_text().split()) == {first, second}
    assert set((run.parent / "trial1" / "jobs").read_text().split()) == {second}
    found = rows(tmp_path)
    assert {found[f"conre/trial{number}"] for number in (0, 1)} == {(f"{second}_{n}", "finished") for n in (1, 2)}
    # All are over: the next draws.
    assert sweep(*there) == 0
    assert wait_for(re.search(r"^job: +(\d+)", capsys.readouterr().out, re.M)[1]) == "COMPLETED"
    assert len((tmp_path / "drawn").read_text().splitlines()) == 3


def test_a_job_that_is_queued_again_goes_on_with_its_trial_and_draws_no_other(sweep, tmp_path, monkeypatch, capsys):
    assert sweep("--dry-run", "--id", "us/faces/here", "--runs", "mine") == 0
    command, _, overrides = capsys.readouterr().out.splitlines()[-1].partition(" '${args_no_hyphens}' ")
    agent = AGENT.format(command=command.removeprefix("# command of the sweep: "), overrides=overrides)
    stand_in(tmp_path / "bin", "wandb", agent, monkeypatch)
    stand_in(tmp_path / "bin", "s2tf", FIT, monkeypatch)
    # As asking W&B for the sweep leaves it behind; on another node nobody answers there.
    monkeypatch.setenv("WANDB_SERVICE", "3-1-unix-/gone/socket")
    # The sweep's command was made for another cluster.
    (tmp_path / "other.yaml").write_text(CLUSTER.format(tmp_path / "scratch"))
    assert sweep("--jobs", "1", "--id", "us/faces/here", "--runs", "mine", "--cluster", "other.yaml") == 0
    said = capsys.readouterr().out
    assert "/us/faces/sweeps/here" in said
    job = re.search(r"^job: +(\d+)", said, re.M)[1]
    assert wait_for(job) == "COMPLETED"
    assert (tmp_path / "drawn").read_text() == "agent --count 1 us/faces/here\n"
    folder = next((tmp_path / "mine" / "sweeps").iterdir())
    log = (folder / f"slurm-{job}_1.out").read_text()
    point = "model.init_args.speech_learning_rate=0.1 seed_everything=0"
    for start in (0, 1):
        assert re.search(rf"0: start {start} of trial0 at \d+: fit {EXPERIMENTS / 'conre.yaml'} {point} ", log)
    assert f"{overrides}\n" in log
    assert overrides.endswith(f"--runs {tmp_path / 'mine'}")
    assert (tmp_path / "scratch" / str(tmp_path)[1:] / "shards" / "manifest.json").is_file()
    assert "secret" not in (folder / f"trial-{job}_1").read_text()
