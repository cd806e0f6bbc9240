"""Pictures, videos and tables that put several systems side by side."""

import argparse
import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2tf.commands.options import check_json, check_out
from s2tf.errors import UserError
from s2tf.evaluation.compare.faces import Video
from s2tf.faces.lips import POSE
from s2tf.figures.motion_figures import draw_curves, draw_traces
from s2tf.figures.sheet import draw_grid, sheet_indices
from s2tf.figures.video_grid import VideoGrid
from s2tf.figures.zoom import draw_zoom, zoom_size
from s2tf.media.audio import FPS, loudness, read_audio
from s2tf.media.video import VideoStream
from s2tf.media.video_writer import VideoWriter

GRID = "grid.mp4"


FRAMES = 6


FRAME_HEIGHT = 256


TEXT_HEIGHT = 18
"""Of a frame and of letters on the sheet, in pixels."""


UNITS = "lengths in outer-eye distances; head and nose against their medians over the clip"


@dataclass(frozen=True)
class Sound:
    """What is heard in the grid."""

    name: str
    """Of the video that it is from."""
    waveform: "np.ndarray"
    """(S,) at 16 kHz."""


def system_names(paths: Sequence[Path], given: str | None) -> list[str]:
    """The names of `--names`, else those of the files, with their folders where files are named alike.

    Raises:
        UserError: their number is not that of the videos, or two are alike.
    """
    if given is None:
        names = [path.stem for path in paths]
        if len(set(names)) < len(names):
            names = [f"{path.absolute().parent.name}/{path.stem}" for path in paths]
        advice = "name them by --names A,B,..."
    else:
        names = [name.strip() for name in given.split(",")]
        advice = "expected different ones"
    if len(names) != len(paths):
        raise UserError(f"--names {given}: {len(names)} names, expected one for each of the {len(paths)} videos")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"several videos are named {', '.join(twice)}: {advice}")
    return names


def check_request(args: argparse.Namespace, names: Sequence[str]) -> None:
    """Refuse what can be refused before a video is read.

    Raises:
        UserError: no frame is asked for, a time is none, the sound is of no video, a video would be overwritten, or
            what `--out` or `--json` names could not be written.
    """
    check_out(args.out)
    check_json(args.json, args.out)
    if args.frames < 1:
        raise UserError(f"--frames {args.frames}: expected 1 or more")
    if args.sound is not None and args.sound not in names:
        raise UserError(f"--sound {args.sound}: expected one of {', '.join(names)}")
    if args.times is not None:
        _times(args.times)
    if (args.out / GRID).resolve() in {path.resolve() for path in args.videos}:
        raise UserError(f"--out {args.out}: {GRID} in it is one of the videos, expected a folder without them")


def shown_frames(args: argparse.Namespace, videos: "Sequence[Video]") -> list[int]:
    """The frames of the sheet: those at `--times`, else `--frames` of them spread over the shortest video.

    Raises:
        UserError: a time is beyond the end of the shortest video.
    """
    shortest = min(videos, key=lambda video: video.frames)
    if args.times is None:
        return sheet_indices(shortest.frames, args.frames)
    frames = [round(time * FPS) for time in _times(args.times)]
    beyond = [index / FPS for index in frames if index >= shortest.frames]
    if beyond:
        raise UserError(
            f"--times {args.times}: {beyond[0]:g} s is beyond the end of {shortest.name}, whose last frame is at "
            f"{(shortest.frames - 1) / FPS:g} s"
        )
    return frames


def choose_sound(videos: "Sequence[Video]", wanted: str | None, notes: list[str]) -> Sound | None:
    """The sound of the video of that name, else of the first that has any; `notes` gets why others were passed over.

    Raises:
        UserError: that video has none.
    """
    for video in videos:
        if wanted in (None, video.name):
            try:
                return Sound(video.name, read_audio(video.path, origin=video.origin))
            except ValueError as error:
                if wanted:
                    raise UserError(f"--sound {wanted}: {error}") from error
                notes.append(f"{video.name}: {error}")
    return None


def write_grid(
    videos: "Sequence[Video]", shown: Sequence[int], sound: Sound | None, path: Path
) -> "list[list[np.ndarray]]":
    """Write all videos side by side, to the end of the longest; one that has ended holds its last frame.

    Returns:
        For each video its frames `shown`, (H, W, 3) uint8 RGB.
    """
    grid = VideoGrid([video.name for video in videos], [video.size for video in videos])
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


def _write_frames(
    videos: "Sequence[Video]",
    shown: Sequence[int],
    pictures: "Sequence[Sequence[np.ndarray]]",
    regions: Sequence[Sequence[Any]],
    path: Path,
) -> None:
    width = max(round(FRAME_HEIGHT * video.size[1] / video.size[0]) for video in videos)
    size = (FRAME_HEIGHT, width) if regions[0][0] is None else zoom_size(FRAME_HEIGHT, width)
    rows = []
    for video, frames, parts in zip(videos, pictures, regions, strict=True):
        cells = [draw_zoom(frame, part, FRAME_HEIGHT, width) for frame, part in zip(frames, parts, strict=True)]
        rows.append((video.name, cells))
    captions = [f"{index / FPS:.2f} s" for index in shown]
    draw_grid(rows, captions=captions, size=size, text=TEXT_HEIGHT).save(path)


def _write_motion(videos: "Sequence[Video]", sound: Sound | None, out: Path) -> list[str]:
    """Draw the traces and the curves and write the curves' numbers; returns the files' names."""
    faces = {video.name: video.face for video in videos if video.face is not None}
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


def _write_csv(videos: "Sequence[Video]", envelope: "np.ndarray", path: Path) -> None:
    """One row for each frame of each system; empty where a value is not known."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "frame", "seconds", "mouth opening", "eye opening", *POSE, "loudness (dB)"])
        for video in videos:
            assert video.face is not None
            motion = video.face.motion
            for index in range(video.frames):
                values = [motion.mouth[index], motion.eyes[index], *motion.pose[index], envelope[index]]
                cells = [float(value) if np.isfinite(value) else "" for value in values]
                writer.writerow([video.name, index, index / FPS, *cells])


def _times(text: str) -> list[float]:
    try:
        times = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--times {text}: expected seconds such as 0.4,1.2,2") from error
    if not all(0 <= time < float("inf") for time in times):
        raise UserError(f"--times {text}: expected seconds of 0 or more")
    return times


def _described(video: "Video") -> str:
    height, width = video.size
    text = f"{video.name}: {video.frames} frames ({video.frames / FPS:.2f} s), {width}x{height} pixels"
    return text if video.face is None else f"{text}, {video.face.missing} frames without a face"


def _legend(video: "Video") -> str:
    missing = video.face.missing if video.face else 0
    return f"{video.name} ({missing} of {video.frames} frames not read)" if missing else video.name


def _record(video: "Video") -> dict[str, Any]:
    height, width = video.size
    return {
        "name": video.name,
        "path": str(video.path),
        "frames": video.frames,
        "source_fps": video.source_fps,
        "width": width,
        "height": height,
        "frames_without_face": None if video.face is None else video.face.missing,
    }
