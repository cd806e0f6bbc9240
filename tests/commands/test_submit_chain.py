"""What `s2tf submit chain` refuses, and what a dry run leaves alone; tests/slurm has the rest."""

import pytest

from s2tf.chains import load_chain
from s2tf.cli import main
from s2tf.commands import submit_runs

CHAIN = """
steps:
  train: {{run: "fit e.yaml", job: {job}}}
"""


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """Tries a chain of one training with a `job`; the status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(submit_runs, "installed", lambda: False)
    (tmp_path / "e.yaml").write_text("trainer: {max_steps: 1}\n")

    def call(job, *more):
        (tmp_path / "c.yaml").write_text(CHAIN.format(job=job))
        words = ["submit", "chain", "c.yaml", "--out", "out", "--cluster", "local", "--dry-run", *more]
        return main(words)

    return call


@pytest.mark.parametrize("job", ["{parts: 2}", "{gpus: 1}"])
def test_a_training_is_sized_by_its_trainer(chain, capsys, job):
    assert chain(job) == 2
    assert f"step train: job: {job[1:-4]} is for commands that are no training" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--array", "seeds=0-2"], ["--jobs", "3"], ["--runs", "there"]])
def test_an_option_of_trainings_is_refused(chain, capsys, words):
    assert chain("{}", *words) == 2
    assert f"{words[0]} belongs to trainings: a chain has --seeds" in capsys.readouterr().err


def test_a_dry_run_marks_no_finished_training_as_done(chain, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(CHAIN.format(job="{}"))
    step = load_chain(tmp_path / "c.yaml", [], tmp_path / "out")[0]
    (step.run.folder / "networks").mkdir(parents=True)
    assert chain("{}") == 0
    assert "finished: " in capsys.readouterr().out
    assert not step.folder.exists()
