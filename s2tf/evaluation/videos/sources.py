"""Videos to be measured: files, and anything else that yields frames and sound."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from s2tf.media.audio import read_audio
from s2tf.media.video import VideoStream

BLOCK = 1 << 20
"""Bytes of a file at once."""


class VideoSource(Protocol):
    """A clip of frames at 25 a second, with its sound."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def version(self) -> str:
        """Changes when its content does; read at once."""

    def digest(self) -> str:
        """Of its content: equal wherever the same clip lies."""

    def frames(self) -> Iterator[np.ndarray]:
        """Frames (H, W, 3) uint8 RGB, one by one."""

    def waveform(self) -> np.ndarray | None:
        """(S,) float32 at 16 kHz from the first frame on, None where it has no sound."""


@dataclass(frozen=True)
class SourceFile:
    """A file that is compared, a video or a picture."""

    path: Path

    @property
    def name(self) -> str:
        """The file."""
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
    """A video file, read at 25 frames a second whatever its own rate."""

    def frames(self) -> Iterator[np.ndarray]:
        """See `VideoSource.frames`."""
        with VideoStream(self.path) as stream:
            yield from stream

    def waveform(self) -> np.ndarray | None:
        """See `VideoSource.waveform`."""
        # Of a file that was cut between keyframes the first picture comes after what its video track states.
        with VideoStream(self.path) as stream:
            origin = stream.origin
        try:
            return read_audio(self.path, origin=origin)
        except ValueError as error:
            if "no sound track" in str(error):
                return None
            raise
