"""Two frames of the same clip with their lips, for the motion autoencoder."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from datamodules.base import ShardDataModule, at_size
from datamodules.samples import Sample, ShardError, decode_jpeg
from datamodules.sources import ShardSource
from s2tf.media.lips import canonical_lips, has_frame


@dataclass(frozen=True)
class FramePairExample:
    """The bytes of one row of a `FramePairBatch`."""

    key: str
    stored: int
    source: bytes
    target: bytes
    landmarks: np.ndarray
    """(2, 68, 2) of source and target, in pixels of the stored frames."""
    input_size: int
    output_size: int

    def decode(self) -> dict[str, Any]:
        """The row."""
        row: dict[str, Any] = {"key": self.key}
        for name, jpeg in (("source", self.source), ("target", self.target)):
            image = decode_jpeg(jpeg, self.stored, self.key)
            row[name] = at_size(image, self.input_size)
            if self.output_size != self.input_size:
                row[f"{name}_output"] = at_size(image, self.output_size)
        if not all(has_frame(points, self.stored) for points in self.landmarks):
            raise ShardError(f"sample {self.key!r}: landmarks whose outer eye corners coincide")
        row["landmarks"] = torch.from_numpy(self.landmarks * np.float32(2 / self.stored) - np.float32(1))
        return row


@dataclass(frozen=True)
class FramePairDraw:
    """Draws pairs of different frames of a clip."""

    input_size: int
    output_size: int
    per_clip: int

    def train(self, sample: Sample, rng: random.Random) -> list[FramePairExample]:
        """Random pairs, each of two different frames (of one frame twice where the clip has no more)."""
        landmarks = sample.landmarks()
        return [self._example(sample, landmarks, *_two(sample.record.frames, rng)) for _ in range(self.per_clip)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> FramePairExample:
        """The first frame as the source, a later frame chosen by the seed as the target."""
        frames = sample.record.frames
        return self._example(sample, sample.landmarks(), 0, rng.randrange(1, frames) if frames > 1 else 0)

    def collate(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Rows put together; lips and placements are computed for all of them at once."""
        batch = default_collate(rows)
        pose = canonical_lips(batch.pop("landmarks").numpy())
        for index, name in enumerate(("source", "target")):
            batch[f"{name}_lips"] = torch.from_numpy(np.ascontiguousarray(pose.lips[:, index]))
            batch[f"{name}_placement"] = torch.from_numpy(np.ascontiguousarray(pose.placement[:, index]))
        return batch

    def _example(self, sample: Sample, landmarks: np.ndarray, source: int, target: int) -> FramePairExample:
        return FramePairExample(
            key=sample.key,
            stored=sample.record.size,
            source=sample.jpeg(source),
            target=sample.jpeg(target),
            landmarks=landmarks[[source, target]],
            input_size=self.input_size,
            output_size=self.output_size,
        )


def _two(frames: int, rng: random.Random) -> tuple[int, int]:
    if frames == 1:
        return 0, 0
    first, second = rng.sample(range(frames), 2)
    return first, second


class FramePairData(ShardDataModule):
    """`FramePairBatch`es: source and target frame of a clip at the input and at the output size, and their lips.

    Args:
        shards: Folder made by `s2tf prepare`, a pattern or URL of its shards, or a list of `ShardSource`s to mix.
        batch_size: Rows in a batch.
        num_workers: Processes that decode; 0: the training process itself.
        input_size: Side of the pictures that the autoencoder sees, in pixels.
        output_size: Side of the pictures that it draws.
        pairs_per_clip: Pairs drawn from each clip that training reads. More spare reading; the buffer keeps a clip's
            pairs apart as long as it holds many clips' worth of them.
        pairs: Pairs of each clip in validation and test.
        seed: Of every random choice.
        buffer: Pairs that wait to be shuffled, as raw bytes.
        max_broken: Broken samples that each worker may pass over, counted and logged, before it is an error.
    """

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        input_size: int = 256,
        output_size: int = 512,
        pairs_per_clip: int = 4,
        pairs: int = 1,
        seed: int = 0,
        buffer: int = 2048,
        max_broken: int = 0,
    ):
        super().__init__(shards, batch_size, num_workers, seed, buffer, max_broken, per_clip_eval=pairs)
        if min(input_size, output_size, pairs_per_clip) < 1:
            raise ValueError(
                f"data.init_args: input_size {input_size}, output_size {output_size} and pairs_per_clip "
                f"{pairs_per_clip} must be positive"
            )
        self.input_size = input_size
        self.output_size = output_size
        self.pairs_per_clip = pairs_per_clip

    def finish(self, batch: dict[str, Any]) -> Any:
        """See `ShardDataModule.finish`; where both sizes are the same, the output's pictures are the input's."""
        batch = super().finish(batch)
        if self.output_size == self.input_size:
            batch |= {"source_output": batch["source"], "target_output": batch["target"]}
        return batch

    def draw(self) -> FramePairDraw:
        """Two frames of a clip."""
        return FramePairDraw(self.input_size, self.output_size, self.pairs_per_clip)

    def wanted_size(self) -> int:
        """Side of the larger picture."""
        return max(self.input_size, self.output_size)
