"""Two frames of the same clip with their lips and eyes, for the motion autoencoder."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from datamodules.base import ShardDataModule
from datamodules.shards.errors import ShardError
from datamodules.shards.face import canonical, landmarks_of
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher
from datamodules.streaming.pictures import put_picture, put_sizes
from s2tf.faces.lips import has_frame


@dataclass(slots=True)
class FramePairExample:
    """The bytes of one row of a `FramePairBatch`."""

    key: str
    stored: int
    source: bytes
    target: bytes
    landmarks: np.ndarray
    """(2, 68, 2) of source and target in picture units; in space (2, 68, 3)."""
    input_size: int
    output_size: int

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        batcher.put("key", self.key)
        batcher.put("landmarks", self.landmarks)
        for name, jpeg in (("source", self.source), ("target", self.target)):
            if self.output_size == self.input_size:
                put_picture(batcher, name, self.input_size, jpeg, self.stored, self.key)
            else:
                sizes = {name: self.input_size, f"{name}_output": self.output_size}
                put_sizes(batcher, sizes, jpeg, self.stored, self.key)


@dataclass(frozen=True)
class FramePairSampler:
    """Chooses pairs of different frames of a clip."""

    input_size: int
    output_size: int
    per_clip: int
    span: tuple[float, float] = (0.0, 1.0)
    space: bool = False

    def train(self, sample: Sample, rng: random.Random) -> list[FramePairExample]:
        """Random pairs of two different frames each (of the same frame twice where the clip has only one)."""
        first, last = (round(edge * sample.record.frames) for edge in self.span)
        first = min(first, sample.record.frames - 1)
        return self._examples(sample, [_two(first, max(1, last - first), rng) for _ in range(self.per_clip)])

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> FramePairExample:
        """The first frame as the source, a later frame chosen by the seed as the target."""
        frames = sample.record.frames
        return self._examples(sample, [(0, rng.randrange(1, frames) if frames > 1 else 0)])[0]

    def collate(self, batch: Batch) -> Batch:
        """Replace the landmarks by lips, eyes and placements, computed for all rows together."""
        pose = canonical(batch.pop("landmarks").numpy())
        for index, name in enumerate(("source", "target")):
            for part, values in vars(pose).items():
                batch[f"{name}_{part}"] = torch.from_numpy(np.ascontiguousarray(values[:, index]))
        return batch

    def _examples(self, sample: Sample, pairs: list[tuple[int, int]]) -> list[FramePairExample]:
        size = sample.record.size
        landmarks = landmarks_of(sample, np.array(pairs), self.space)
        if not has_frame(landmarks[..., :2]):
            raise ShardError(f"sample {sample.key!r}: landmarks whose outer eye corners coincide")
        return [
            FramePairExample(
                key=sample.key,
                stored=size,
                source=sample.jpeg(source),
                target=sample.jpeg(target),
                landmarks=points,
                input_size=self.input_size,
                output_size=self.output_size,
            )
            for (source, target), points in zip(pairs, landmarks, strict=True)
        ]


def _two(start: int, frames: int, rng: random.Random) -> tuple[int, int]:
    """Two different ones of the `frames` frames from `start` on."""
    if frames == 1:
        return start, start
    one = rng.randrange(frames)
    return start + one, start + (one + rng.randrange(1, frames)) % frames


class FramePairData(ShardDataModule):
    """`FramePairBatch`es: source and target frame of a clip at the input and the output size, lips and eyes.

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        input_size: Side of the pictures that the autoencoder sees, in pixels.
        output_size: Side of the pictures that it reconstructs.
        pairs_per_clip: Pairs taken from each clip that training reads. More pairs save reading; the buffer keeps a
            clip's pairs apart as long as it holds the pairs of many clips.
        pairs: Pairs taken from each clip in validation and test.
        span: The part of every clip that training uses, such as [0, 0.75]; the rest are unseen frames of people who
            were seen.
        buffer: Pairs held as raw bytes and shuffled together.
        space: Free lips and eyes of the head's yaw and pitch, which go into the placement; see `s2tf.faces.head`. It
            needs the depth of the landmarks, which face meshes and synthetic speakers have.
        common: The other arguments of `ShardDataModule`.
    """

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        input_size: int = 256,
        output_size: int = 512,
        pairs_per_clip: int = 8,
        pairs: int = 1,
        span: tuple[float, float] = (0.0, 1.0),
        buffer: int = 2048,
        space: bool = False,
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, buffer=buffer, **common)
        self.per_clip_eval = pairs
        if min(input_size, output_size, pairs_per_clip) < 1:
            raise ValueError(
                f"data.init_args: input_size {input_size}, output_size {output_size} and pairs_per_clip "
                f"{pairs_per_clip} must be positive"
            )
        if not 0 <= span[0] < span[1] <= 1:
            raise ValueError(f"data.init_args.span is {list(span)}: expected two shares, 0 <= first < last <= 1")
        self.span, self.space = span, space
        self.input_size = input_size
        self.output_size = output_size
        self.pairs_per_clip = pairs_per_clip

    def on_device(self, batch: dict[str, Any]) -> Any:
        """See `ShardDataModule.on_device`; where both sizes are equal, one picture serves as input and output."""
        batch = super().on_device(batch)
        if self.output_size == self.input_size:
            batch |= {"source_output": batch["source"], "target_output": batch["target"]}
        return batch

    def sampler(self) -> FramePairSampler:
        """The sampler of frame pairs."""
        return FramePairSampler(self.input_size, self.output_size, self.pairs_per_clip, self.span, self.space)

    def wanted_size(self) -> int:
        """Side of the larger picture."""
        return max(self.input_size, self.output_size)
