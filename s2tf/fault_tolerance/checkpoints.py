"""Choice of the checkpoint from which a run resumes: the last complete one."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError

LAST_CHECKPOINT = "last.ckpt"
BEFORE_LAST_CHECKPOINT = "before_last.ckpt"
BROKEN_SUFFIX = ".broken"


@dataclass(frozen=True)
class Found:
    """Checkpoint that a run resumes from."""

    path: Path | None
    """File of the checkpoint; None before the first."""
    broken: str = ""
    """Problem of the newest checkpoint if an earlier one is used; empty otherwise."""


def find_checkpoint(folder: Path) -> Found:
    """Find the newest whole checkpoint in the folder.

    Raises:
        UserError: There are checkpoints, but none is complete.
    """
    wrong: list[str] = []
    for name in (LAST_CHECKPOINT, BEFORE_LAST_CHECKPOINT):
        path = folder / name
        if not path.is_file():
            continue
        problem = _problem(path)
        if problem is None:
            return Found(path, "; ".join(wrong))
        wrong.append(f"{path}: {problem}")
    if wrong:
        raise UserError(f"no checkpoint can be read: {'; '.join(wrong)}; to begin anew, move these files away")
    return Found(None)


def move_broken_away(folder: Path) -> None:
    """Rename `last.ckpt` if it is broken, so that the next one does not replace the good one before it."""
    path = folder / LAST_CHECKPOINT
    if path.is_file() and _problem(path) is not None:
        os.replace(path, path.with_name(path.name + BROKEN_SUFFIX))


def _problem(path: Path) -> str | None:
    """Say what is wrong with a checkpoint file, None for a whole one; the list of members at its end tells."""
    try:
        with zipfile.ZipFile(path) as file:
            return None if any(name.endswith("/data.pkl") for name in file.namelist()) else "not a checkpoint"
    except (zipfile.BadZipFile, OSError) as error:
        return f"not complete ({error}; {path.stat().st_size} bytes)"
