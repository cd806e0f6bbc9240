"""Checkpoint files: atomic writes, which a full disk does not turn into a lost training, and reads that run no code."""

import os
import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from s2tf.errors import UserError
from s2tf.fault_tolerance.checkpoints import BEFORE_LAST_CHECKPOINT, LAST_CHECKPOINT
from s2tf.fault_tolerance.messages import say

PART_SUFFIX = ".part"
REFUSED_NAME = re.compile(r"(?:GLOBAL|class) (\w[\w.]*\w)")
"""Pattern of the object's name in torch's message."""


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints so that a run always finds a whole one, and reads them as tensors and plain values only.

    A checkpoint is written under another name, brought to the disk and renamed; the `last.ckpt` before it is kept. If
    it cannot be written, as on a full disk, the earlier ones stay and the training goes on: `failure` holds the reason
    until a checkpoint is written again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: str | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, or note the reason in `failure` if that is not possible.

        Raises:
            TypeError: It holds an object that `load_checkpoint` would refuse.
        """
        path = Path(path)
        part = path.with_name(path.name + PART_SUFFIX)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(checkpoint, part)
            _check_readable(part, path)
            if path.name == LAST_CHECKPOINT and path.exists():
                os.replace(path, path.with_name(BEFORE_LAST_CHECKPOINT))
            os.replace(part, path)
            _to_disk(path.parent)
        except OSError as error:
            part.unlink(missing_ok=True)
            self.failure = f"{path}: step {checkpoint.get('global_step')} could not be saved: {error.strerror or error}"
            say(self.failure)
        else:
            self.failure = None

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint as tensors and plain values only, independent of `weights_only`.

        Raises:
            UserError: It names another object, such as a function that would be called; nothing of it was run.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except UnpicklingError as error:
            name = REFUSED_NAME.search(str(error))
            raise UserError(
                f"{path}: refused, since it holds {name.group(1) if name else 'more than numbers and text'}: a run's "
                "checkpoint holds tensors and plain values only; nothing of this one was run"
            ) from error


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    with open(path, "wb") as file:
        try:
            torch.save(checkpoint, file)
        # torch's writer replaces the error of the file system by its own error.
        except RuntimeError as error:
            raise _underlying(error) from error
        file.flush()
        os.fsync(file.fileno())


def _check_readable(part: Path, path: Path) -> None:
    """Raise a TypeError if a checkpoint could not be read again."""
    if names := torch.serialization.get_unsafe_globals_in_checkpoint(str(part)):
        part.unlink()
        raise TypeError(
            f"{path}: not written, since it could not be read again: the state of the stage, of its data or of a "
            f"callback holds {', '.join(sorted(names))}, expected tensors and plain values"
        )


def _underlying(error: BaseException) -> BaseException:
    """Find the error of the file system that caused another one; the other one if there is none."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return error


def _to_disk(folder: Path) -> None:
    """Bring the folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
