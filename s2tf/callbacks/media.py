"""Previews of a stage at regular steps: written to the run folder, and to the loggers that can show them."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch.utils.data import DataLoader, IterableDataset

from s2tf.callbacks.ema import ExponentialMovingAverage
from s2tf.callbacks.log_media import log_media
from s2tf.callbacks.sample_files import write_samples
from s2tf.callbacks.throughput import WRITE_SAMPLES, rows
from s2tf.errors import require_at_least_one
from s2tf.nn.network import load_network

FOLDER = "samples"
SEED = 0
FRAMES = 75
"""Longest preview of a clip: three seconds."""


class MediaSamples(L.Callback):
    """Saves the stage's previews (`Stage.samples`) every `every` optimizer steps.

    The examples are the first clips that rank 0 validates; the noise is seeded; networks are in evaluation mode, with
    their averaged weights where those exist. Files go to `samples/step-XXXXXXXX/` in the run folder, and to the loggers
    by `log_media`. The training is not affected: modes, weights and random states are restored, and the other ranks
    only wait for rank 0. A failure is reported once with its reason, counted in `failures`, and
    never ends the training.
    """

    def __init__(self, every: int, clips: int = 4, autoencoder: str = "") -> None:
        """Set the interval and the number of examples.

        Args:
            every: optimizer steps between two previews; none is written at the start.
            clips: number of examples.
            autoencoder: folder of a motion autoencoder for a stage with `renderers`; empty for none.

        Raises:
            ValueError: a number is below 1.
        """
        super().__init__()
        require_at_least_one(every=every, clips=clips)
        self.every, self.clips, self.autoencoder = every, clips, autoencoder
        self.failures = 0
        self._last = 0
        self._batch: Any = None
        self._videos: list[Any] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count from the current step."""
        self._last = trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save a preview once a multiple of `every` is reached, or skipped by two optimizers on a batch."""
        due = trainer.global_step // self.every > self._last // self.every
        self._last = trainer.global_step
        if not due or not trainer.is_global_zero:
            return
        try:
            with cast(Any, trainer).profiler.profile(WRITE_SAMPLES), undisturbed(trainer, pl_module):
                self._show(trainer, pl_module)
        # Catch every failure, even a full disk: the training is worth more than its previews.
        except Exception as error:
            self._failed(trainer, error)

    def _show(self, trainer: L.Trainer, stage: L.LightningModule) -> None:
        data: Any = getattr(trainer, "datamodule", None)
        if self._batch is None:
            self._batch = first_rows(trainer, self.clips)
            self._videos = data.first_clips(self.clips, FRAMES) if hasattr(data, "first_clips") else []
            if self.autoencoder and hasattr(stage, "renderers"):
                renderer = load_network(self.autoencoder).to(trainer.strategy.root_device)
                stage.renderers = (renderer,)  # type: ignore[assignment]
        # Prepare the batch like Lightning, with the datamodule's hooks; clips are not batches, and need no hook.
        batch = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(self._batch))
        clips = move_data_to_device(self._videos, trainer.strategy.root_device)
        torch.manual_seed(SEED)
        with trainer.precision_plugin.forward_context():
            samples = stage.samples(batch, clips)  # type: ignore[operator]
        files = write_samples(samples, Path(trainer.default_root_dir) / FOLDER / f"step-{trainer.global_step:08d}")
        log_media(trainer, files)

    def _failed(self, trainer: L.Trainer, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            reason = f"{type(error).__name__}: {error}"
            rank_zero_warn(
                f"no samples at step {trainer.global_step}, the training goes on, and further failures are only "
                f"counted: {reason}"
            )


@contextmanager
def undisturbed(trainer: L.Trainer, stage: L.LightningModule) -> Iterator[None]:
    """Networks in evaluation mode with their averaged weights and without gradients; everything is restored after."""
    modes = {module: module.training for module in stage.modules()}
    averages = next((one for one in cast(Any, trainer).callbacks if isinstance(one, ExponentialMovingAverage)), None)
    with ExitStack() as stack:
        stack.enter_context(unchanged_generators(trainer.strategy.root_device))
        stack.enter_context(torch.no_grad())
        if averages is not None:
            stack.enter_context(averages.swapped(stage))
        try:
            stage.eval()
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


@contextmanager
def unchanged_generators(device: torch.device) -> Iterator[None]:
    """Restores the global generators of Python, numpy and torch afterwards, also after an exception.

    Lightning's `isolate_rng` does not restore them after an exception.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def first_rows(trainer: L.Trainer, count: int) -> Any:
    """The first validation rows, on the CPU, read in this process, since workers would take seconds to start."""
    data: Any = getattr(trainer, "datamodule", None)
    loader: Any = trainer.val_dataloaders if data is None else data.val_dataloader()
    if isinstance(loader.dataset, IterableDataset) and loader.batch_size is None:
        batch = next(iter(loader.dataset))
    else:
        batch = next(iter(DataLoader(loader.dataset, loader.batch_size, collate_fn=loader.collate_fn)))
    return _first(batch, min(count, rows(batch)))


def _first(batch: Any, count: int) -> Any:
    if isinstance(batch, Mapping):
        return {name: _first(value, count) for name, value in batch.items()}
    return batch[:count]
