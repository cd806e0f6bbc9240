"""The base class of all datamodules: opens the shards, checks them before training begins, and builds the loaders."""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch.utils.data import DataLoader

from datamodules.shards.errors import ShardError
from datamodules.shards.reading import read_clips
from datamodules.shards.samples import WAV, Sample
from datamodules.shards.sources import OpenSource, ShardSet, ShardSource, open_sources
from datamodules.streaming.batching import unchanged
from datamodules.streaming.evaluation_stream import EvaluationStream
from datamodules.streaming.pictures import is_pictures
from datamodules.streaming.sampling import ClipSampler
from datamodules.streaming.train_stream import TrainLoader, TrainStream
from datamodules.streaming.workers import start_loader_worker
from s2tf.batches import Clip
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.media.pictures import batch_to_tensor


@dataclass(frozen=True)
class Position:
    """A position in the training stream."""

    stream: str
    """The stream's seed."""
    origin: int
    """Number of batches that were read before this stream began."""
    batches: int
    """Total number of batches that were read."""
    layout: tuple[int, ...] | None = None
    """Ranks, workers and batch size, or None for those of this process."""


class ShardDataModule(L.LightningDataModule):
    """Batches from shards (`s2tf prepare`).

    Training is an endless stream for Trainers that count steps (`max_steps`, `val_check_interval` with
    `check_val_every_n_epoch=None`); `TrainStream` says what its order depends on. A checkpoint holds the number of
    batches taken, and a resumed run continues with the next one; with another number of ranks or workers, or another
    batch size, it begins a new order there. Validation and test give every clip once, in order, always the same.

    A subclass declares its own arguments and passes the rest on (`**common`), so that the other keys, their defaults
    and their help stand here only; one whose examples are large repeats `buffer` with its own default.

    Args:
        shards: Folder written by `s2tf prepare`, a pattern or URL of its shards, or a list of `ShardSource`s to mix.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        seed: Seed of all random choices.
        buffer: Examples held as raw bytes and shuffled together.
        max_broken: Greatest number of broken samples that each worker may skip and log; more are an error.
    """

    needs_all_frames = True
    """False for batches of single pictures, for which shards of portraits (`s2tf prepare --portraits`) are enough."""

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        *,
        seed: int = 0,
        buffer: int = 256,
        max_broken: int = 0,
    ):
        super().__init__()
        if batch_size < 1 or num_workers < 0 or buffer < 1 or max_broken < 0:
            raise ValueError(
                f"data.init_args: batch_size {batch_size}, num_workers {num_workers}, buffer {buffer}, max_broken "
                f"{max_broken}: expected positive numbers (num_workers and max_broken may be 0)"
            )
        self.shards = shards
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.buffer = buffer
        self.max_broken = max_broken
        self.per_clip_eval = 1
        self._sources: list[OpenSource] | None = None
        self._position = Position(str(seed), 0, 0)

    @property
    def per_clip_eval(self) -> int:
        """Examples taken from each clip in validation and test."""
        return self._per_clip_eval

    @per_clip_eval.setter
    def per_clip_eval(self, examples: int) -> None:
        if examples < 1:
            raise ValueError(f"data.init_args: examples of a clip {examples}: expected a positive number")
        self._per_clip_eval = examples

    def sampler(self) -> ClipSampler[Any]:
        """The sampler that chooses this batch's examples."""
        raise NotImplementedError(f"{type(self).__name__} must implement sampler()")

    def wanted_size(self) -> int:
        """Side of the largest picture in the batch, or 0 without pictures."""
        return 0

    @property
    def sources(self) -> list[OpenSource]:
        """The data sets with their manifests."""
        if self._sources is None:
            self._sources = open_sources(self.shards)
        return self._sources

    def setup(self, stage: str | None = None) -> None:
        """Check that the data sets have what the batches need.

        Raises:
            FileNotFoundError: The folder is missing, was not written by `s2tf prepare`, or has no clip of the split.
            ValueError: The stored pictures are smaller than those of the batches, or frames that they need are absent.
        """
        self._sets("train" if stage in (None, "fit") else "test" if stage == "test" else "val")
        for source in self.sources:
            if self.needs_all_frames:
                source.require_all_frames(type(self).__name__)
            self.check_manifest(source.source.shards, source.manifest)

    def check_manifest(self, shards: str, manifest: dict) -> None:
        """Compare a data set's manifest with what the batches need."""
        stored = manifest["crop_rule"]["size"]
        if self.wanted_size() > stored:
            raise ValueError(
                f"data.init_args: pictures of {self.wanted_size()} px are requested, but {shards!r} has {stored} px: "
                "expected a smaller size here, or recordings that are prepared at a larger size"
            )

    def train_dataloader(self) -> TrainLoader:
        """The endless loader; every rank and worker reads its own rows."""
        # The stored position belongs to another order: begin a new order after it.
        if self._position.layout not in (None, self._layout()):
            rank_zero_warn(
                f"resumed with {self._layout()} instead of {self._position.layout} (ranks, workers, batch size): the "
                "data begin a new order here, in which samples seen before may come again"
            )
            done = self._position.batches
            self._position = Position(f"{self.seed}/{done}", done, done)
        stream = TrainStream(
            self._sets("train"),
            [source.source.weight for source in self.sources],
            self.sampler(),
            self._position.stream,
            *self._rank(),
            batch_size=self.batch_size,
            buffer=self.buffer,
            max_broken=self.max_broken,
        )
        return TrainLoader(stream, self._batches_in_stream, **self._options())

    def val_dataloader(self) -> DataLoader:
        """The finite loader of each clip of the split `val`."""
        return self.once("val")

    def test_dataloader(self) -> DataLoader:
        """The finite loader of each clip of the split `test`."""
        return self.once("test")

    def once(self, split: str, numbers: Sequence[int] | None = None) -> DataLoader:
        """Each clip of a split exactly once over all ranks, in order, always with the same frames and windows.

        Args:
            split: Name of the split, such as `test`.
            numbers: Numbers of the batches to read, ascending, or None for all; the others are not decoded.
        """
        self.check_examples(split, self._rank()[1])
        sets = self._sets(split)
        # Lightning does not know that each worker reads its own part.
        warnings.filterwarnings("ignore", "Your `IterableDataset` has `__len__` defined")
        stream = EvaluationStream(
            sets,
            self.sampler(),
            self.seed,
            self.per_clip_eval,
            *self._rank(),
            batch_size=self.batch_size,
            max_broken=self.max_broken,
            numbers=numbers,
        )
        return DataLoader(stream, batch_size=None, collate_fn=unchanged, **self._options())

    def check_examples(self, split: str, world: int) -> None:
        """Check that validation or test has a clip for every rank.

        Raises:
            FileNotFoundError: The split has no shards.
            ValueError: There are fewer examples than ranks.
        """
        examples = self.per_clip_eval * sum(int(shards.counts.sum()) for shards in self._sets(split))
        if examples < world:
            raise ValueError(
                f"data.init_args.shards: {examples} examples in the split {split} for {world} ranks: each needs one at "
                "least; use fewer devices, or hold more people out"
            )

    def first_clips(self, count: int, frames: int, split: str = "val") -> list[Clip]:
        """The beginnings of the first readable clips of a split, for previews.

        Args:
            count: Number of clips, at most.
            frames: Frames of each clip, at most.
            split: Name of the split, such as `val`.
        """
        clips = (
            clip
            for shards in self._sets(split)
            for url, number in zip(shards.urls, shards.counts.tolist(), strict=True)
            for clip in read_clips(url, shards.local, number)
            if not isinstance(clip, ShardError)
        )
        return [_beginning(clip, frames) for clip in itertools.islice(clips, count)]

    def on_device(self, batch: dict[str, Any]) -> Any:
        """Turn a loader's batch, whose pictures are bytes (B, S, S, 3), into the stages' batch, in [-1, 1]."""
        return {name: batch_to_tensor(value) if is_pictures(value) else value for name, value in batch.items()}

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> Any:
        """Convert the batch on its device: sending bytes costs a quarter of sending floats."""
        return self.on_device(batch)

    def state_dict(self) -> dict[str, Any]:
        """The position in the training stream."""
        return {
            "stream": self._position.stream,
            "origin": self._position.origin,
            "batches": self._batches_taken(),
            "layout": list(self._layout()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a stored position."""
        layout = tuple(state_dict["layout"])
        self._position = Position(state_dict["stream"], state_dict["origin"], state_dict["batches"], layout)

    def _batches_taken(self) -> int:
        """Batches that this rank has trained on, in this run and the runs that it resumes."""
        if self.trainer is None:
            return self._position.batches
        total: Any = self.trainer.fit_loop.epoch_loop.batch_progress.total
        return max(self._position.batches, total.processed)

    def _batches_in_stream(self) -> int:
        return self._batches_taken() - self._position.origin

    def _sets(self, split: str) -> list[ShardSet]:
        sets = [source.split(split) for source in self.sources]
        empty = [source.source.shards for source, shards in zip(self.sources, sets, strict=True) if not shards.urls]
        if empty and (split == "train" or len(empty) == len(sets)):
            raise FileNotFoundError(f"data.init_args.shards: no {split}-*.tar in {', '.join(map(repr, empty))}")
        return sets

    def _rank(self) -> tuple[int, int]:
        """This process's rank and the number of ranks."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _layout(self) -> tuple[int, ...]:
        return self._rank()[1], max(1, self.num_workers), self.batch_size

    def _options(self) -> dict[str, Any]:
        return {
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "worker_init_fn": start_loader_worker,
            "pin_memory": torch.cuda.is_available(),
        }


def _beginning(clip: Sample, frames: int) -> Clip:
    count = min(frames, clip.record.frames)
    # Portraits follow each other with gaps: the beginning of such a clip is its first picture.
    count = 1 if clip.record.portraits else count
    silence = np.zeros(count * SAMPLES_PER_FRAME, np.float32)
    sound = clip.speech(0, count) if WAV in clip.members else silence
    pictures = torch.from_numpy(clip.frames(0, count))
    return {"key": clip.key, "frames": batch_to_tensor(pictures), "waveform": torch.from_numpy(sound)}
