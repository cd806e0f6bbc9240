"""Video files, written frame by frame with their sound."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from s2tf.media.audio import FPS, SAMPLE_RATE


class VideoWriter:
    """Writes frames one by one, with their sound, as an MP4 that browsers play (H.264 yuv420p, AAC, index in front).

    Memory does not grow with the length: frames and sound are encoded as they come. The sound is cut or padded with
    silence to frames / fps seconds. The file appears under its name only when it is complete.

        with VideoWriter("talking.mp4", (256, 256), waveform=speech) as writer:
            for frame in frames:
                writer.write(frame)

    Args:
        path: The file; its folder must exist.
        size: (height, width) of the frames in pixels, both even.
        fps: Frames a second.
        waveform: (S,) float in [-1, 1]; None writes no sound track.
        sample_rate: Samples of the waveform a second.
        crf: x264's constant rate factor; a smaller one gives a better picture and a larger file, 18 looks lossless.
        comment: Text for the file's metadata.

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
        comment: str = "",
    ):
        height, width = size
        if height % 2 or width % 2 or height < 2 or width < 2:
            raise ValueError(f"{path}: video of {width}x{height} pixels cannot be yuv420p, both sides must be even")
        self.path = Path(path)
        self.size = (height, width)
        self.fps = Fraction(fps)
        self.frames = 0
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part.mp4")
        # Absolute, since FFmpeg reads `12:30 take.mp4` as a protocol and an address.
        self._container = av.open(str(self._part.absolute()), "w", format="mp4", options={"movflags": "+faststart"})
        if comment:
            self._container.metadata["comment"] = comment
        self._video = self._container.add_stream("libx264", rate=self.fps, options={"crf": str(crf)})
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._sound = None if waveform is None else _SoundTrack(self._container, waveform, sample_rate)

    def __enter__(self) -> "VideoWriter":
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, (H, W, 3) uint8 RGB.

        Raises:
            ValueError: The frame differs from the writer's size, or is not uint8.
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
                os.replace(self._part, self.path)
            else:
                self._part.unlink(missing_ok=True)

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
