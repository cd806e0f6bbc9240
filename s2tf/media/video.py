"""Video: read at a constant frame rate by timestamp, and write a stream of frames with its sound."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from s2tf.media.audio import FPS, SAMPLE_RATE


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
    """Read a video at a constant frame rate, whatever its own.

    Frame i is the picture whose timestamp is nearest to `start` + i / fps after the first picture's: so the clip does
    not drift from its sound at 29.97 or variable frame rates. The picture is turned as the file's rotation says.

    Args:
        path: Any container that FFmpeg reads.
        fps: Frames a second to give.
        max_seconds: Read no more than this.
        start: Seconds after the first picture from which on to read.
        region: Gives the part of a picture (H, W, 3) that is kept, the same size for all; None: the whole.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, has no video track, or no picture in the range; the message names the file.
    """
    with VideoStream(path, fps, max_seconds, start=start) as stream:
        frames = [frame if region is None else region(frame) for frame in stream]
    return VideoClip(np.stack(frames), stream.fps, float(len(frames) / stream.fps), stream.origin)


class VideoStream(Iterator[np.ndarray]):
    """The frames of a video one by one, the very frames of `read_video`: memory does not grow with the length.

        with VideoStream("talking.mp4") as stream:
            for frame in stream:
                ...

    Each is (H, W, 3) uint8 RGB. A picture that is held comes as the same array again: do not write into it. The file
    is closed by `close`, by the end of the `with` block, or after the last frame.

    Args:
        path: Any container that FFmpeg reads.
        fps: Frames a second to give.
        max_seconds: Read no more than this.
        start: Seconds after the first picture from which on to read.

    Attributes:
        fps: Frames a second that it gives.
        origin: The file's timestamp, in seconds, of its first picture: what `read_audio` takes as its origin.
        size: (height, width) of the first picture, upright.
        source_fps: The file's own average rate; None where it states none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, has no video track, or no picture; the message names the file. What is found
            only later, an unreadable part or no picture after `start`, is raised when its frame is asked for.
    """

    def __init__(
        self, path: str | Path, fps: int | Fraction = FPS, max_seconds: float | None = None, *, start: float = 0.0
    ):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"no such file: {self.path}")
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
        """Close the file; there are no frames after this."""
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
    """FFmpeg's errors as one that says which file cannot be read."""
    try:
        yield
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(f"cannot read the video of {path}: {error}") from error


def video_seconds(path: str | Path) -> float | None:
    """Length of a file in seconds as its container states it, None where it does not or cannot be opened."""
    try:
        with av.open(str(path)) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (av.FFmpegError, OSError, EOFError):
        return None


TimedPicture = tuple[float, float, av.VideoFrame]
"""Timestamp and duration in seconds, and the picture."""


def _chain(first: TimedPicture, rest: Iterator[TimedPicture]) -> Iterator[TimedPicture]:
    yield first
    yield from rest


def _seek(container: av.container.InputContainer, seconds: float) -> None:
    container.seek(int(max(0.0, seconds) * av.time_base), backward=True)


def _timed_pictures(container: av.container.InputContainer) -> Iterator[TimedPicture]:
    """Pictures in the order of time; without timestamps they are counted at the stream's average rate."""
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


class VideoWriter:
    """Writes frames one by one, with their sound, as MP4 that a browser plays (H.264 yuv420p, AAC, index in front).

    Memory does not grow with the length: frames and sound are encoded as they come. The sound is cut or padded with
    silence to frames / fps seconds. The file appears under its name only when it is complete.

        with VideoWriter("talking.mp4", (256, 256), waveform=speech) as writer:
            for frame in frames:
                writer.write(frame)

    Args:
        path: File to write; its folder must exist.
        size: (height, width) of the frames in pixels, both even.
        fps: Frames a second.
        waveform: (S,) float in [-1, 1]; None: no sound track.
        sample_rate: Of the waveform.
        crf: x264's constant rate factor; smaller is better and larger, 18 looks lossless.

    Raises:
        ValueError: A side of the size is odd (yuv420p halves both).
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: int | Fraction = FPS,
        waveform: np.ndarray | None = None,
        *,
        sample_rate: int = SAMPLE_RATE,
        crf: int = 18,
    ):
        height, width = size
        if height % 2 or width % 2 or height < 2 or width < 2:
            raise ValueError(f"{path}: video of {width}x{height} pixels cannot be yuv420p, both sides must be even")
        self.path = Path(path)
        self.size = (height, width)
        self.fps = Fraction(fps)
        self.frames = 0
        self._aside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part.mp4")
        self._container = av.open(str(self._aside), "w", format="mp4", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", rate=self.fps, options={"crf": str(crf)})
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._sound = None if waveform is None else _SoundTrack(self._container, waveform, sample_rate)

    def __enter__(self) -> "VideoWriter":
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, (H, W, 3) uint8 RGB.

        Raises:
            ValueError: Its shape or type is not the one that the writer was made for.
        """
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: frame {self.frames} is {frame.dtype} {frame.shape}, expected uint8 {(*self.size, 3)}"
            )
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = self.frames
        picture.time_base = 1 / self.fps
        self._container.mux(self._video.encode(picture))
        self.frames += 1
        if self._sound is not None:
            self._sound.write_until(self.frames / self.fps)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._container.close()
            if kind is None and self.frames:
                os.replace(self._aside, self.path)
            else:
                self._aside.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self.frames:
            raise ValueError(f"{self.path}: no frame was written")
        self._container.mux(self._video.encode(None))
        if self._sound is not None:
            self._sound.finish()


class _SoundTrack:
    """Encodes a waveform in step with the pictures, so that the muxer never has to hold one back for the other."""

    BLOCK = 1024

    def __init__(self, container: av.container.OutputContainer, waveform: np.ndarray, sample_rate: int):
        self.container = container
        self.waveform = np.asarray(waveform, np.float32).reshape(-1)
        self.rate = sample_rate
        self.stream = container.add_stream("aac", rate=sample_rate, layout="mono")
        self.written = 0
        self.end = 0

    def write_until(self, seconds: Fraction) -> None:
        """Encode whole blocks up to this time."""
        self.end = round(seconds * self.rate)
        while self.written + self.BLOCK <= self.end:
            self._encode(self.BLOCK)

    def finish(self) -> None:
        """Encode the rest and flush."""
        if self.written < self.end:
            self._encode(self.end - self.written)
        self.container.mux(self.stream.encode(None))

    def _encode(self, count: int) -> None:
        block = np.zeros((1, count), np.float32)
        piece = self.waveform[self.written : self.written + count]
        block[0, : len(piece)] = np.clip(piece, -1.0, 1.0)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = self.rate
        frame.pts = self.written
        frame.time_base = Fraction(1, self.rate)
        self.container.mux(self.stream.encode(frame))
        self.written += count
