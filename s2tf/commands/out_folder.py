"""The folder that `--out` names, looked at before the work whose results it is to hold."""

import os
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
    nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise UserError(f"--out {path}: {nearest} is a file, expected a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"--out {path}: {nearest} cannot be written into")
