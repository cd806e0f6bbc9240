"""One writer to a run folder at a time."""

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
"""Seconds between looks at a lock that another process holds."""
IN_USE_STATUS = 73
"""Of a process that was refused (EX_CANTCREAT of sysexits.h): a later one may not be."""


class InUseError(UserError):
    """Another process writes into the run folder."""

    status = IN_USE_STATUS


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the run folder's lock within a `with` block; it is let go with the process, however that ends.

    The lock is POSIX's, which shared file systems know too, and which the loader's forked workers do not inherit: they
    may outlive a killed process by seconds.

    Args:
        folder: of the run.
        patience: seconds to wait for a process that holds it, such as the one that this one takes the place of.

    Raises:
        InUseError: another process holds it; the message says which.
    """
    with open(folder / LOCK_FILE, "a+") as file:
        _take(file, time.monotonic() + patience)
        file.truncate(0)
        _write(file, json.dumps(_holder()))
        try:
            yield
        finally:
            # The name stays: who comes meanwhile is told it.
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
    """Who holds the lock, as far as it has said so."""
    file.seek(0)
    holder, *more = file.read().splitlines() or ["unknown"]
    return f"unknown; the one before was {holder} {' '.join(more)}" if more else holder


def _write(file: Any, line: str) -> None:
    """Append a line; a full disk is no reason not to train."""
    with contextlib.suppress(OSError):
        os.write(file.fileno(), f"{line}\n".encode())


def _holder() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID"), "since": _now()}


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
