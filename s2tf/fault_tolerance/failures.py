"""The first failure of many ranks: its traceback is printed and kept, the others name it."""

import contextlib
import os
import re
import secrets
import socket
import sys
import traceback
from pathlib import Path

import torch.distributed as dist

from s2tf.fault_tolerance.messages import say

FAILURE_FILE = "failure.txt"
LOST_STATUS = 74
"""Of a rank that has lost the others (EX_IOERR of sysexits.h): why one of them has gone is not known to it."""
LOST = re.compile(
    r"connection (closed|reset|refused|lost)|broken pipe|socket (closed|error|timeout)|remote process|timed out",
    re.IGNORECASE,
)
ATTEMPT_VARIABLE = "S2TF_ATTEMPT"


def attempt_name() -> str:
    """What all ranks of this attempt share, and no other attempt: of SLURM's, of torchrun's, or of the launcher's."""
    if "SLURM_JOB_ID" in os.environ:
        return "-".join(os.environ.get(name, "0") for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURM_STEP_ID"))
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return f"{os.environ['TORCHELASTIC_RUN_ID']}-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    return os.environ.get(ATTEMPT_VARIABLE, "alone")


def name_attempt() -> None:
    """Give this attempt a name that the ranks which Lightning starts inherit from the first; call it before that."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[ATTEMPT_VARIABLE] = secrets.token_hex(4)


def report_failure(error: BaseException, folder: Path, rank: int) -> None:
    """Print the traceback if this rank is the first to fail, and leave it in `failure.txt`; else a line.

    It is printed first, and no full disk is an error here: another would take its place.

    When one rank ends, the others lose their connections: what they have to say of it would only bury the reason.
    """
    where = f"rank {rank} on {socket.gethostname()}"
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if not _is_first(folder):
        say(f"{where} ended after another rank's failure ({folder / FAILURE_FILE}), by {one_line(error)}")
        return
    text = f"{where} failed:\n{''.join(traceback.format_exception(error))}"
    say(text.rstrip("\n"))
    try:
        (folder / FAILURE_FILE).write_text(text)
    except OSError as full:
        say(f"{folder / FAILURE_FILE}: {full.strerror}: it is not kept")


def first_failure(folder: Path) -> str | None:
    """The last line of the traceback that the first rank to fail has left; None where it has not, or not yet."""
    try:
        lines = (folder / FAILURE_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return None
    return lines[-1] if lines else None


def one_line(error: BaseException) -> str:
    """An exception's name and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def lost_the_others(error: BaseException) -> bool:
    """Whether a rank's exception only says that another one, or the store where they meet, does not answer any more."""
    if isinstance(error, (dist.DistNetworkError, dist.DistStoreError)):
        return True
    of_torch = isinstance(error, dist.DistBackendError) or "gloo" in str(error).lower()
    return isinstance(error, RuntimeError) and of_torch and LOST.search(str(error)) is not None


def _is_first(folder: Path) -> bool:
    try:
        os.close(os.open(folder / f".failure-{attempt_name()}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    except OSError:
        # Who cannot know: a traceback too many is better than none.
        return True
    return True


def forget_failures(folder: Path) -> None:
    """Remove what earlier attempts have left of failures."""
    for path in (folder / FAILURE_FILE, *folder.glob(".failure-*")):
        path.unlink(missing_ok=True)
