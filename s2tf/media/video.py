"""Video files, read at a constant frame rate by timestamp."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from s2tf.media.audio import FPS


@dataclass(frozen=True)
class VideoClip:
    """Frames at a constant rate."""

    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB; frame i shows the picture nearest to i / fps seconds after the first one."""
    fps: Fraction
    seconds: float
    """T / fps."""
    origin: float
    """The file's timestamp, in seconds, of its first picture: what `read_audio` takes as its origin."""


def read_video(
    path: str | Path,
    fps: int | Fraction = FPS,
    max_seconds: float | None = None,
    *,
    start: float = 0.0,
    region: Callable[[np.ndarray], np.ndarray] | None = None,
) -> VideoClip:
    """Read a video at a constant frame rate, independent of its own.

    Frame i is the picture whose timestamp is nearest to `start` + i / fps after the first picture's, so that the clip
    does not drift from its sound at 29.97 or variable frame rates. The picture is turned by the file's rotation.

    Args:
        path: Any container that FFmpeg reads.
        fps: Frames a second of the result.
        max_seconds: Read no more than this.
        start: Seconds after the first picture at which reading begins.
        region: Function from a picture (H, W, 3) to the part that is kept, of one size for all; None keeps the whole.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, or has no video track, or no picture in the range; the message names it.
    """
    with VideoStream(path, fps, max_seconds, start=start) as stream:
        frames = [frame if region is None else region(frame) for frame in stream]
    return VideoClip(np.stack(frames), stream.fps, float(len(frames) / stream.fps), stream.origin)


class VideoStream(Iterator[np.ndarray]):
    """The frames of `read_video` one by one, so that memory does not grow with the length of the video.

        with VideoStream("talking.mp4") as stream:
            for frame in stream:
                ...

    A frame is (H, W, 3) uint8 RGB. A picture that is shown for several frames is the same array each time: do not
    write into it. The file is closed by `close`, by the end of the `with` block, or after the last frame.

    Args:
        path: Any container that FFmpeg reads.
        fps: Frames a second of the result.
        max_seconds: Read no more than this.
        start: Seconds after the first picture at which reading begins.

    Attributes:
        fps: Frames a second of the result.
        origin: The file's timestamp, in seconds, of its first picture: what `read_audio` takes as its origin.
        size: (height, width) of the first picture, upright.
        source_fps: The file's own average rate; None where it states none.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, or has no video track or no picture; the message names it. An unreadable
            part further on, or no picture after `start`, is raised when its frame is asked for.
    """

    def __init__(
        self, path: str | Path, fps: int | Fraction = FPS, max_seconds: float | None = None, *, start: float = 0.0
    ):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist, expected a video")
        self.fps = Fraction(fps)
        with _names_the_file(self.path):
            self._container = av.open(str(self.path))
            try:
                first, pictures = self._first_picture()
            except BaseException:
                self._container.close()
                raise
        self.origin = first[0]
        height, width = _rgb(first[2]).shape[:2]
        self.size = (height, width)
        rate = self._container.streams.video[0].average_rate
        self.source_fps = None if rate is None else float(rate)
        count = None if max_seconds is None else max(1, round(max_seconds * self.fps))
        self._frames = self._read(first, pictures, start, count)

    def __next__(self) -> np.ndarray:
        return next(self._frames)

    def __enter__(self) -> "VideoStream":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no frame follows."""
        self._frames.close()
        self._container.close()

    def _first_picture(self) -> "tuple[TimedPicture, Iterator[TimedPicture]]":
        """The first picture, and those after it."""
        if not self._container.streams.video:
            raise ValueError(f"{self.path} has no video track")
        self._container.streams.video[0].thread_type = "SLICE"
        pictures = _timed_pictures(self._container)
        first = next(pictures, None)
        if first is None:
            raise ValueError(f"{self.path} has no picture")
        return first, pictures

    def _read(
        self, first: "TimedPicture", rest: "Iterator[TimedPicture]", start: float, count: int | None
    ) -> Generator[np.ndarray, None, None]:
        with _names_the_file(self.path), self._container:
            pictures = _chain(first, rest)
            if start > 0:
                _seek(self._container, self.origin + start - 1.0)
                pictures = _timed_pictures(self._container)
            given = False
            for frame in _nearest(pictures, self.origin + start, self.fps, count):
                given = True
                yield frame
            if not given:
                raise ValueError(f"{self.path} has no picture after {start:g} s")


@contextmanager
def _names_the_file(path: Path) -> Iterator[None]:
    """Turn FFmpeg's errors into a ValueError that names the file."""
    try:
        yield
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(f"cannot read the video of {path}: {error}") from error


TimedPicture = tuple[float, float, av.VideoFrame]
"""Timestamp and duration in seconds, and the picture."""


def _chain(first: TimedPicture, rest: Iterator[TimedPicture]) -> Iterator[TimedPicture]:
    yield first
    yield from rest


def _seek(container: av.container.InputContainer, seconds: float) -> None:
    container.seek(int(max(0.0, seconds) * av.time_base), backward=True)


def _timed_pictures(container: av.container.InputContainer) -> Iterator[TimedPicture]:
    """Pictures in the order of time; those without timestamps are counted at the stream's average rate."""
    stream = container.streams.video[0]
    period = float(1 / stream.average_rate) if stream.average_rate else 1.0 / FPS
    last: float | None = None
    for picture in container.decode(stream):
        time = picture.time
        if time is None:
            time = 0.0 if last is None else last + period
        if last is not None and time <= last:
            continue
        last = time
        duration = float(picture.duration * picture.time_base) if picture.duration and picture.time_base else period
        yield time, duration, picture


def _nearest(pictures: Iterator[TimedPicture], origin: float, fps: Fraction, count: int | None) -> Iterator[np.ndarray]:
    """The pictures nearest to origin + i / fps; the last one is held for its own duration and no longer."""
    index = 0
    held: TimedPicture | None = None
    image: np.ndarray | None = None
    for current in pictures:
        if held is not None:
            border = (held[0] + current[0]) / 2 - origin
            while index / fps <= border and (count is None or index < count):
                image = _rgb(held[2]) if image is None else image
                yield image
                index += 1
        if count is not None and index >= count:
            return
        held, image = current, None
    if held is None:
        return
    end = max(1, round((held[0] + held[1] - origin) * fps)) if held[0] + held[1] > origin else 0
    last = _rgb(held[2])
    for _ in range(index, end if count is None else min(end, count)):
        yield last


def _rgb(picture: av.VideoFrame) -> np.ndarray:
    """(H, W, 3) uint8, upright."""
    image = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
