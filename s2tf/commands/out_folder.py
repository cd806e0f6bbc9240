"""The folder that `--out` names, looked at before the work whose results it is to hold."""

import os
from collections.abc import Iterable
from pathlib import Path

from s2tf.errors import UserError


def check_out(path: Path | None) -> None:
    """Refuse a folder that could not be made.

    Args:
        path: The folder; None where the command has one of its own.

    Raises:
        UserError: it or a folder above it is a file, or not to be written into.
    """
    if path is None:
        return
    try:
        nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    except PermissionError as error:
        raise UserError(f"--out {path}: {error.strerror}") from error
    if not nearest.is_dir():
        raise UserError(f"--out {path}: {nearest} is a file, expected a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"--out {path}: {nearest} cannot be written into")


def refuse_overwriting(source: Path, results: Iterable[Path]) -> None:
    """Refuse to put a result in the place of what it is made from.

    Raises:
        UserError: one of the results would be the source.
    """
    if source.is_file() and source.resolve() in {path.resolve() for path in results}:
        raise UserError(f"{source}: the results would be written over it: choose another --out, or another --json")
