"""The command line as a whole; the single commands have tests of their own."""

import io
import subprocess
import sys

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


def test_an_unknown_option_is_refused_by_the_command_that_lacks_it(asked, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["fit", "a.yaml", "--lerning-rate", "1"])
    assert "s2tf fit: error: unrecognized arguments: --lerning-rate 1" in capsys.readouterr().err
    assert not asked


def test_the_help_of_a_package_lists_its_sub_commands_and_imports_none():
    code = "import sys; from s2tf.cli import main\ntry: main(['evaluate', '--help'])\nfinally: print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    help_text, modules = result.stdout.strip().rsplit("\n", 1)
    assert "Measure generated videos of any system against the reference" in " ".join(help_text.split())
    assert not {"torch", "s2tf.commands.evaluate.videos", "s2tf.commands.fit"} & set(modules.split())


def test_errors_name_the_sub_command(tmp_path, capsys):
    assert cli.main(["evaluate", "videos", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("s2tf evaluate videos: ")


def test_a_package_of_commands_needs_one(capsys):
    for words, message in (
        (["evaluate"], "s2tf evaluate: error: the following arguments are required: COMMAND"),
        (["bench", "speed"], "'speed' is no sub-command, expected one of data, evaluate"),
    ):
        with pytest.raises(SystemExit, match="2"):
            cli.main(words)
        assert message in capsys.readouterr().err


def test_names_that_the_terminal_cannot_show_end_no_command(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    print("真実 caf\udce9")
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue().endswith(b"\\u771f\\u5b9f caf\\udce9\n")
