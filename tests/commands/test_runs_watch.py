"""`s2tf runs --watch` goes on where SLURM does not answer once."""

from s2tf.cli import main
from s2tf.cluster import run_status as states
from s2tf.commands import runs
from s2tf.errors import UserError


def test_a_controller_that_does_not_answer_is_asked_again(tmp_path, monkeypatch, capsys):
    looks = []

    def look(folder):
        looks.append(folder)
        if len(looks) == 3:
            raise KeyboardInterrupt
        if len(looks) == 2:
            raise UserError("squeue: SLURM's controller has not answered within 60 s")
        return []

    monkeypatch.setattr(runs, "_EVERY", 0.0)
    monkeypatch.setattr(states, "states_below", look)
    assert main(["runs", "--runs", str(tmp_path), "--watch"]) == 0
    assert len(looks) == 3
    assert "has not answered within 60 s; trying again" in capsys.readouterr().out
