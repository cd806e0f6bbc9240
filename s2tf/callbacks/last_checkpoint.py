"""The checkpoint from which a run resumes: written at intervals of time, and when the run is asked to stop."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Checkpoint

from s2tf.fault_tolerance.checkpoint_files import CheckpointFiles
from s2tf.fault_tolerance.checkpoints import LAST_CHECKPOINT
from s2tf.fault_tolerance.gradient_buckets import settle_gradient_buckets
from s2tf.fault_tolerance.journal import Journal
from s2tf.fault_tolerance.signals import Interruption, StopSignals


@dataclass(frozen=True)
class Saving:
    """The schedule of `last.ckpt`."""

    every: timedelta = timedelta(minutes=30)
    every_steps: int | None = None
    """Optimizer steps between two checkpoints, in addition to the interval of time, or None for only that interval."""


class LastCheckpoint(Checkpoint):
    """Saves `last.ckpt` between two batches.

    The last batch is complete at that point: its rows are logged and, if it was due, the validation after it has run. A
    run that resumes from there repeats nothing and leaves nothing out.

    All ranks agree after each batch whether to save or to stop. A signal that reaches only one of them, or reaches them
    during different batches, thus ends them all after the same batch.

    With several ranks this agreement waits for the device after each batch, as Lightning's own check for SIGTERM does.

    The number of the journal's rows is part of the checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        begun_from: Path | None,
        files: CheckpointFiles,
        journal: Journal,
        signals: StopSignals,
        saving: Saving,
    ) -> None:
        self.path = folder / LAST_CHECKPOINT
        self.begun_from = begun_from
        self.files = files
        self.journal = journal
        self.signals = signals
        self.saving = saving
        self._rows = 0
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check that all ranks have found the same checkpoint, and cut the journal to its rows.

        Raises:
            Interruption: they have found different ones, since the process before this one was still writing; the next
                start will find the same.
        """
        if trainer.world_size > 1:
            found: list[Path | None] = [None] * trainer.world_size
            dist.all_gather_object(found, self.begun_from)
            if len(set(found)) > 1:
                raise Interruption(f"the ranks have found different checkpoints: {', '.join(map(str, found))}")
        if trainer.is_global_zero:
            self.journal.go_on(self._rows)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Fix the order in which gradients are added, and begin to check between batches.

        Lightning has no hook there. `on_train_batch_end` comes before the batch's metrics are logged and before the
        validation, which a run that resumes from there would leave out; `on_train_batch_start` comes when the counters
        have already moved on.
        """
        settle_gradient_buckets(trainer, pl_module)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        loop: Any = trainer.fit_loop.epoch_loop
        end_of_batch = loop.on_advance_end

        def between_batches(data_fetcher: Any) -> None:
            if loop._skip_next_val:
                # After resuming behind a validation, the first iteration has no batch.
                loop._skip_next_val = False
                return
            end_of_batch(data_fetcher)
            if not loop._should_accumulate():
                self._look(trainer)

        loop.on_advance_end = between_batches

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop checking."""
        trainer.fit_loop.epoch_loop.__dict__.pop("on_advance_end", None)

    def state_dict(self) -> dict[str, Any]:
        """The number of the journal's rows so far."""
        self.journal.to_disk()
        return {"rows": self.journal.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the checkpoint's number of rows."""
        self._rows = state_dict["rows"]

    def _look(self, trainer: L.Trainer) -> None:
        stop, save = self._agreed(trainer)
        if not stop and not save:
            return
        trainer.save_checkpoint(self.path)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        failure = trainer.strategy.broadcast(self.files.failure)
        if stop and failure:
            raise RuntimeError(f"asked to stop, but {failure}")
        if stop:
            raise Interruption(f"asked to stop, saved at step {trainer.global_step}", trainer.global_step)

    def _agreed(self, trainer: L.Trainer) -> tuple[bool, bool]:
        """Two flags, equal on all ranks: a rank wants to stop, a rank wants to save."""
        step = trainer.global_step
        due = time.monotonic() - self._saved_at >= self.saving.every.total_seconds()
        if self.saving.every_steps is not None:
            due = due or step - self._saved_step >= self.saving.every_steps
        wishes = torch.tensor([self.signals.received is not None, due], dtype=torch.int32)
        if trainer.world_size > 1:
            wishes = wishes.to(trainer.strategy.root_device)
            dist.all_reduce(wishes, dist.ReduceOp.MAX)
        stop, save = wishes.tolist()
        return bool(stop), bool(save)
