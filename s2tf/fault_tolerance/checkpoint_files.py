"""How checkpoints are written: aside and renamed, the one before kept, and no training lost to a full disk."""

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

    A checkpoint is written beside its place, brought to the disk and renamed; of `last.ckpt` the one before is kept.
    Where it cannot be written, as on a full disk, what is there stays, and the training goes on: `failure` then says
    why, until one was written again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: str | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, or note in `failure` why it is not there."""
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
        # torch's writer reports what went wrong below it in words of its own.
        except RuntimeError as error:
            raise _underlying(error) from error
        file.flush()
        os.fsync(file.fileno())


def _underlying(error: BaseException) -> BaseException:
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
