"""Speed of a training, its use of the device, its memory, and its waiting for data."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from s2tf.callbacks.flop_count import FlopCount
from s2tf.callbacks.peak_flops import peak_flops
from s2tf.callbacks.profiler_listener import ProfilerListener

FETCH = "[_TrainingEpochLoop].train_dataloader_next"
"""Name of the wait for a batch in Lightning's profiler."""
WRITE_SAMPLES = "write_samples"
"""Name of the work of `s2tf.callbacks.media` in Lightning's profiler."""
PREFIX = "throughput"
GIGA = 1e9


@dataclass
class Window:
    """Counts since the numbers were logged last."""

    start: float
    batches: int = 0
    steps: int = 0
    samples: int = 0
    fetching: float = 0.0
    """Seconds of waiting for a batch."""
    apart: float = 0.0
    """Seconds without training: validation, checkpoints, previews."""


class Throughput(L.Callback):
    """Logs speed, waiting, memory and use of the device at Lightning's logging steps, as averages since the last one.

    As `throughput/...`:

    | name | meaning |
    |---|---|
    | `samples_per_second` | rows of the batches of all ranks |
    | `steps_per_second` | optimizer steps; two optimizers on one batch count once, accumulated batches do not count |
    | `data_wait_share` | share of the time in which the loop waited for the next batch |
    | `tflops_per_second` | products, convolutions and attention on this rank's device, 10^12 per second |
    | `mfu` | the same as a share of the device's peak; only where the peak is known |
    | `gpu_memory_peak_gb` | peak allocation on this rank's GPU since the start |
    | `process_memory_peak_gb` | peak resident memory of this rank's process, without the loader's workers |

    Time is wall-clock time without validation and without the writing of checkpoints and previews. The callback waits
    for the device only when it logs. Since the device may continue to work while the loop waits for a batch, the share
    of that wait is an upper bound of the lost time.

    FLOPs are counted by torch's formulas during the first batch, forward and backward; a multiplication and an addition
    are two. That batch is in no average. The count is assumed for every later batch, which is wrong for networks that
    begin later or take turns. Code compiled by `torch.compile` cannot be counted.
    """

    def __init__(self) -> None:
        self.flops: int | None = None
        """FLOPs of a batch on this rank; None before the first batch, and where they cannot be counted."""
        self.peak: float | None = None
        """Peak FLOP/s of this rank's device; None: it is not known."""
        self._counter: FlopCount | None = None
        self._window: Window | None = None
        self._validation: float | None = None
        self._listener: ProfilerListener | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the device, and listen to the profiler."""
        device = trainer.strategy.root_device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"a device of type {device.type}"
        self.peak, self.flops, self._window = peak_flops(name, str(trainer.precision)), None, None
        if self.peak is None:
            rank_zero_info(f"{PREFIX}/mfu is not logged: the peak of {name} at {trainer.precision} is not known")
        if compiled := _compiled(pl_module):
            rank_zero_info(f"{PREFIX}/mfu is not logged: {compiled} is compiled, and torch cannot count its FLOPs")
        else:
            self._counter = FlopCount()
        apart = {"save_checkpoint": self._was_apart, WRITE_SAMPLES: self._was_apart}
        self._listener = ProfilerListener(cast(Any, trainer).profiler, {FETCH: self._fetched, **apart})

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count the first batch."""
        if self._counter is not None:
            self._counter.__enter__()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch, and log at Lightning's logging steps."""
        self._end_counting()
        if self._window is None:
            self._window = Window(_now(trainer))
            return
        stepped = not trainer.fit_loop._should_accumulate()
        self._window.batches += 1
        self._window.steps += stepped
        self._window.samples += rows(batch)
        if stepped and trainer._logger_connector.should_update_logs:
            now = _now(trainer)
            values = self._values(self._window, now, trainer)
            for name, value in values.items():
                pl_module.log(f"{PREFIX}/{name}", value, on_step=True, on_epoch=False, rank_zero_only=True)
            self._window = Window(now)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the clock."""
        self._validation = _now(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock again."""
        if self._validation is not None:
            self._was_apart(_now(trainer) - self._validation)
        self._validation = None

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the profiler as it was."""
        self._stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Stop counting, and leave the profiler as it was."""
        self._end_counting()
        self._stop()

    def _values(self, window: Window, now: float, trainer: L.Trainer) -> dict[str, float]:
        seconds = max(now - window.start - window.apart, 1e-9)
        values = {
            "samples_per_second": window.samples * trainer.world_size / seconds,
            "steps_per_second": window.steps / seconds,
            "data_wait_share": min(1.0, window.fetching / seconds),
            "process_memory_peak_gb": _process_memory() / GIGA,
        }
        if self.flops is not None:
            rate = self.flops * window.batches / seconds
            values["tflops_per_second"] = rate / 1e12
            if self.peak is not None:
                values["mfu"] = rate / self.peak
        device = trainer.strategy.root_device
        if device.type == "cuda":
            values["gpu_memory_peak_gb"] = torch.cuda.max_memory_allocated(device) / GIGA
        return values

    def _fetched(self, seconds: float) -> None:
        if self._window is not None:
            self._window.fetching += seconds

    def _was_apart(self, seconds: float) -> None:
        if self._window is not None:
            self._window.apart += seconds

    def _end_counting(self) -> None:
        if self._counter is not None:
            self._counter.__exit__(None, None, None)
            self.flops, self._counter = int(self._counter.total), None

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener, self._window = None, None


def rows(batch: Any) -> int:
    """The rows of a batch: the length of its first entry that has one, such as its keys.

    Raises:
        ValueError: no entry has a length.
    """
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, (list, tuple)) else [batch]
    for part in parts:
        if isinstance(part, (list, tuple)) or (isinstance(part, Tensor) and part.dim() > 0):
            return len(part)
    raise ValueError(f"a batch of type {type(batch).__name__}: none of its entries has rows")


def _now(trainer: L.Trainer) -> float:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _process_memory() -> int:
    """Peak memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak if sys.platform == "darwin" else 1024 * peak


def _compiled(stage: torch.nn.Module) -> str:
    """Return the name of a part that `torch.compile` has compiled in place; empty if there is none."""
    return next((name for name, part in stage.named_modules() if part._compiled_call_impl is not None), "")
