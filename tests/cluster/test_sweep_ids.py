"""Agents for a sweep that is there already: only where its trials are run as ours are."""

from types import SimpleNamespace

import pytest
import wandb

from s2tf.cli import main
from s2tf.cluster.queue_sweep import _reject_foreign_sweep
from s2tf.cluster.sweeps import load_sweep
from s2tf.errors import UserError


@pytest.fixture
def at_w_b(monkeypatch):
    """Makes W&B answer with a sweep of this command, or with an error."""

    def answers(command):
        def sweep(self, name):
            if isinstance(command, Exception):
                raise command
            return SimpleNamespace(config={"command": command})

        monkeypatch.setattr(wandb, "Api", type("Api", (), {"__init__": lambda self, timeout: None, "sweep": sweep}))

    return answers


def test_a_sweep_of_ours_is_joined_and_another_is_refused(at_w_b, tmp_path):
    (tmp_path / "s.yaml").write_text("method: grid\nparameters: {a: {values: [1]}}\n")
    at_w_b(load_sweep(tmp_path / "s.yaml").command(tmp_path / "trial.sh", tmp_path))
    _reject_foreign_sweep("us/faces/here")
    for command in (["srun", "s2tf", "fit", "${args_no_hyphens}"], None):
        at_w_b(command)
        with pytest.raises(UserError, match="--id us/faces/here: its command is .*, expected a sweep that `s2tf sw"):
            _reject_foreign_sweep("us/faces/here")


def test_where_w_b_cannot_be_asked_it_is_said(at_w_b, capsys):
    at_w_b(ValueError("nobody is logged in"))
    _reject_foreign_sweep("us/faces/here")
    assert "W&B does not state its command: nobody is logged in" in capsys.readouterr().err


def test_a_local_grid_joins_no_sweep(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["sweep", "s.yaml", "--cluster", "local", "--local-grid", "--id", "us/faces/here"])
    assert "--id: not allowed with argument --local-grid" in capsys.readouterr().err
