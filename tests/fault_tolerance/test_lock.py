"""The lock of a run folder, held by real processes."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from s2tf.fault_tolerance.lock import IN_USE_STATUS, LOCK_FILE, InUseError, locked

HOLD = """
import os, sys, time
from pathlib import Path
from s2tf.fault_tolerance.lock import locked
with locked(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(float(sys.argv[2]))
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock, and has a child that lives on for seconds, as a loader's worker does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "8"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_and_told_who_holds_it(holder, tmp_path):
    with pytest.raises(
        InUseError, match=f'another process writes into this run folder.*"pid": {holder.pid}'
    ) as refused:
        locked(tmp_path).__enter__()
    assert refused.value.status == IN_USE_STATUS


def test_a_killed_process_lets_go_at_once_though_its_workers_live_on(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert f'"pid": {os.getpid()}' in (tmp_path / LOCK_FILE).read_text()


def test_who_takes_the_place_of_another_waits_for_its_end(holder, tmp_path):
    with pytest.raises(InUseError):
        locked(tmp_path, patience=0.6).__enter__()
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({holder.pid}, 9)"])
    start = time.monotonic()
    with locked(tmp_path, patience=30):
        assert time.monotonic() - start > 0.5
    killer.wait()


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


SILENT = """
import fcntl, sys
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def refused_by_a_process_that_has_not_said_who_it_is(folder):
    command = [sys.executable, "-c", SILENT, str(folder / LOCK_FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InUseError) as refused:
            locked(folder).__enter__()
        process.stdin.close()
    return str(refused.value).partition("run folder: ")[2]


def test_a_holder_that_has_not_said_who_it_is_is_not_taken_for_the_one_before(tmp_path):
    assert refused_by_a_process_that_has_not_said_who_it_is(tmp_path) == "unknown"
    with locked(tmp_path):
        pass
    said = refused_by_a_process_that_has_not_said_who_it_is(tmp_path)
    assert said.startswith(f'unknown; the one before was {{"host": "{socket.gethostname()}", "pid": {os.getpid()}, ')
    assert " until 2" in said


def test_a_full_disk_keeps_nobody_from_taking_the_lock(small_disk):
    (small_disk.folder / LOCK_FILE).touch()
    small_disk.fill()
    with locked(small_disk.folder):
        pass
