"""Video files, read at a constant frame rate by timestamp, as a player shows them."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from s2tf.media.audio import FPS
from s2tf.media.clock import read_clock
from s2tf.media.container import naming, open_media, video_track
from s2tf.media.decoding import TrackDecoder
from s2tf.media.display import Display, TimedPicture, deinterlace
from s2tf.media.notes import Note, clock_notes, damage_notes


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
    notes: tuple[Note, ...] = ()
    """Findings about the file: see `VideoStream.notes`."""


def read_video(
    path: str | Path,
    fps: int | Fraction = FPS,
    max_seconds: float | None = None,
    *,
    start: float = 0.0,
    region: Callable[[np.ndarray], np.ndarray] | None = None,
) -> VideoClip:
    """Read a video at a constant frame rate, independent of its own; see `VideoStream`.

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
    return VideoClip(np.stack(frames), stream.fps, float(len(frames) / stream.fps), stream.origin, stream.notes)


class VideoStream(Iterator[np.ndarray]):
    """The frames of `read_video` one by one, so that memory does not grow with the length of the video.

        with VideoStream("talking.mp4") as stream:
            for frame in stream:
                ...

    A frame is (H, W, 3) uint8 RGB. A picture that is shown for several frames is the same array each time: do not
    write into it. The file is closed by `close`, by the end of the `with` block, or after the last frame.

    Frame i is the picture whose timestamp is nearest to `start` + i / fps after the first picture's, so that the clip
    does not drift from its sound at 29.97 or variable frame rates. Pictures are as a player shows them (see
    `s2tf.media.display.Display`), interlaced ones are deinterlaced. Parts of a file whose clock restarts follow one
    another; damaged packets are passed over.

    Args:
        path: Any container that FFmpeg reads.
        fps: Frames a second of the result.
        max_seconds: Read no more than this.
        start: Seconds after the first picture at which reading begins.

    Attributes:
        fps: Frames a second of the result.
        origin: The file's timestamp, in seconds, of its first picture: what `read_audio` takes as its origin.
        size: (height, width) of the first picture, as it is shown.
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
        self.fps = Fraction(fps)
        self._interlaced = False
        with naming(self.path, "video"):
            self._container = open_media(self.path)
            try:
                track = video_track(self._container)
                if track is None:
                    raise ValueError(f"{self.path} has no video track")
                track.thread_type = "SLICE"
                self._display = Display(track)
                self._decoder = TrackDecoder(self._container, track, read_clock(self.path, self._container, start))
                pictures = self._pictures()
                first = next(pictures, None)
                if first is None:
                    cause = f": {self._decoder.damage.cause}" if self._decoder.damage.packets else ""
                    raise ValueError(f"{self.path} has no picture that can be decoded{cause}")
                height, width = self._display.rgb(first[2]).shape[:2]
            except BaseException:
                self._container.close()
                raise
        self.origin = first[0]
        self.size = (height, width)
        self.source_fps = None if track.average_rate is None else float(track.average_rate)
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

    @property
    def notes(self) -> tuple[Note, ...]:
        """Findings in the pictures read so far: damage, restarts of the clock, conversions."""
        found = [
            *damage_notes("pictures", self._decoder.damage, self.origin),
            *clock_notes(self._decoder.clock, self.origin),
        ]
        if self._interlaced:
            found.append(Note("deinterlaced", "interlaced pictures were deinterlaced"))
        if self._display.wide:
            found.append(Note("tone-mapped", "high dynamic range or BT.2020 colours were converted to BT.709"))
        if self._display.resized:
            height, width = self.size
            found.append(Note("resized", f"the pictures change their size; all were fitted to {width}x{height}"))
        return tuple(found)

    def _read(
        self, first: TimedPicture, rest: Iterator[TimedPicture], start: float, count: int | None
    ) -> Generator[np.ndarray, None, None]:
        with naming(self.path, "video"), self._container:
            pictures: Iterator[TimedPicture] = chain((first,), rest)
            if start > 0 and self._decoder.clock.steady:
                pictures = self._pictures(self.origin + start)
            given = False
            shown: TimedPicture | None = None
            frame: np.ndarray | None = None
            for picture in _nearest(pictures, self.origin + start, self.fps, count):
                if frame is None or picture is not shown:
                    shown, frame = picture, self._display.rgb(picture[2])
                given = True
                yield frame
            if not given:
                raise ValueError(f"{self.path} has no picture after {start:g} s")

    def _pictures(self, begin: float = 0.0) -> Iterator[TimedPicture]:
        """Pictures in the order of time; those without timestamps are counted at the stream's average rate."""
        return deinterlace(self._timed(begin))

    def _timed(self, begin: float) -> Iterator[TimedPicture]:
        rate = self._decoder.track.average_rate
        period = float(1 / rate) if rate else 1.0 / FPS
        last: float | None = None
        for time, picture in self._decoder.frames(begin):
            if time is None:
                time = 0.0 if last is None else last + period
            if last is not None and time <= last:
                continue
            last = time
            self._interlaced = self._interlaced or picture.interlaced_frame
            duration = float(picture.duration * picture.time_base) if picture.duration and picture.time_base else period
            yield time, duration, picture


def _nearest(
    pictures: Iterator[TimedPicture], origin: float, fps: Fraction, count: int | None
) -> Iterator[TimedPicture]:
    """The pictures nearest to origin + i / fps; the last one is held for its own duration and no longer."""
    index = 0
    held: TimedPicture | None = None
    for current in pictures:
        if held is not None:
            border = (held[0] + current[0]) / 2 - origin
            while index / fps <= border and (count is None or index < count):
                yield held
                index += 1
        if count is not None and index >= count:
            return
        held = current
    if held is None:
        return
    end = max(1, round((held[0] + held[1] - origin) * fps)) if held[0] + held[1] > origin else 0
    for _ in range(index, end if count is None else min(end, count)):
        yield held
