"""What the datamodules share: where the shards are, the loaders, and the checks before training begins."""

from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.shards import load_manifest, shard_paths
from datamodules.streams import Draw, EvaluationSet, TrainStream
from s2tf.media.faces import resize


class ShardDataModule(L.LightningDataModule):
    """Batches from a folder of shards (`s2tf prepare`).

    Training is an endless stream for Trainers that count steps (`max_steps`, `val_check_interval` with
    `check_val_every_n_epoch=None`); validation and test give every clip once, in order, always the same. A run that
    resumes at step k draws on from a seed of (seed, k) instead of repeating what it saw.

    Args:
        shards: Folder made by `s2tf prepare`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode; 0: the training process itself.
        seed: Of every random choice.
        buffer: Examples that wait to be shuffled, as raw bytes.
        per_clip_eval: Examples of each clip in validation and test.
    """

    def __init__(
        self,
        shards: str,
        batch_size: int,
        num_workers: int,
        seed: int,
        buffer: int,
        per_clip_eval: int = 1,
    ):
        super().__init__()
        if batch_size < 1 or num_workers < 0 or buffer < 1 or per_clip_eval < 1:
            raise ValueError(
                f"data.init_args: batch_size {batch_size}, num_workers {num_workers}, buffer {buffer}, examples of a "
                f"clip {per_clip_eval}: expected positive numbers (num_workers may be 0)"
            )
        self.shards = shards
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.buffer = buffer
        self.per_clip_eval = per_clip_eval

    def draw(self) -> Draw[Any]:
        """What draws this kind of batch's examples."""
        raise NotImplementedError(f"{type(self).__name__} must implement draw()")

    def wanted_size(self) -> int:
        """Side of the largest picture in the batch, 0 where it has none."""
        return 0

    def setup(self, stage: str | None = None) -> None:
        """Check that the folder has what the batches need.

        Raises:
            FileNotFoundError: No such folder, or not one made by `s2tf prepare`.
            ValueError: Its pictures are smaller than the batches' are to be.
        """
        shard_paths(self.shards, "train" if stage in (None, "fit") else "test" if stage == "test" else "val")
        self.check_manifest(load_manifest(self.shards))

    def check_manifest(self, manifest: dict) -> None:
        """Compare what the folder says about itself with what is wanted of it."""
        stored = manifest["crop_rule"]["size"]
        if self.wanted_size() > stored:
            raise ValueError(
                f"data.init_args: pictures of {self.wanted_size()} px wanted, but {self.shards!r} holds {stored} px: "
                "ask for less, or prepare the recordings again at a larger size"
            )

    def train_dataloader(self) -> DataLoader:
        """Endless; every rank and worker draws on its own."""
        trainer = self.trainer
        rank = trainer.global_rank if trainer is not None else 0
        step = trainer.global_step if trainer is not None else 0
        stream = TrainStream(
            shard_paths(self.shards, "train"), self.draw(), f"{self.seed}/{step}", rank, buffer=self.buffer
        )
        return self._loader(stream)

    def val_dataloader(self) -> DataLoader:
        """Finite: each clip of the split `val`."""
        return self.once("val")

    def test_dataloader(self) -> DataLoader:
        """Finite: each clip of the split `test`."""
        return self.once("test")

    def once(self, split: str) -> DataLoader:
        """Each clip of a split exactly once, in order, always with the same choice of frame and window."""
        paths = shard_paths(self.shards, split)
        return self._loader(EvaluationSet(paths, self.draw(), self.seed, self.per_clip_eval))

    def _loader(self, dataset: TrainStream | EvaluationSet) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_start_worker,
            pin_memory=torch.cuda.is_available(),
        )


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)


def to_picture(image: np.ndarray, size: int) -> Tensor:
    """A square uint8 RGB picture (S, S, 3) at another size as (3, size, size) float32 in [-1, 1]."""
    planes = np.ascontiguousarray(resize(image, size).transpose(2, 0, 1))
    return torch.from_numpy(planes).float().mul_(2.0 / 255.0).sub_(1.0)
