"""Sources to compare: video and picture files, and every other object that yields frames and sound."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from s2tf.media.sound import read_audio
from s2tf.media.video import VideoStream

BLOCK = 1 << 20
"""Bytes of a file that are read at a time."""
GONE = "gone"
"""Version and digest of a file that has been deleted since it was found."""


class VideoSource(Protocol):
    """A clip of frames at 25 a second, with its sound."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def version(self) -> str:
        """Text that changes when the content changes, and is quick to compute."""

    def digest(self) -> str:
        """Return a hash of the content, which does not depend on the clip's path."""

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W, 3) uint8 RGB, one by one."""

    def waveform(self) -> np.ndarray | None:
        """Return the sound (S,) float32 at 16 kHz from the first frame on, or None without sound."""


@dataclass(frozen=True)
class SourceFile:
    """A file that is compared, a video or a picture."""

    path: Path

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self.path)

    @property
    def version(self) -> str:
        """Size and time of the file."""
        stat = self.path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def digest(self) -> str:
        """See `VideoSource.digest`."""
        found = hashlib.sha256()
        with open(self.path, "rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
        return found.hexdigest()


@dataclass(frozen=True)
class VideoFile(SourceFile):
    """A video file, read at 25 frames a second independent of its own rate."""

    def frames(self) -> Iterator[np.ndarray]:
        """See `VideoSource.frames`."""
        with VideoStream(self.path) as stream:
            yield from stream

    def waveform(self) -> np.ndarray | None:
        """See `VideoSource.waveform`."""
        # In a file that was cut between keyframes, the first picture comes later than the video track states.
        with VideoStream(self.path) as stream:
            origin = stream.origin
        try:
            return read_audio(self.path, origin=origin)
        except ValueError as error:
            if "no sound track" in str(error):
                return None
            raise


def fingerprint(references: Mapping[str, VideoSource | SourceFile]) -> str:
    """Hash the names and contents of all references that results were measured against."""
    found = hashlib.blake2b(digest_size=8)
    for key in sorted(references):
        found.update(f"{key} {_digest(references[key])}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _digest(source: VideoSource | SourceFile) -> str:
    try:
        return source.digest()
    except OSError:
        return GONE
