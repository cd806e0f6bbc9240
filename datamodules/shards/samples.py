"""Samples: one clip each; only the requested parts are decoded."""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamodules.shards.codecs import Bytes, decode_array, decode_jpeg
from datamodules.shards.errors import ShardError
from datamodules.shards.records import ClipRecord
from s2tf.faces.face_mesh import to_ibug
from s2tf.media.audio import SAMPLES_PER_FRAME, WAV_HEADER, decode_pcm, from_pcm, plain_wav_header

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
JSON, WAV, FRAMES, LANDMARKS, MESH = "json", "wav", "frames.mjpeg", "landmarks.npy", "mesh.npy"
DEPTH, MOTION, FEATURES, TRUTH = "depth.npy", "motion.npy", "features.npy", "truth.json"
REQUIRED = (JSON, FRAMES, LANDMARKS)
MEMBERS = (JSON, WAV, FRAMES, LANDMARKS, DEPTH, MESH, MOTION, FEATURES, TRUTH)


@dataclass(frozen=True)
class ArrayForm:
    """The form of one of a sample's arrays."""

    per_frame: int
    """Rows for each frame."""
    row: tuple[int | None, ...]
    """Shape of a row; None: any length."""
    dtype: type[np.floating] = np.float32

    of_pictures: bool = False
    """True for an array with rows of the stored frames only."""

    def problem(self, array: np.ndarray, frames: int) -> str:
        """The fault in the array of a clip of `frames` frames; empty: none."""
        shape = (self.per_frame * frames, *self.row)
        fits = array.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if array.dtype == self.dtype and fits and np.isfinite(array).all():
            return ""
        return f"is {array.dtype} {array.shape}, expected finite {self.dtype.__name__} {shape}"


ARRAYS = {
    LANDMARKS: ArrayForm(1, (68, 2), of_pictures=True),
    DEPTH: ArrayForm(1, (68,), np.float16, of_pictures=True),
    MESH: ArrayForm(1, (478, 3), np.float16, of_pictures=True),
    MOTION: ArrayForm(1, (None,)),
    FEATURES: ArrayForm(2, (None,), np.float16),
}


