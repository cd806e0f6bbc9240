"""Atomic writes: a file gets its name only when it is complete and on the disk, so that no reader sees a part of it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PART = ".part"
"""Suffix of a file that is still being written."""


@contextmanager
def atomic_open(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a file to write, which becomes `path` when the block ends well and is removed when it does not.

    Until then it has a unique name, so that two processes that write the same path do not disturb each other.

    Args:
        path: The file; one that exists is replaced.
        mode: `wb` or `w`.
        options: Further arguments of `open`.
    """
    part = part_name(path)
    try:
        with open(part, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    # The new name is safe on the disk only after the folder was written.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def atomic_write(path: Path, text: str) -> None:
    """Write a small text file so that other processes find the old content or the new one, and never a part."""
    with atomic_open(path, "w") as file:
        file.write(text)


def part_name(path: Path) -> Path:
    """A name beside `path` that no other process uses, on this node or another."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
