"""Compares videos of one clip by several systems: a grid video, a sheet of frames, motion curves and lip sync."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.compare.draw import FRAMES_SHEET, GRID, Sound, write_frames, write_grid, write_motion
from s2tf.evaluation.compare.faces import Video, read_video, zoom_regions
from s2tf.evaluation.compare.sync import write_sync
from s2tf.faces.motion import MotionFinder
from s2tf.figures.labels import drawable, legend
from s2tf.figures.sheet import sheet_indices
from s2tf.media.audio import FPS
from s2tf.media.sound import read_sound
from s2tf.models.syncnet import SyncNet

Report = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """Videos to compare, and the choice of frames, sound and readers for it.

    Args:
        videos: Path of each video, by the name of its system.
        out: Folder of the results.
        frames: Number of frames on the sheet, evenly spread over the shortest video.
        times: Times of the frames on the sheet in seconds, or None to spread `frames` evenly.
        sound: System whose sound is played, or None for the first video with sound.
        finder: Reader of faces, or None to write only frames and grid.
        syncnet: Network of the lip sync, or None to leave it out.
        tracked: True if SyncNet sees the crop around the tracked face, False if it sees the whole frame.
    """

    videos: Mapping[str, Path]
    out: Path
    frames: int = 6
    times: Sequence[float] | None = None
    sound: str | None = None
    finder: MotionFinder | None = None
    syncnet: SyncNet | None = None
    tracked: bool = True

    def __post_init__(self) -> None:
        """Check the choices before a video is read.

        Raises:
            UserError: The sound belongs to no video, or a video would be overwritten.
        """
        if self.sound is not None and self.sound not in self.videos:
            raise UserError(f"--sound {self.sound}: expected one of {', '.join(self.videos)}")
        if (self.out / GRID).resolve() in {path.resolve() for path in self.videos.values()}:
            raise UserError(f"--out {self.out}: {GRID} in it is one of the videos, expected a folder without them")


@dataclass(frozen=True)
class Compared:
    """Results of a comparison."""

    videos: Sequence[Video]
    shown: Sequence[int]
    """Frames on the sheet."""
    sound: str | None
    """System whose sound is played, if any."""
    notes: Sequence[str]
    """Notes about parts that could not be shown."""
    written: Sequence[Path]
    """Files of the results."""

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {
            "videos": [video.to_json() for video in self.videos],
            "fps": FPS,
            "times": [index / FPS for index in self.shown],
            "sound": self.sound,
            "notes": list(self.notes),
            "written": [str(path) for path in self.written],
        }


def compare_videos(comparison: Comparison, report: Report) -> Compared:
    """Read every video twice, frame by frame: once for its face, once for the pictures.

    Args:
        comparison: The videos and the choices.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: A video cannot be read, a time is beyond the end of the shortest video, or the chosen video has no
            sound.
    """
    # Read the faces.
    videos = []
    labels = drawable(list(comparison.videos))
    for name, path in comparison.videos.items():
        report(f"reading {name}")
        videos.append(read_video(name, path, comparison.finder, labels[name]))
    shown = _shown_frames(comparison, videos)
    regions, notes = zoom_regions(videos, shown)
    if (explained := legend(labels)) is not None:
        notes.append(explained)
    notes += [f"{video.name}: {note.text}" for video in videos for note in video.notes]
    sound = _choose_sound(videos, comparison.sound, notes)

    # Write the pictures.
    out = comparison.out
    out.mkdir(parents=True, exist_ok=True)
    report("drawing the grid")
    pictures = write_grid(videos, shown, sound, out / GRID)
    write_frames(videos, shown, pictures, regions, out / FRAMES_SHEET)
    written = [FRAMES_SHEET, GRID]
    if comparison.finder is not None:
        written += write_motion(videos, sound, out)
    if comparison.syncnet is not None:
        report("lip sync")
        heard = None if sound is None else sound.waveform
        written += write_sync(videos, heard, comparison.syncnet, comparison.tracked, out, notes)
    return Compared(videos, shown, None if sound is None else sound.name, notes, [out / name for name in written])


def _shown_frames(comparison: Comparison, videos: Sequence[Video]) -> list[int]:
    """Choose the frames of the sheet.

    Raises:
        UserError: A time is beyond the end of the shortest video.
    """
    shortest = min(videos, key=lambda video: video.frames)
    if comparison.times is None:
        return sheet_indices(shortest.frames, comparison.frames)
    frames = [round(time * FPS) for time in comparison.times]
    beyond = [index / FPS for index in frames if index >= shortest.frames]
    if beyond:
        raise UserError(
            f"--times: {beyond[0]:g} s is beyond the end of {shortest.name}, whose last frame is at "
            f"{(shortest.frames - 1) / FPS:g} s"
        )
    return frames


def _choose_sound(videos: Sequence[Video], wanted: str | None, notes: list[str]) -> Sound | None:
    """Read the sound of the wanted video, or of the first with sound; `notes` gets the reasons for skipping others.

    Raises:
        UserError: The wanted video has no sound.
    """
    for video in videos:
        if wanted in (None, video.name):
            try:
                sound = read_sound(video.path, origin=video.origin)
                notes += [f"{video.name}: {note.text}" for note in sound.notes if note not in video.notes]
                return Sound(video.name, sound.waveform)
            except ValueError as error:
                if wanted:
                    raise UserError(f"--sound {wanted}: {error}") from error
                notes.append(f"{video.name}: {error}")
    return None
