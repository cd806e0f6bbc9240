"""Windows of lips and speech at several times of a clip, for SyncNet."""

import random
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from datamodules.base import ShardDataModule
from datamodules.shards.codecs import decode_jpeg
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher
from s2tf.faces.crop import resize
from s2tf.media.audio import SAMPLES_PER_FRAME, from_pcm
from s2tf.media.mfcc import COEFFICIENTS, COLUMN_SAMPLES, WINDOW_SAMPLES, mfcc

WINDOW_FRAMES = 5
WINDOW_COLUMNS = WINDOW_FRAMES * SAMPLES_PER_FRAME // COLUMN_SAMPLES
FIRST_FRAME = 1
"""Earliest first frame of a window: the coefficients need one more column of sound before it, see `_sound`."""


@dataclass(frozen=True, slots=True)
class View:
    """The visible square of a stored picture, in its pixels, and the factor on its brightness."""

    left: int
    top: int
    side: int
    brightness: float = 1.0

    @classmethod
    def random(cls, stored: int, zoom: float, brightness: float, rng: random.Random) -> "View":
        """A random view that leaves out up to `zoom` of a side and is brighter or darker by up to `brightness`."""
        side = stored - rng.randint(0, round(zoom * stored))
        left, top = (rng.randint(0, stored - side) for _ in range(2))
        return cls(left, top, side, 1 + rng.uniform(-brightness, brightness))

    def of(self, image: np.ndarray, size: int) -> np.ndarray:
        """(stored, stored, 3) uint8 → (size, size, 3) uint8."""
        part = resize(image[self.top : self.top + self.side, self.left : self.left + self.side], size)
        return part if self.brightness == 1 else cv2.convertScaleAbs(part, alpha=self.brightness)


@dataclass(slots=True)
class LipSyncExample:
    """The bytes of one row of a `LipSyncBatch`."""

    key: str
    stored: int
    starts: list[int]
    """Each window's first frame."""
    jpegs: dict[int, bytes]
    """The frames of all windows, which may overlap, by number."""
    sounds: list[np.ndarray]
    """Each window's sound, int16, with one column before it."""
    view: View
    size: int

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        batcher.put("key", self.key)
        pictures = {
            frame: self.view.of(decode_jpeg(jpeg, self.stored, self.key), self.size)
            for frame, jpeg in self.jpegs.items()
        }
        lips = batcher.place("lips", (len(self.starts), WINDOW_FRAMES, self.size, self.size, 3), np.uint8)
        for window, start in zip(lips, self.starts, strict=True):
            for index in range(WINDOW_FRAMES):
                window[index] = pictures[start + index]
        coefficients = np.stack([mfcc(from_pcm(sound))[1:].T for sound in self.sounds])
        batcher.put("mfcc", coefficients.reshape(-1, 1, COEFFICIENTS, WINDOW_COLUMNS))


@dataclass(frozen=True)
class LipSyncSampler:
    """Chooses several windows of a clip."""

    size: int
    windows: int
    gap: int
    zoom: float
    brightness: float
    per_clip: int = 1

    def train(self, sample: Sample, rng: random.Random) -> list[LipSyncExample]:
        """Windows at random times, seen through one random view."""
        return [self._example(sample, View.random(sample.record.size, self.zoom, self.brightness, rng), rng)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> LipSyncExample:
        """Windows at times chosen by the seed, with whole and unchanged pictures."""
        return self._example(sample, View(0, 0, sample.record.size), rng)

    def collate(self, batch: Batch) -> Batch:
        """Leave the batch as it is."""
        return batch

    def _example(self, sample: Sample, view: View, rng: random.Random) -> LipSyncExample:
        starts = self._starts(sample, rng)
        frames = sorted({start + index for start in starts for index in range(WINDOW_FRAMES)})
        return LipSyncExample(
            key=sample.key,
            stored=sample.record.size,
            starts=starts,
            jpegs={frame: sample.jpeg(frame) for frame in frames},
            sounds=[_sound(sample, start) for start in starts],
            view=view,
            size=self.size,
        )

    def _starts(self, sample: Sample, rng: random.Random) -> list[int]:
        """First frames of the windows in order of time, at least `gap` apart; all choices are equally likely."""
        frames = min(sample.record.frames, sample.record.samples // SAMPLES_PER_FRAME)
        # The last column of sound reaches past its window's frames into the next frame.
        places = frames - WINDOW_FRAMES - FIRST_FRAME
        spare = (self.windows - 1) * (self.gap - 1)
        if places - spare < self.windows:
            raise ShardError(
                f"sample {sample.key!r} has {frames} frames with sound, but {self.windows} windows {self.gap} frames "
                f"apart need {self.windows + spare + WINDOW_FRAMES + FIRST_FRAME}: ask for fewer or nearer ones "
                "(data.init_args.windows, gap)"
            )
        chosen = sorted(rng.sample(range(places - spare), self.windows))
        return [FIRST_FRAME + place + number * (self.gap - 1) for number, place in enumerate(chosen)]


def _sound(sample: Sample, frame: int) -> np.ndarray:
    """The sound of the window at `frame` with one column before it, so that its coefficients equal the clip's."""
    columns = 1 + WINDOW_COLUMNS
    first = frame * SAMPLES_PER_FRAME - COLUMN_SAMPLES
    return sample.pcm(first, (columns - 1) * COLUMN_SAMPLES + WINDOW_SAMPLES)


class LipSyncData(ShardDataModule):
    """`LipSyncBatch`es: lips and speech at K different times of a clip, on the whole picture that the shards hold.

    A clip that is too short for its windows is a broken sample: the error names the needed length; `max_broken` permits
    such clips.

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        size: Side of the pictures, in pixels.
        windows: Windows of a row, K.
        gap: Least number of frames between the beginnings of two windows of a row. Lips and speech of near windows are
            nearly equal: a smaller gap asks the network for finer distinctions.
        zoom: Largest share of a picture's side that training leaves out at random, equal in all windows of a row.
        brightness: Largest share by which training makes a row's pictures brighter or darker at random.
        rows: Rows taken from each clip in validation and test.
        buffer: Rows held as raw bytes and shuffled together.
        common: The other arguments of `ShardDataModule`.
    """

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        size: int = 224,
        windows: int = 8,
        gap: int = 5,
        zoom: float = 0.1,
        brightness: float = 0.1,
        rows: int = 1,
        buffer: int = 64,
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, buffer=buffer, **common)
        self.per_clip_eval = rows
        if windows < 2 or min(size, gap) < 1:
            raise ValueError(
                f"data.init_args: size {size}, windows {windows}, gap {gap}: expected positive numbers, and at "
                "least two windows, since each is the wrong answer for the other"
            )
        if not (0 <= zoom < 1 and 0 <= brightness < 1):
            raise ValueError(f"data.init_args: zoom {zoom}, brightness {brightness}: expected shares below 1")
        self.size = size
        self.windows = windows
        self.gap = gap
        self.zoom = zoom
        self.brightness = brightness

    def on_device(self, batch: dict[str, Any]) -> Any:
        """See `ShardDataModule.on_device`; the frames (B, K, 5, S, S, 3) in RGB get SyncNet's form."""
        lips = batch["lips"].flip(-1).permute(0, 1, 5, 2, 3, 4)
        return {**batch, "lips": lips.to(torch.float32, memory_format=torch.contiguous_format)}

    def sampler(self) -> LipSyncSampler:
        """The sampler of windows."""
        return LipSyncSampler(self.size, self.windows, self.gap, self.zoom, self.brightness)

    def wanted_size(self) -> int:
        """Side of the pictures."""
        return self.size
