"""Windows of consecutive frames with their speech, for lip landmarks and motion diffusion."""

import random
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from datamodules.base import ShardDataModule
from datamodules.shards.errors import ShardError
from datamodules.shards.face import canonical, landmarks_of, mesh_of
from datamodules.shards.samples import FEATURES, Sample
from datamodules.shards.sources import ShardSource
from datamodules.streaming.batching import Batch, Batcher
from s2tf.faces.head import to_head
from s2tf.media.audio import SAMPLES_PER_FRAME, from_pcm

Level = Literal["window", "recording"]
LENGTH_STEP = 5
"""Frames by which the lengths of short clips differ, so that the rows of a batch have few of them."""
POINTS = (68, 468, 478)
"""Numbers of points of a whole face: iBUG's, and the face mesh without and with the irises."""


@dataclass(slots=True)
class MotionSequenceExample:
    """One row of a `MotionSequenceBatch` before its lips are brought into the canonical frame."""

    key: str
    pcm: np.ndarray
    """The window's sound, int16; shorter where the clip ends."""
    level: np.ndarray | None
    """(2,) mean and variance of the whole recording's sound."""
    landmarks: np.ndarray
    """(T' + 1, 68, 2 or 3) in picture units: the reference frame, then the window; T' < T where the clip is shorter."""
    mesh: np.ndarray | None
    """(T' + 1, P, 3) the face mesh of the same frames."""
    motion: np.ndarray | None
    """(T', m) motion codes."""
    features: np.ndarray | None
    """(2 T', C) speech features."""
    frames: int
    points: int | None

    def decode(self, batcher: Batcher) -> None:
        """See `Example.decode`."""
        landmarks = _repeat_edge(self.landmarks, self.frames + 1)
        try:
            pose = canonical(landmarks)
        except ValueError as error:
            raise ShardError(f"sample {self.key!r}: landmarks: {error}") from error
        lips = pose.lips
        if self.points is not None:
            points = landmarks if self.mesh is None else _repeat_edge(self.mesh, self.frames + 1)
            face = to_head(points, landmarks, pose.placement).astype(np.float32)
            batcher.put("face", face[1:])
            batcher.put("reference_face", face[0])
        waveform = batcher.place("waveform", (self.frames * SAMPLES_PER_FRAME,), np.float32)
        from_pcm(self.pcm, out=waveform[: len(self.pcm)])
        waveform[len(self.pcm) :] = 0
        batcher.put("key", self.key)
        batcher.put("length", np.int64(_length(len(self.landmarks) - 1, self.frames)))
        if self.level is not None:
            batcher.put("level", self.level)
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


def _length(frames: int, window: int) -> int:
    """The number of frames that count: all of a full window; of a shorter clip a multiple of `LENGTH_STEP`, or all."""
    return frames if frames >= window or frames < LENGTH_STEP else frames // LENGTH_STEP * LENGTH_STEP


@dataclass(frozen=True)
class MotionSequenceSampler:
    """Chooses windows of a clip."""

    frames: int
    per_clip: int
    features: bool = False
    space: bool = False
    points: int | None = None
    level: Level = "window"

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
        # The window, and a frame of the same clip for reference.
        start = rng.randint(0, max(0, record.frames - self.frames))
        stop = min(start + self.frames, record.frames)
        reference = rng.randrange(record.frames)
        features = sample.features(start, stop) if self.features else None
        if self.features and features is None:
            raise ShardError(f"sample {sample.key!r} has no speech features ({FEATURES})")
        frames = np.array([reference, *range(start, stop)])
        return MotionSequenceExample(
            key=sample.key,
            level=_level(sample) if self.level == "recording" else None,
            mesh=mesh_of(sample, frames)[:, : self.points] if self.points not in (None, 68) else None,
            points=self.points,
            pcm=sample.pcm(start * SAMPLES_PER_FRAME, (stop - start) * SAMPLES_PER_FRAME),
            landmarks=landmarks_of(sample, frames, self.space),
            motion=sample.motion(start, stop),
            features=features,
            frames=self.frames,
        )


def _level(sample: Sample) -> np.ndarray:
    """Mean and variance of a recording's sound, (2,) float32."""
    sound = sample.waveform().astype(np.float64)
    return np.array([sound.mean(), sound.var()], np.float32)


class MotionSequenceData(ShardDataModule):
    """`MotionSequenceBatch`es: the lips of T consecutive frames, their speech and, if in the shards, motion codes.

    A clip shorter than the window is padded: lips and codes of its last frame are repeated, and silence follows its
    speech. No clip is left out. `length` tells the stages where the padding begins; there, it has no effect on loss or
    prediction. Up to 4 frames before it count as padding too, so that a batch has few different lengths.

    Motion codes are in shards copied by `s2tf codes`, speech features in those copied by `s2tf features`.

    Args:
        shards: Shard folder, or a list of data sets to mix; see `ShardDataModule`.
        batch_size: Rows in a batch.
        num_workers: Processes that decode, or 0 for the training process itself.
        frames: Length of the window, T.
        require_motion: Refuse shards without motion codes.
        features: True to put the stored speech features, computed on the whole recording, into the batch; the stage
            then does not compute them.
        space: Free the lips of the head's yaw and pitch, see `s2tf.faces.head`. It needs the depth of the landmarks,
            which face meshes and synthetic speakers have.
        points: Number of points of the whole face that the batch holds too, in space, for `AudioToMesh`: 68, or 468 or
            478 of the face mesh. None: the lips alone.
        level: Sound by whose mean and variance the speech is normalised where features are not stored: the `window`'s
            own, or the whole `recording`'s as at inference.
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
        space: bool = False,
        points: int | None = None,
        level: Level = "window",
        **common: Any,
    ):
        super().__init__(shards, batch_size, num_workers, **common)
        self.per_clip_eval = windows
        if frames < 1 or windows_per_clip < 1:
            raise ValueError(
                f"data.init_args: frames {frames} and windows_per_clip {windows_per_clip} must be positive"
            )
        if points is not None and (points not in POINTS or not space):
            raise ValueError(
                f"data.init_args: points {points} with space {space}: expected one of {', '.join(map(str, POINTS))}, "
                "with space true"
            )
        if level not in get_args(Level):
            raise ValueError(f"data.init_args.level is {level!r}, expected one of {', '.join(get_args(Level))}")
        self.space, self.points, self.level = space, points, level
        self.frames = frames
        self.require_motion = require_motion
        self.features = features
        self.windows_per_clip = windows_per_clip

    def sampler(self) -> MotionSequenceSampler:
        """The sampler of windows."""
        return MotionSequenceSampler(
            self.frames, self.windows_per_clip, self.features, self.space, self.points, self.level
        )

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
