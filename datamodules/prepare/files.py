"""Recordings in files, and helpers shared by the readers of real data sets."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from datamodules.prepare.recording import ABSENT, LoadedClip, PrepareError, Recording
from s2tf.media.audio import FPS
from s2tf.media.container import VIDEO_SUFFIXES, has_sound, open_media, video_track
from s2tf.media.sound import read_sound
from s2tf.media.video import read_video
from s2tf.tables.names import normal_name, sorting_key

MAX_BYTES = 4 * 2**30
"""Limit for a clip's pictures in memory; joining them takes twice as much for a moment."""
MAX_KEY = 80
"""Characters of a key: the name of a member must fit into the 100 characters of a tar header."""


@dataclass(frozen=True, kw_only=True)
class FileRecording(Recording):
    """A video file, or a part of one."""

    path: Path
    start: float = 0.0
    """Seconds after the first picture."""
    stop: float | None = None
    """Seconds after the first picture, or None for the end."""
    point: tuple[float, float] | None = None
    """(x, y) of the speaker's face, as shares of the picture's width and height."""
    sounds: tuple[Path, ...] = ()
    """Candidates for the sound of a video without a sound track; the first that exists is read."""

    def load(self) -> LoadedClip:
        """See `Recording.load`; fails at `absent`, `read` (unreadable), `memory` (too long) or `sound` (no track)."""
        clip = self.read()
        if self.point is None:
            return clip
        height, width = clip.frames.shape[1:3]
        return replace(clip, point=(self.point[0] * width, self.point[1] * height))

    def read(self, region: Callable[[np.ndarray], np.ndarray] | None = None) -> LoadedClip:
        """Read pictures, each cut by `region` where that is given, and sound."""
        seconds = self._seconds()
        if not self.path.is_file():
            raise PrepareError(ABSENT, f"{self.path} does not exist")
        if region is None:
            self._check_memory(seconds)
        try:
            video = read_video(self.path, max_seconds=seconds, start=self.start, region=self._counted(region))
        except (ValueError, OSError) as error:
            raise PrepareError("read", str(error)) from error
        try:
            sound = read_sound(self._sound_file(), start=self.start, max_seconds=seconds, origin=video.origin)
        except (ValueError, OSError) as error:
            raise PrepareError("sound", str(error)) from error
        if not len(sound.waveform):
            raise PrepareError("sound", f"the sound track of {self.path} is empty")
        notes = tuple(dict.fromkeys((*video.notes, *sound.notes)))
        return LoadedClip(video.frames, sound.waveform, notes=notes)

    def _seconds(self) -> float | None:
        # One frame more than the longest length, so that a longer clip is recognised and counted as cut.
        wanted = [
            None if self.max_seconds is None else self.max_seconds + 1 / FPS,
            None if self.stop is None else self.stop - self.start,
        ]
        return min((seconds for seconds in wanted if seconds is not None), default=None)

    def _check_memory(self, seconds: float | None) -> None:
        """Fail before a video is read that is too long for the memory."""
        try:
            with open_media(self.path) as container:
                track = video_track(container)
                if track is None:
                    return
                known = [seconds, None if container.duration is None else container.duration / av.time_base]
                length = min((value for value in known if value is not None), default=0.0)
                picture = track.width * track.height * 3
        except (av.FFmpegError, EOFError):
            return
        if length * FPS * picture > MAX_BYTES:
            raise self._too_long(length * FPS * picture)

    def _too_long(self, size: float) -> PrepareError:
        return PrepareError(
            "memory",
            f"the pictures of {self.path} need {size / 2**30:.0f} GB in memory, expected at most "
            f"{MAX_BYTES / 2**30:.0f} GB: give --max-seconds, or cut the file",
        )

    def _counted(self, region: Callable[[np.ndarray], np.ndarray] | None) -> Callable[[np.ndarray], np.ndarray]:
        """`region` with a check of memory: a file that does not state its length may turn out too long."""
        size = 0

        def keep(picture: np.ndarray) -> np.ndarray:
            nonlocal size
            kept = picture if region is None else region(picture)
            size += kept.nbytes
            if size > MAX_BYTES:
                raise self._too_long(size)
            return kept

        return keep

    def _sound_file(self) -> Path:
        if not self.sounds or has_sound(self.path):
            return self.path
        return next((path for path in self.sounds if path.is_file()), self.path)


def find_videos(folder: Path) -> dict[str, Path]:
    """The video files of a folder and its subfolders by normal name without suffix; the first of equal names."""
    result: dict[str, Path] = {}
    for path in walk(folder):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            result.setdefault(normal_name(path.stem), path)
    return result


def walk(folder: Path) -> list[Path]:
    """All files of a folder and its subfolders, sorted, without a query to the file system for each file.

    Linked folders are followed; a folder that was visited before, as in a circle of links, is skipped.

    Raises:
        OSError: A folder cannot be read; the error names it.
    """

    def refuse(error: OSError) -> None:
        # Some data sets need not have all of their folders.
        if not isinstance(error, FileNotFoundError):
            raise error

    result: list[Path] = []
    visited: set[tuple[int, int]] = set()
    for parent, below, names in os.walk(folder, followlinks=True, onerror=refuse):
        status = os.stat(parent)
        place = (status.st_dev, status.st_ino)
        if place in visited:
            below.clear()
            continue
        visited.add(place)
        result += (Path(parent, name) for name in names)
    return sorted(result, key=sorting_key)


def file_key(path: Path) -> str:
    """A file's name as a key: `a/b c.mp4` → `a--b_c`."""
    text = normal_name("--".join(path.with_suffix("").parts))
    return re.sub(r"[^A-Za-z0-9_-]", "_", text).lstrip("_-") or "clip"


def unique_key(key: str, taken: set[str]) -> str:
    """Return `key`, or `key-2`, `key-3`, ... if it is in `taken`, and add it there; a long key is cut and hashed."""
    if len(key) > MAX_KEY - 6:
        key = f"{key[: MAX_KEY - 20]}-{hashlib.blake2b(key.encode(), digest_size=6).hexdigest()}"
    result, number = key, 2
    while result in taken:
        result, number = f"{key}-{number}", number + 1
    taken.add(result)
    return result
