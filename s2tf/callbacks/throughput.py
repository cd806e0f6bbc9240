"""How fast a training is, what share of the device it uses, what it takes of memory, and how long it waits for data."""

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
"""What Lightning's profiler calls the wait for a batch."""
WRITE_SAMPLES = "write_samples"
"""What `s2tf.callbacks.media` calls its work."""
PREFIX = "throughput"
GIGA = 1e9


@dataclass
class Window:
    """What happened since the numbers were logged last."""

    start: float
    batches: int = 0
    steps: int = 0
    samples: int = 0
    fetching: float = 0.0
    """Seconds for which the training waited for a batch."""
    apart: float = 0.0
    """Seconds of what is no training: validation, checkpoints, samples."""


class Throughput(L.Callback):
    """Logs speed, waiting, memory and the device's use, wherever Lightning logs, as averages since it did so last.

    As `throughput/...`:

    | name | what |
    |---|---|
    | `samples_per_second` | of all ranks: rows of the batches |
    | `steps_per_second` | optimizer steps; two optimizers that step on one batch are one, accumulated batches none |
    | `data_wait_share` | seconds in which the loop waited for the next batch, of all |
    | `tflops_per_second` | products, convolutions and attention that this rank's device computed, 10^12 a second |
    | `mfu` | that, of the device's peak; only where the peak is known |
    | `gpu_memory_peak_gb` | allocated on this rank's GPU at most, since the start |
    | `process_memory_peak_gb` | resident in this rank's process at most, since its start; the loader's are not in it |

    Time is the clock's, without validation, the writing of checkpoints and of samples. The device is waited for only
    when the numbers are logged. Where the device works on while the loop waits for a batch, the share of that wait is
    an upper bound of what is lost.

    FLOPs are counted by torch's formulas while the first batch is trained on, forward and backward, two for a
    multiplication and an addition; that batch is in no average. They are taken for those of every batch: of networks
    that begin later, or take turns, they are not. What `torch.compile` has compiled cannot be counted.
    """

    def __init__(self) -> None:
        self.flops: int | None = None
        """Of a batch on this rank; None before the first, and where they cannot be counted."""
        self.peak: float | None = None
        """FLOP/s of this rank's device; None where it is not known."""
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
        """Count the batch, and log where Lightning does."""
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
        """Let it go on."""
        if self._validation is not None:
            self._was_apart(_now(trainer) - self._validation)
        self._validation = None

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the profiler as it was."""
        self._stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Likewise, and count no more."""
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
        ValueError: none has.
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
    """Bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak if sys.platform == "darwin" else 1024 * peak


def _compiled(stage: torch.nn.Module) -> str:
    """The name of a part that `torch.compile` has compiled in place; empty where there is none."""
    return next((name for name, part in stage.named_modules() if part._compiled_call_impl is not None), "")