@dataclass(frozen=True)
class Sample:
    """One clip as stored in a shard: bytes, of which only the requested parts are decoded."""

    key: str
    record: ClipRecord
    members: Mapping[str, Bytes]

    @classmethod
    def from_members(cls, key: str, members: Mapping[str, Bytes]) -> "Sample":
        """Check the names and the record of a sample.

        Raises:
            ShardError: The key is malformed, a member is missing or unknown, or the record is invalid.
        """
        if not KEY.fullmatch(key):
            raise ShardError(f"sample {key!r}: not a key of letters, digits, '_' and '-'")
        missing, unknown = set(REQUIRED) - set(members), set(members) - set(MEMBERS)
        if missing or unknown:
            raise ShardError(f"sample {key!r}: members missing {sorted(missing)}, unknown {sorted(unknown)}")
        record = ClipRecord.from_json(members[JSON][:], key)
        if (WAV in members) != (record.samples > 0):
            there = "is there" if WAV in members else "is missing"
            raise ShardError(f"sample {key!r}: field 'samples' is {record.samples}, but member {WAV!r} {there}")
        if record.offsets[-1] != len(members[FRAMES]):
            raise ShardError(
                f"sample {key!r}: field 'offsets' ends at {record.offsets[-1]}, but {FRAMES} has "
                f"{len(members[FRAMES])} bytes"
            )
        return cls(key, record, members)

    def jpeg(self, index: int) -> bytes:
        """The bytes of frame `index`.

        Raises:
            ShardError: The clip stores portraits, and this frame is none of them.
        """
        offsets = self.record.offsets
        place, _ = self._places(range(index, index + 1))
        return self.members[FRAMES][offsets[place] : offsets[place + 1]]

    def frame(self, index: int) -> np.ndarray:
        """Frame `index`, (size, size, 3) uint8 RGB; only its own bytes are decoded."""
        return decode_jpeg(self.jpeg(index), self.record.size, self.key)

    def frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Frames start to stop - 1, (T, size, size, 3) uint8 RGB."""
        stop = self.record.frames if stop is None else min(stop, self.record.frames)
        return np.stack([self.frame(index) for index in range(start, stop)])

    def pcm(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Samples of the sound as stored, (S,) int16; fewer than `count` where it ends."""
        if WAV not in self.members:
            raise ShardError(f"sample {self.key!r} has no sound, which this kind of batch needs")
        try:
            pcm = self._pcm(self.members[WAV], start, count)
        except ValueError as error:
            raise ShardError(f"sample {self.key!r}: {WAV}: {error}") from error
        if not len(pcm) and start < self.record.samples and count != 0:
            raise ShardError(
                f"sample {self.key!r}: {WAV} ends before sample {start}, its record says {self.record.samples}"
            )
        return pcm

    def _pcm(self, wav: Bytes, start: int, count: int | None) -> np.ndarray:
        samples = max(0, len(wav) - WAV_HEADER) // 2
        if wav[:WAV_HEADER] != plain_wav_header(samples):
            return decode_pcm(wav[:], start, count)
        # In the form that `s2tf prepare` writes, only the requested bytes are read.
        stop = samples if count is None else min(samples, start + count)
        return np.frombuffer(wav[WAV_HEADER + 2 * min(start, stop) : WAV_HEADER + 2 * stop], "<i2")

    def waveform(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Samples of the sound, (S,) float32 in [-1, 1]; fewer than `count` where it ends."""
        return from_pcm(self.pcm(start, count))

    def speech(self, frame: int, frames: int) -> np.ndarray:
        """The sound of `frames` frames from frame `frame` on: exactly frames * 640 samples, silence after its end."""
        wanted = frames * SAMPLES_PER_FRAME
        waveform = self.waveform(frame * SAMPLES_PER_FRAME, wanted)
        return np.pad(waveform, (0, wanted - len(waveform)))

    def landmarks(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Landmarks of frames start to stop - 1, (T, 68, 2) float32 in pixels of the stored frames."""
        return self._array(LANDMARKS, start, stop)

    def picture_landmarks(self) -> np.ndarray:
        """Landmarks of all stored pictures, (P, 68, 2) float32 in pixels, in the order of `record.pictures`."""
        stored = self.record.portraits
        if not stored:
            return self.landmarks()
        return np.concatenate([self.landmarks(frame, frame + 1) for frame in stored])

    def mesh(self, start: int = 0, stop: int | None = None) -> np.ndarray | None:
        """Face mesh of frames start to stop - 1, (T, 478, 3) float16 in pixels, including the depth; None if absent."""
        return self._array(MESH, start, stop) if MESH in self.members else None

    def depth(self, start: int = 0, stop: int | None = None) -> np.ndarray | None:
        """Depth of the landmarks of frames start to stop - 1, away from the viewer; None if unknown.

        Returns:
            (T, 68) float32 in pixels up to a constant: as stored, or that of the face mesh.
        """
        if DEPTH in self.members:
            return self._array(DEPTH, start, stop).astype(np.float32)
        mesh = self.mesh(start, stop)
        return None if mesh is None else to_ibug(mesh.astype(np.float32), slice(2, 3))[..., 0]

    def motion(self, start: int = 0, stop: int | None = None) -> np.ndarray | None:
        """Motion codes of frames start to stop - 1, (T, m) float32, or None if there are none."""
        return self._array(MOTION, start, stop) if MOTION in self.members else None

    def features(self, start: int = 0, stop: int | None = None) -> np.ndarray | None:
        """Speech features of frames start to stop - 1, (2 T, C) float16, of the whole clip; None if absent."""
        return self._array(FEATURES, start, stop) if FEATURES in self.members else None

    def truth(self) -> dict[str, Any]:
        """The ground truth: a synthetic speaker's parameters, and per frame pose, blink and viseme; else empty."""
        if TRUTH not in self.members:
            return {}
        try:
            return dict(json.loads(self.members[TRUTH][:]))
        except (ValueError, TypeError) as error:
            raise ShardError(f"sample {self.key!r}: {TRUTH} cannot be read: {error}") from error

    def _array(self, member: str, start: int, stop: int | None) -> np.ndarray:
        form, frames = ARRAYS[member], self.record.frames
        first, last, _ = slice(start, stop).indices(frames)
        if self.record.portraits and form.of_pictures:
            first, last = self._places(range(first, last))
            frames = len(self.record.portraits)
        # A whole array is read in one go.
        part = () if (first, last) == (0, frames) else (form.per_frame * first, form.per_frame * last)
        try:
            array = decode_array(self.members[member], form.per_frame * frames, *part)
        except (ValueError, EOFError, OSError, SyntaxError, struct.error) as error:
            raise ShardError(f"sample {self.key!r}: {member} cannot be read: {error}") from error
        problem = form.problem(array, last - first)
        if problem:
            raise ShardError(f"sample {self.key!r}: {member} {problem}")
        return array

    def _places(self, frames: range) -> tuple[int, int]:
        """Positions among the stored pictures, first and last + 1, of frames that follow each other.

        Raises:
            ShardError: One of the frames is not stored.
        """
        stored = self.record.portraits
        missing = sorted(set(frames) - set(stored)) if stored else []
        if missing:
            raise ShardError(
                f"sample {self.key!r}: frame {missing[0]} is not stored: it has {len(stored)} of its "
                f"{self.record.frames} frames (`s2tf prepare --portraits`), expected a clip with all frames"
            )
        first = stored.index(frames[0]) if stored and frames else frames.start
        return first, first + len(frames)
