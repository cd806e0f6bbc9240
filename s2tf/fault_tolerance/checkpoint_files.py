"""Atomic writes of checkpoints; the one before is kept, and a full disk does not end a training."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from s2tf.fault_tolerance.checkpoints import BEFORE_LAST_CHECKPOINT, LAST_CHECKPOINT
from s2tf.fault_tolerance.messages import say

PART_SUFFIX = ".part"


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints so that a run always finds a whole one.

    A checkpoint is written under another name, brought to the disk and renamed; the `last.ckpt` before it is kept. If
    it cannot be written, as on a full disk, the earlier ones stay and the training goes on: `failure` holds the reason
    until a checkpoint is written again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: str | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, or note the reason in `failure` if that is not possible."""
        path = Path(path)
        part = path.with_name(path.name + PART_SUFFIX)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(checkpoint, part)
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


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    with open(path, "wb") as file:
        try:
            torch.save(checkpoint, file)
        # torch's writer hides the error of the file system behind one of its own.
        except RuntimeError as error:
            raise _underlying(error) from error
        file.flush()
        os.fsync(file.fileno())


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
