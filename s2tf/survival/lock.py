"""One writer to a run folder at a time."""

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
from s2tf.survival.messages import say

LOCK_FILE = "lock"
POLL = 0.5
"""Seconds between looks at a lock that another process holds."""


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the run folder's lock within a `with` block; it is let go with the process, however that ends.

    The lock is POSIX's, which shared file systems know too, and which the loader's forked workers do not inherit: they
    may outlive a killed process by seconds.

    Args:
        folder: of the run.
        patience: seconds to wait for a process that holds it, such as the one that this one takes the place of.

    Raises:
        UserError: another process holds it; the message says which.
    """
    with open(folder / LOCK_FILE, "a+") as file:
        _take(file, time.monotonic() + patience)
        file.truncate(0)
        file.write(json.dumps(_holder()) + "\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


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
                file.seek(0)
                folder, holder = Path(file.name).parent, file.read().strip() or "it has not said which"
                raise UserError(f"{folder}: another process writes into this run folder: {holder}") from error
            time.sleep(POLL)


def _holder() -> dict[str, Any]:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"host": socket.gethostname(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID"), "since": now}
