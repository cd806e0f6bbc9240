"""Windows of consecutive frames with their speech, for lip landmarks and motion diffusion."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.base import ShardDataModule
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import FEATURES, Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher
from s2tf.faces.lips import canonical_face, to_picture_units
from s2tf.media.audio import SAMPLES_PER_FRAME, from_pcm


@dataclass(slots=True)
class MotionSequenceExample:
    """One row of a `MotionSequenceBatch` before its lips are brought into the canonical frame."""

    key: str
    stored: int
    pcm: np.ndarray
    """The window's sound, int16; shorter where the clip ends."""
    landmarks: np.ndarray
    """(T' + 1, 68, 2) in pixels: the reference frame, then the window; T' < T where the clip is shorter."""
    motion: np.ndarray | None
    """(T', m) motion codes."""
    features: np.ndarray | None
    """(2 T', C) speech features."""
    frames: int

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        landmarks = _repeat_edge(self.landmarks, self.frames + 1)
        try:
            lips = canonical_face(to_picture_units(landmarks, self.stored).astype(np.float32)).lips
        except ValueError as error:
            raise ShardError(f"sample {self.key!r}: landmarks: {error}") from error
        waveform = batcher.place("waveform", (self.frames * SAMPLES_PER_FRAME,), np.float32)
        from_pcm(self.pcm, out=waveform[: len(self.pcm)])
        waveform[len(self.pcm) :] = 0
        batcher.put("key", self.key)
        batcher.put("lips", lips[1:])
        batcher.put("reference_lips", lips[0])
        if self.motion is not None:
            batcher.put("motion", _repeat_edge(self.motion, self.frames))
        if self.features is not None:
            batcher.put("features", _repeat_edge(self.features, 2 * self.frames))


def _repeat_edge(array: np.ndarray, length: int) -> np.ndarray:
    """`array` extended to `length` by repeating its last entry."""
    missing = length - len(array)
    return array if missing <= 0 else np.concatenate([array, array[-1:].repeat(missing, axis=0)])


@dataclass(frozen=True)
class MotionSequenceSampler:
    """Chooses windows of a clip."""

    frames: int
    per_clip: int
    features: bool = False

    def train(self, sample: Sample, rng: random.Random) -> list[MotionSequenceExample]:
        """Random windows, each with the lips of a random frame of the clip as the reference."""
        return [self._example(sample, rng) for _ in range(self.per_clip)]

    def evaluate(self, sample: Sample, number: int, rng: random.Random) -> MotionSequenceExample:
        """A window and a reference chosen by the seed."""
        return self._example(sample, rng)

    def collate(self, batch: Batch) -> Batch:
        """Leave the batch as it is."""
        return batch

    def _example(self, sample: Sample, rng: random.Random) -> MotionSequenceExample:
        record = sample.record
        start = rng.randint(0, max(0, record.frames - self.frames))
        stop = min(start + self.frames, record.frames)
        reference = rng.randrange(record.frames)
        features = sample.features(start, stop) if self.features else None
        if self.features and features is None:
            raise ShardError(f"sample {sample.key!r} has no speech features ({FEATURES})")
        return MotionSequenceExample(
            key=sample.key,
            stored=record.size,
            pcm=sample.pcm(start * SAMPLES_PER_FRAME, (stop - start) * SAMPLES_PER_FRAME),
            landmarks=np.concatenate([sample.landmarks(reference, reference + 1), sample.landmarks(start, stop)]),
            motion=sample.motion(start, stop),
            features=features,
            frames=self.frames,
        )


class MotionSequenceData(ShardDataModule):
    """`MotionSequenceBatch`es: the lips of T consecutive frames, their speech and, if in the shards, motion codes.

    A clip shorter than the window is padded: lips and codes of its last frame are repeated, and silence follows its
    speech. No clip is left out.

    Motion codes are in shards copied by `s2tf codes`, speech features in those copied by `s2tf features`.

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        frames: Length of the window, T.
        require_motion: Refuse shards without motion codes.
        features: True to put the stored speech features, computed on the whole recording, into the batch; the stage
            then does not compute them.
        windows_per_clip: Windows taken from each clip that training reads.
        windows: Windows taken from each clip in validation and test.
        common: The other arguments of `ShardDataModule`.
    """

    def __init__(
        self,
        shards: str | list[ShardSource],
        batch_size: int,
        num_workers: int = 2,
        frames: int = 50,
        require_motion: bool = False,
        features: bool = False,
        windows_per_clip: int = 1,
        windows: int = 1,
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, **common)
        self.per_clip_eval = windows
        if frames < 1 or windows_per_clip < 1:
            raise ValueError(
                f"data.init_args: frames {frames} and windows_per_clip {windows_per_clip} must be positive"
            )
        self.frames = frames
        self.require_motion = require_motion
        self.features = features
        self.windows_per_clip = windows_per_clip

    def sampler(self) -> MotionSequenceSampler:
        """The sampler of windows."""
        return MotionSequenceSampler(self.frames, self.windows_per_clip, self.features)

    @property
    def stored_features(self) -> dict[str, Any] | None:
        """The network that computed the batches' speech features: `network`, `fingerprint`, `dim`."""
        return self.sources[0].manifest["features"] if self.features else None

    def on_device(self, batch: dict[str, Any]) -> Any:
        """See `ShardDataModule.on_device`; features, stored and sent at half precision, become floats."""
        batch = super().on_device(batch)
        return {**batch, "features": batch["features"].float()} if "features" in batch else batch

    def check_manifest(self, shards: str, manifest: dict) -> None:
        """Check that the shards hold the motion codes and features that the batches need.

        Raises:
            ValueError: They are missing (names the command that adds them), or data sets come from different networks.
        """
        super().check_manifest(shards, manifest)
        if self.require_motion and "motion" not in manifest:
            raise ValueError(
                f"data.init_args.shards: {shards!r} has no motion codes (motion.npy): `s2tf codes` copies a shard "
                "folder and adds them, by a trained motion autoencoder"
            )
        if self.features and "features" not in manifest:
            raise ValueError(
                f"data.init_args.features: {shards!r} has no speech features (features.npy): `s2tf features` copies a "
                "shard folder and adds them"
            )
        for name in ("motion", *(("features",) if self.features else ())):
            first, this = self.sources[0].manifest.get(name), manifest.get(name)
            if first != this:
                raise ValueError(
                    f"data.init_args.shards: {shards!r} has {name} of {this}, the first data set of {first}: they must "
                    "be of one network"
                )
