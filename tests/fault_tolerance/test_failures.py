"""A failure says its reason, whatever has become of the disk."""

import subprocess
import sys
import threading

import pytest

from s2tf.fault_tolerance import failures
from s2tf.fault_tolerance.attempts import Attempts, read_attempts
from s2tf.fault_tolerance.failures import report_failure


@pytest.fixture
def full(small_disk):
    """A run folder on a full disk."""
    small_disk.fill()
    return small_disk.folder


def failing(message):
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_the_traceback_is_printed_where_the_disk_is_full(full, capsys):
    report_failure(failing("the true reason"), full, 0)
    said = capsys.readouterr().err
    assert "rank 0 on " in said
    assert "in failing" in said
    assert "ValueError: the true reason\n" in said
    assert said.endswith("failure.txt: No space left on device: the traceback is not kept\n")


def test_a_traceback_is_printed_where_nobody_can_say_whether_it_is_the_first(tmp_path, capsys):
    report_failure(failing("the true reason"), tmp_path / "gone", 0)
    assert "ValueError: the true reason\n" in capsys.readouterr().err


def test_what_ends_an_attempt_is_told_though_it_cannot_be_noted(full, capsys):
    with pytest.raises(ValueError, match="the true reason"), Attempts(full).attempt():
        raise failing("the true reason")
    assert capsys.readouterr().err.count(" is not noted\n") == 2


END = """
import sys
from pathlib import Path
from types import SimpleNamespace
from s2tf.callbacks.end_on_failure import EndOnFailure
from s2tf.fault_tolerance.attempts import Attempts

class Broken:
    def finalize(self, status):
        raise OSError(28, "No space left on device")

process = SimpleNamespace(kill=lambda: print("killed", flush=True))
trainer = SimpleNamespace(
    world_size=2, global_rank=0, is_global_zero=True, loggers=[Broken()],
    strategy=SimpleNamespace(launcher=SimpleNamespace(procs=[process])),
)
folder = Path(sys.argv[1])
EndOnFailure(folder, Attempts(folder)).on_exception(trainer, None, ValueError("the true reason"))
print("goes on")
"""


@pytest.mark.slow
def test_a_rank_that_fails_on_a_full_disk_ends_at_once_and_the_others_with_it(full):
    done = subprocess.run([sys.executable, "-c", END, str(full)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "killed\n")
    assert "ValueError: the true reason\n" in done.stderr
    assert "while this process ended: OSError: [Errno 28] No space left on device" in done.stderr


def test_a_line_that_two_processes_have_torn_hides_no_other(tmp_path):
    attempts = Attempts(tmp_path)
    attempts.note("start")
    with open(attempts.path, "a") as file:
        file.write('{"event": "sta{"event": "end"}\n')
    attempts.note("end")
    assert [one["event"] for one in read_attempts(tmp_path)] == ["start", "end"]


def test_a_later_rank_ends_only_after_the_first_one_s_traceback(tmp_path, capsys):
    assert failures._is_first(tmp_path)
    # The first rank is slow to print.
    timer = threading.Timer(0.5, (tmp_path / failures.FAILURE_FILE).write_text, ["the true reason"])
    timer.start()
    report_failure(failing("a lost connection"), tmp_path, 1)
    assert (tmp_path / failures.FAILURE_FILE).exists()
    assert "ended after another rank's failure" in capsys.readouterr().err
    timer.join()
