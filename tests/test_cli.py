"""The command line as a whole; the single commands have tests of their own."""

import pytest

from s2tf import cli
from s2tf.commands import fit


@pytest.fixture
def asked(monkeypatch):
    """What `s2tf fit` was asked to do, without doing it."""
    found = []
    monkeypatch.setattr(fit, "run", lambda args: found.append(args) or 0)
    return found


def test_overrides_may_stand_before_and_behind_options(asked):
    assert cli.main(["fit", "a.yaml", "x=1", "--runs", "there", "y=2", "+b.yaml"]) == 0
    assert asked[0].overrides == ["x=1", "y=2", "+b.yaml"]
    assert str(asked[0].runs) == "there"


def test_an_unknown_option_is_refused(asked, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["fit", "a.yaml", "--lerning-rate", "1"])
    assert "--lerning-rate" in capsys.readouterr().err
    assert not asked
