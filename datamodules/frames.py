"""Single frames, for the codebook and its high-resolution decoder."""

import random
from dataclasses import dataclass
from typing import Any

from datamodules.base import ShardDataModule
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher
from datamodules.streaming.pictures import put_picture


@dataclass(slots=True)
class FrameExample:
    """The bytes of one row of a `FrameBatch`."""

    key: str
    jpeg: bytes
    stored: int
    size: int

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        batcher.put("key", self.key)
        put_picture(batcher, "picture", self.size, self.jpeg, self.stored, self.key)


@dataclass(frozen=True)
class FrameSampler:
    """Chooses frames of a clip."""

    size: int
    per_clip: int

    def train(self, sample: Sample, rng: random.Random) -> list[FrameExample]:
        """Random frames, chosen independently."""
        return [self._example(sample, rng.choice(sample.record.pictures)) for _ in range(self.per_clip)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> FrameExample:
        """A frame chosen by the seed."""
        return self._example(sample, rng.choice(sample.record.pictures))

    def collate(self, batch: Batch) -> Batch:
        """Leave the batch as it is."""
        return batch

    def _example(self, sample: Sample, frame: int) -> FrameExample:
        return FrameExample(sample.key, sample.jpeg(frame), sample.record.size, self.size)


class FrameData(ShardDataModule):
    """`FrameBatch`es; the clips need no sound (VFHQ).

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        size: Side of the pictures, in pixels.
        frames_per_clip: Frames taken from each clip that training reads.
        frames: Frames taken from each clip in validation and test.
        buffer: Frames held as raw bytes and shuffled together.
        common: The other arguments of `ShardDataModule`.
    """

    needs_all_frames = False

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        size: int = 512,
        frames_per_clip: int = 4,
        frames: int = 1,
        buffer: int = 2048,
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, buffer=buffer, **common)
        self.per_clip_eval = frames
        if min(size, frames_per_clip) < 1:
            raise ValueError(f"data.init_args: size {size} and frames_per_clip {frames_per_clip} must be positive")
        self.size = size
        self.frames_per_clip = frames_per_clip

    def sampler(self) -> FrameSampler:
        """The sampler of frames."""
        return FrameSampler(self.size, self.frames_per_clip)

    def wanted_size(self) -> int:
        """Side of the pictures."""
        return self.size
