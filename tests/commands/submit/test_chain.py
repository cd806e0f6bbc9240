"""Refusals of `s2tf submit chain`, and its dry run; tests/cluster_live has the rest."""

import pytest
import yaml
from slurm_jobs import stand_in
from slurm_stubs import stub_slurm

from s2tf.cli import main
from s2tf.cluster import queue_chain, queue_runs
from s2tf.config import EXPERIMENTS
from s2tf.runs.chain_file import load_chain

CHAIN = """
steps:
  train: {{run: "fit e.yaml", job: {job}}}
"""


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """Tries a chain of one training with a `job`; the status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue_runs, "installed", lambda: False)
    (tmp_path / "e.yaml").write_text("trainer: {max_steps: 1}\n")

    def call(job, *more):
        (tmp_path / "c.yaml").write_text(CHAIN.format(job=job))
        words = ["submit", "chain", "c.yaml", "--out", "out", "--cluster", "local", "--dry-run", *more]
        return main(words)

    return call


@pytest.mark.parametrize("job", ["{parts: 2}", "{gpus: 1}"])
def test_a_training_is_sized_by_its_trainer(chain, capsys, job):
    assert chain(job) == 2
    assert f"step train: job: {job[1:-4]} has no effect on a training" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--array", "seeds=0-2"], ["--jobs", "3"], ["--runs", "there"]])
def test_an_option_of_trainings_is_refused(chain, capsys, words):
    with pytest.raises(SystemExit, match="2"):
        chain("{}", *words)
    assert f"unrecognized arguments: {words[0]}" in capsys.readouterr().err


def test_a_dry_run_marks_no_finished_training_as_done(chain, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(CHAIN.format(job="{}"))
    step = load_chain(tmp_path / "c.yaml", [], tmp_path / "out")[0]
    (step.run.folder / "networks").mkdir(parents=True)
    assert chain("{}") == 0
    assert "finished: " in capsys.readouterr().out
    assert not step.folder.exists()


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Submits a chain of these steps behind one that makes shards, `a`; the status, and the jobs' folder."""
    monkeypatch.chdir(tmp_path)
    jobs = stub_slurm(tmp_path, monkeypatch)
    (tmp_path / "e.yaml").write_text("trainer: {max_steps: 1}\n")

    def call(*lines):
        steps = {"a": "prepare synthetic 2 --out {out}"} | dict(zip("bc", lines, strict=False))
        (tmp_path / "c.yaml").write_text(yaml.safe_dump({"vars": {"data": "???"}, "steps": steps}, sort_keys=False))
        status = main(["submit", "chain", "c.yaml", "data=d/NOWHERE", "--out", "out", "--cluster", "local"])
        return status, jobs

    return call


PRIOR = f"prior {EXPERIMENTS}/prior.yaml --out {{out}} vars.conre="


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prepare nothing-such foo", "argument dataset: invalid choice: 'nothing-such'"),
        ("shards {a} --bogus 3", "unrecognized arguments: --bogus 3"),
        ("evalute run {a}", "invalid choice: 'evalute'"),
        ("shards {a} --help", "unrecognized arguments: --help"),
        ({"run": "shards {a}", "job": {"parts": 2}}, "unrecognized arguments: --part 1/2"),
        ("prepare avspeech {data} --out {out}", "source is 'd/NOWHERE', which does not exist, and no earlier step"),
        ("evaluate pipeline {a} --shards {a} --weights {data} --out {out}", "weights is 'd/NOWHERE'"),
        ("evaluate pipeline {a} --shards {data} --out {out}", "shards is 'd/NOWHERE'"),
        ("evaluate run {a} --faces vggface={data}", "faces is 'd/NOWHERE'"),
        ("compare {a}/x.mp4 {data} --out {out}", "videos is 'd/NOWHERE'"),
        (f"{PRIOR}{{data}} vars.shards={{a}}", "prior.face_encoder is 'd/NOWHERE/face_encoder', which does not exist"),
        (f"{PRIOR}{{a}} vars.shards={{data}}", "no folder 'd/NOWHERE'"),
        (f"{PRIOR}{{a}} vars.shards={{a}} prior.sed=1", "'prior' does not accept option 'sed'"),
        ("fit e.yaml", "model"),
        ("fit e.yaml --save-every 5steps", "--save-every: a training is queued without options"),
    ],
)
def test_where_one_step_is_wrong_none_is_queued(steps, tmp_path, capsys, line, message):
    status, jobs = steps(line)
    errors = capsys.readouterr().err
    assert status == 2
    assert "s2tf submit chain: step b" in errors
    assert message in errors
    assert not list(jobs.iterdir())
    assert not (tmp_path / "out").exists()


def test_each_step_waits_for_what_it_reads_and_may_read_what_another_makes(steps, capsys):
    status, jobs = steps(f"{PRIOR}{{a}} vars.shards={{a}}", "report table table8 --results HRTF={b}/x --out {out}")
    assert status == 0
    assert capsys.readouterr().out.count("job: ") == 3
    scripts = [path.read_text() for path in sorted(jobs.glob("*.sbatch"))]
    assert len(scripts) == 3
    assert "--dependency" not in scripts[0]
    assert "#SBATCH --dependency=afterok:100\n" in scripts[1]
    assert "#SBATCH --dependency=afterok:101\n" in scripts[2]
    assert steps(f"{PRIOR}{{a}} vars.shards={{a}}")[0] == 0
    assert "job 101 is PENDING" in capsys.readouterr().out
    assert len(list(jobs.glob("*.sbatch"))) == 3


def test_a_dry_run_says_once_that_no_cluster_answers(tmp_path, monkeypatch, capsys):
    asked = tmp_path / "asked"
    refusal = "sbatch: fatal: Could not establish a configuration source"
    stand_in(tmp_path / "bin", "sbatch", f"echo asked >>{asked}; echo '{refusal}' >&2; exit 1", monkeypatch)
    monkeypatch.setattr(queue_runs, "installed", lambda: True)
    names = [f"step{number}" for number in range(4)]
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"steps": dict.fromkeys(names, "prepare synthetic 2 --out {out}")}))
    words = ["submit", "chain", str(path), "--out", str(tmp_path / "out"), "--cluster", "local", "--dry-run"]
    for _ in range(2):
        asked.unlink(missing_ok=True)
        assert main(words) == 0
        printed, notes = capsys.readouterr()
        assert printed.count("#SBATCH --job-name=") == len(names)
        assert notes.count("note: SLURM was not asked: sbatch reaches no cluster") == 1
        assert asked.read_text().splitlines() == ["asked"]


def test_what_another_command_queues_meanwhile_is_not_queued_twice(steps, monkeypatch):
    ask = queue_chain.confirm_with_slurm

    def meanwhile(script, request):
        monkeypatch.setattr(queue_chain, "confirm_with_slurm", ask)
        assert steps()[0] == 0
        return ask(script, request)

    monkeypatch.setattr(queue_chain, "confirm_with_slurm", meanwhile)
    status, jobs = steps()
    assert status == 0
    assert len(list(jobs.glob("*.sbatch"))) == 1
