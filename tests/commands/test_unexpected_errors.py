"""Exceptions that nobody expected: one line, and the traceback in a file or with the debug switch."""

import pytest
from command_lines import WORDS

from s2tf import cli
from s2tf.cli import main


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (PermissionError(13, "Permission denied", "a.wav"), 2, "a.wav: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (MemoryError(), 2, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "not enough memory"),
        (KeyError("a"), 70, "unexpected KeyError: 'a'"),
        (RuntimeError("two\nlines \x1b[31m"), 70, "unexpected RuntimeError: two lines [31m"),
    ],
)
def test_an_exception_that_nobody_expected_is_one_line(error, status, reason, answer, monkeypatch, tmp_path):
    def fail(args):
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("s2tf.commands.runs.run", fail)
    told = answer(WORDS["runs"], status=status)
    assert reason in told
    traces = list(tmp_path.glob("s2tf-traceback-*.txt"))
    if status == cli.BUG_STATUS:
        assert "probably a bug of s2tf" in told
        assert str(traces[0]) in told
        assert "Traceback (most recent call last)" in traces[0].read_text()
    else:
        assert not traces


def test_the_debug_switch_prints_the_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("s2tf.commands.runs.run", lambda args: 1 / 0)
    monkeypatch.setenv(cli.DEBUG, "1")
    assert main(["runs"]) == cli.BUG_STATUS
    assert "Traceback (most recent call last)" in capsys.readouterr().err
