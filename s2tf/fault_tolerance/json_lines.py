"""Files of JSON lines, each a mapping, that stay readable when a process is killed or a disk is full."""

import errno
import json
import os
from pathlib import Path
from typing import Any


def append_line(path: Path, line: str) -> None:
    """Append a line as a whole or not at all, on a new line even if the last one was cut off.

    It is written without a buffer, so that it stays complete if this process is killed.

    Raises:
        OSError: There is no room.
    """
    with open(path, "a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        data = f"{line}\n".encode() if file.read(1) in (b"", b"\n") else f"\n{line}\n".encode()
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(end)
            raise


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the mappings of a file, without the broken lines that a killed process or machine leaves."""
    found = []
    for line in path.read_text(errors="replace").split("\n") if path.is_file() else ():
        try:
            tree = json.loads(line)
        except ValueError:
            continue
        if isinstance(tree, dict):
            found.append(tree)
    return found
