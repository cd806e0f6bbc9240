"""Files that get their name only when they are complete and on the disk, so that no reader ever sees half of one."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PART = ".part"


@contextmanager
def written_aside(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """A file to write, which becomes `path` when the block ends well and is removed when it does not.

    Its name until then is its own: two processes that write the same path do not disturb each other.

    Args:
        path: The file; one that exists is replaced.
        mode: `wb` or `w`.
        options: Of `open`.
    """
    aside = path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}{PART}")
    try:
        with open(aside, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
