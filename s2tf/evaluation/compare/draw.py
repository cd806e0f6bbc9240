"""Draws videos of several systems side by side: a grid video, a sheet of frames, traces and curves."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.evaluation.compare.faces import Video
from s2tf.faces.lips import POSE
from s2tf.figures.motion_figures import draw_curves, draw_traces
from s2tf.figures.sheet import draw_grid
from s2tf.figures.video_grid import VideoGrid
from s2tf.figures.zoom import draw_zoom, zoom_size
from s2tf.media.audio import FPS, loudness
from s2tf.media.video import VideoStream
from s2tf.media.video_writer import VideoWriter
from s2tf.tables.write_table import write_table

GRID, FRAMES_SHEET = "grid.mp4", "frames.png"
FRAME_HEIGHT = 256
"""Height of a frame on the sheet, pixels."""
TEXT_HEIGHT = 18
"""Height of letters on the sheet, pixels."""
UNITS = "lengths in outer-eye distances; head and nose against their medians over the clip"


@dataclass(frozen=True)
class Sound:
    """Sound of the grid video."""

    name: str
    """System whose video has this sound."""
    waveform: np.ndarray
    """(S,) at 16 kHz."""


def write_grid(
    videos: Sequence[Video], shown: Sequence[int], sound: Sound | None, path: Path
) -> list[list[np.ndarray]]:
    """Write all videos side by side until the longest ends; a video that ends earlier keeps showing its last frame.

    Returns:
        The frames `shown` of each video, (H, W, 3) uint8 RGB.
    """
    grid = VideoGrid([video.label for video in videos], [video.size for video in videos])
    kept: list[dict[int, np.ndarray]] = [{} for _ in videos]
    with ExitStack() as stack:
        streams = [stack.enter_context(VideoStream(video.path)) for video in videos]
        waveform = None if sound is None else sound.waveform
        writer = stack.enter_context(VideoWriter(path, grid.size, FPS, waveform))
        frames: list[Any] = [None] * len(videos)
        for index in range(max(video.frames for video in videos)):
            frames = [next(stream, last) for stream, last in zip(streams, frames, strict=True)]
            if index in shown:
                for pictures, frame in zip(kept, frames, strict=True):
                    pictures[index] = frame
            writer.write(grid.draw(frames, [index >= video.frames for video in videos]))
    return [[pictures[index] for index in shown] for pictures in kept]


def write_frames(
    videos: Sequence[Video],
    shown: Sequence[int],
    pictures: Sequence[Sequence[np.ndarray]],
    regions: Sequence[Sequence[Any]],
    path: Path,
) -> None:
    """Draw the sheet of frames, a row for each video, with eyes and lips enlarged.

    Args:
        videos: Videos.
        shown: Frames on the sheet.
        pictures: Pictures of these frames, for each video.
        regions: Regions to enlarge in each picture, or None.
        path: Path of the sheet.
    """
    width = max(round(FRAME_HEIGHT * video.size[1] / video.size[0]) for video in videos)
    size = (FRAME_HEIGHT, width) if regions[0][0] is None else zoom_size(FRAME_HEIGHT, width)
    rows = []
    for video, frames, parts in zip(videos, pictures, regions, strict=True):
        cells = [draw_zoom(frame, part, FRAME_HEIGHT, width) for frame, part in zip(frames, parts, strict=True)]
        rows.append((video.label, cells))
    captions = [f"{index / FPS:.2f} s" for index in shown]
    draw_grid(rows, captions=captions, size=size, text=TEXT_HEIGHT).save(path)


def write_motion(videos: Sequence[Video], sound: Sound | None, out: Path) -> list[str]:
    """Draw traces and curves, and write the numbers of the curves; returns the names of the files."""
    faces = {video.label: video.face for video in videos if video.face is not None}
    rows = {
        "with the head": {name: face.travelled() for name, face in faces.items()},
        "in the frame of the face": {name: face.expressed() for name, face in faces.items()},
    }
    draw_traces(rows, FPS, "eye distance", out / "traces.png")
    curves = {_legend(video): video.face.curves() for video in videos if video.face is not None}
    panels = {label: {name: values[label] for name, values in curves.items()} for label in next(iter(curves.values()))}
    frames = max(video.frames for video in videos)
    envelope = None if sound is None else loudness(sound.waveform, frames, FPS)
    draw_curves(panels, envelope, FPS, UNITS, out / "curves.png")
    _write_csv(videos, np.full(frames, np.nan) if envelope is None else envelope, out / "curves.csv")
    return ["traces.png", "curves.png", "curves.csv"]


def _write_csv(videos: Sequence[Video], envelope: np.ndarray, path: Path) -> None:
    """Write a row for each frame of each system; an unknown value is empty."""
    names = ("mouth opening", "eye opening", *POSE, "loudness (dB)")
    rows = []
    for video in videos:
        assert video.face is not None
        motion = video.face.motion
        for index in range(video.frames):
            values = [motion.mouth[index], motion.eyes[index], *motion.pose[index], envelope[index]]
            cells = {name: float(one) if np.isfinite(one) else "" for name, one in zip(names, values, strict=True)}
            rows.append({"system": video.name, "frame": index, "seconds": index / FPS, **cells})
    write_table(rows, path, ("system", "frame", "seconds", *names))


def _legend(video: Video) -> str:
    missing = video.face.missing if video.face else 0
    return f"{video.label} ({missing} of {video.frames} frames not read)" if missing else video.label
