"""Tiny video files for the tests, with pictures that say their own number."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

STRIPES = 8


def numbered_frame(number: int, height: int = 64, width: int = 64) -> np.ndarray:
    """A picture with a number below 256 in it: eight upright stripes, white where its bit is set."""
    bits = [(number >> bit) & 1 for bit in range(STRIPES)]
    row = np.repeat(np.array(bits, np.uint8) * 200 + 20, width // STRIPES + 1)[:width]
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def number_of(frame: np.ndarray) -> int:
    stripe = frame.shape[1] // STRIPES + 1
    centres = [min(bit * stripe + stripe // 2, frame.shape[1] - 1) for bit in range(STRIPES)]
    return sum(1 << bit for bit, x in enumerate(centres) if frame[8:-8, x].mean() > 127)


def write_video(
    path: Path,
    frames: list[np.ndarray],
    *,
    times: list[Fraction],
    waveform: np.ndarray | None = None,
    sound_start: float = 0.0,
    rotation: int = 0,
    keyframes: int = 250,
) -> Path:
    """Write frames at the given times, with mono 16 kHz sound where given, into any container by the path's suffix."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        # Also the length that the last picture is shown for.
        rate = 1 / (times[1] - times[0]) if len(times) > 1 else Fraction(25)
        options = {"crf": "4", "preset": "ultrafast", "g": str(keyframes), "sc_threshold": "0"}
        video = container.add_stream("libx264", rate=rate, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        sound = None
        if waveform is not None:
            sound = container.add_stream("aac", rate=16000, layout="mono")
        for frame, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = round(time * 90000)
            picture.time_base = Fraction(1, 90000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if sound is not None:
            piece = av.AudioFrame.from_ndarray(waveform[None].astype(np.float32), format="fltp", layout="mono")
            piece.sample_rate = 16000
            piece.time_base = Fraction(1, 16000)
            piece.pts = round(sound_start * 16000)
            container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def cut_between_keyframes(path: Path, seconds: float, out: Path) -> Path:
    """Copy a file's packets from a time on, as a quick cut does: no picture before the next keyframe can be decoded."""
    with av.open(str(path)) as source, av.open(str(out), "w") as container:
        streams = {one.index: container.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.pts * packet.time_base >= seconds:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return out


def tone(seconds: float, frequency: float = 220.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * 16000)) / 16000)).astype(np.float32)
