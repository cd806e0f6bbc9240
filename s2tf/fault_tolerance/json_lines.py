"""Files of JSON, a mapping in each line, which grow while a process may be killed or a disk be full."""

import errno
import json
import os
from pathlib import Path
from typing import Any


def append_line(path: Path, line: str) -> None:
    """Write a line, or nothing of it, behind one that was cut off, if need be. Unbuffered: it outlives this process.

    Raises:
        OSError: there is no room.
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
    """The mappings of a file; without lines that cannot be read, as a killed process or machine leaves them."""
    found = []
    for line in path.read_text(errors="replace").split("\n") if path.is_file() else ():
        try:
            tree = json.loads(line)
        except ValueError:
            continue
        if isinstance(tree, dict):
            found.append(tree)
    return found
