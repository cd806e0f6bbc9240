"""Live progress of a fit: stage, step, loss and time left; plain lines where the output is not a terminal."""

import time
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_INTERVAL = 15.0
SMOOTHING = 0.95


class LiveProgress(L.Callback):
    """Shows one line per fit: a live one on a terminal, else a plain one every `LINE_INTERVAL` seconds.

    Args:
        stage: name of the line.
        console: console to print on; the default is a new one on standard output.
    """

    def __init__(self, stage: str, console: Console | None = None) -> None:
        self.stage = stage
        self.console = console or Console()
        self.loss: float | None = None
        self.progress: Progress | None = None
        self.task: Any = None
        self.started = 0.0
        self.first_step = 0
        self.last_line = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the line."""
        self.started = self.last_line = time.monotonic()
        self.first_step = trainer.global_step
        if self.console.is_terminal and trainer.is_global_zero:
            self.progress = Progress(
                TextColumn("{task.description:20s}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("loss {task.fields[loss]}"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.task = self.progress.add_task(self.stage, total=_total(trainer), loss="-")
            self.progress.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the line."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if isinstance(loss, torch.Tensor):
            value = float(loss.detach())
            self.loss = value if self.loss is None else SMOOTHING * self.loss + (1 - SMOOTHING) * value
        if self.progress is not None:
            self.progress.update(self.task, completed=trainer.global_step, loss=self._loss_text())
        elif trainer.is_global_zero and time.monotonic() - self.last_line >= LINE_INTERVAL:
            self._print_line(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Finish the line with the time taken."""
        self._stop()
        if trainer.is_global_zero:
            seconds = time.monotonic() - self.started
            self.console.print(
                f"{self.stage}: {trainer.global_step} steps in {seconds:.0f} s, loss {self._loss_text()}",
                highlight=False,
            )

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def _loss_text(self) -> str:
        return "-" if self.loss is None else f"{self.loss:.4g}"

    def _print_line(self, trainer: L.Trainer) -> None:
        self.last_line = time.monotonic()
        done = trainer.global_step - self.first_step
        total = _total(trainer)
        line = (
            f"{self.stage}: step {trainer.global_step}" + (f"/{total}" if total else "") + f", loss {self._loss_text()}"
        )
        if total and done:
            left = (time.monotonic() - self.started) / done * (total - trainer.global_step)
            line += f", {left:.0f} s left"
        self.console.print(line, highlight=False)


def _total(trainer: L.Trainer) -> int | None:
    return trainer.max_steps if trainer.max_steps > 0 else None
