"""Lock of a run folder: one process at a time writes into it."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.fault_tolerance.messages import say

LOCK_FILE = "lock"
POLL = 0.5
"""Seconds between two tries to take a lock that another process holds."""
IN_USE_STATUS = 73
"""Exit status of a process that did not get the lock (EX_CANTCREAT of sysexits.h); a later one may get it."""


class InUseError(UserError):
    """Another process writes into the run folder."""

    status = IN_USE_STATUS


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the run folder's lock within a `with` block; it is released with the process, however that ends.

    It is a POSIX lock: shared file systems support it, and the loader's forked workers do not inherit it, which may
    outlive a killed process by seconds.

    Args:
        folder: Run folder.
        patience: Seconds to wait for a process that holds the lock, such as the process that this one replaces.

    Raises:
        InUseError: Another process holds it; the message says which.
    """
    with open(folder / LOCK_FILE, "a+") as file:
        _take(file, time.monotonic() + patience)
        file.truncate(0)
        _write(file, json.dumps(_holder()))
        try:
            yield
        finally:
            # The holder's line stays: it is shown to a process that tries to get the lock meanwhile.
            _write(file, f"until {_now()}")


def _take(file: Any, until: float) -> None:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                say(f"{file.name}: {error.strerror}: no locks on this file system, two jobs on one run are not noticed")
                return
            if time.monotonic() >= until:
                folder = Path(file.name).parent
                raise InUseError(f"{folder}: another process writes into this run folder: {_said(file)}") from error
            time.sleep(POLL)


def _said(file: Any) -> str:
    """Read the holder of the lock from its file, as far as it is written there."""
    file.seek(0)
    holder, *more = file.read().splitlines() or ["unknown"]
    return f"unknown; the one before was {holder} {' '.join(more)}" if more else holder


def _write(file: Any, line: str) -> None:
    """Append a line; a full disk does not keep a run from training."""
    with contextlib.suppress(OSError):
        os.write(file.fileno(), f"{line}\n".encode())


def _holder() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID"), "since": _now()}


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
