"""First failure among many ranks: its traceback is printed and kept, the other ranks refer to it."""

import contextlib
import os
import re
import secrets
import socket
import sys
import time
import traceback
from pathlib import Path

import torch.distributed as dist

from s2tf.fault_tolerance.messages import say

FAILURE_FILE = "failure.txt"
PATIENCE = 5.0
"""Longest time, in seconds, that a rank waits for the traceback of the one that failed first."""
LOST_STATUS = 74
"""Exit status of a rank that has lost the other ranks or a loader's worker (EX_IOERR of sysexits.h)."""
LOST = re.compile(
    r"connection (closed|reset|refused|lost)|broken pipe|socket (closed|error|timeout)|remote process|timed out",
    re.IGNORECASE,
)
KILLED_WORKER = re.compile(r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)")
ATTEMPT_VARIABLE = "S2TF_ATTEMPT"


def attempt_name() -> str:
    """Name this attempt, by SLURM, torchrun or the launcher; all of its ranks and no other attempt have this name."""
    if "SLURM_JOB_ID" in os.environ:
        return "-".join(os.environ.get(name, "0") for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURM_STEP_ID"))
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return f"{os.environ['TORCHELASTIC_RUN_ID']}-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    return os.environ.get(ATTEMPT_VARIABLE, "alone")


def name_attempt() -> None:
    """Give this attempt a name that ranks inherit from the first one; call it before Lightning starts them."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[ATTEMPT_VARIABLE] = secrets.token_hex(4)


def report_failure(error: BaseException, folder: Path, rank: int) -> None:
    """Print the traceback of the first rank that fails, and write it to `failure.txt`; other ranks print one line.

    When one rank ends, the others lose their connections: their tracebacks would only hide the reason. The traceback is
    printed before it is written, and a full disk raises no error, which would take its place.
    """
    where = f"rank {rank} on {socket.gethostname()}"
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if not _is_first(folder):
        _wait_for_first(folder)
        say(f"{where} ended after another rank's failure ({folder / FAILURE_FILE}), by {one_line(error)}")
        return
    text = f"{where} failed:\n{''.join(traceback.format_exception(error))}"
    say(text.rstrip("\n"))
    try:
        (folder / FAILURE_FILE).write_text(text)
    except OSError as full:
        say(f"{folder / FAILURE_FILE}: {full.strerror}: the traceback is not kept")


def first_failure(folder: Path) -> str | None:
    """Read the last line of the traceback of the first rank that failed; None if there is none yet."""
    try:
        lines = (folder / FAILURE_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return None
    return lines[-1] if lines else None


def one_line(error: BaseException) -> str:
    """Write an exception as its name and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def lost_another_process(error: BaseException) -> bool:
    """Return True if an exception only means that another process of this attempt is gone.

    It is another rank, the store that connects the ranks, or a loader's worker that was killed, as by a lack of memory.
    """
    if isinstance(error, (dist.DistNetworkError, dist.DistStoreError)):
        return True
    if isinstance(error, RuntimeError) and KILLED_WORKER.search(str(error)):
        return True
    of_torch = isinstance(error, dist.DistBackendError) or "gloo" in str(error).lower()
    return isinstance(error, RuntimeError) and of_torch and LOST.search(str(error)) is not None


def _is_first(folder: Path) -> bool:
    try:
        os.close(os.open(folder / f".failure-{attempt_name()}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    except OSError:
        # If it is not known, print: one traceback too many is better than none.
        return True
    return True


def _wait_for_first(folder: Path) -> None:
    """Wait until the first rank has printed its traceback: a launcher ends all ranks as soon as one has ended."""
    end = time.monotonic() + PATIENCE
    while not (folder / FAILURE_FILE).exists() and time.monotonic() < end:
        time.sleep(0.05)


def forget_failures(folder: Path) -> None:
    """Remove the records of failures of earlier attempts."""
    for path in (folder / FAILURE_FILE, *folder.glob(".failure-*")):
        path.unlink(missing_ok=True)
