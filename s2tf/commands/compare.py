"""Put videos of the same clip by several systems side by side, to look at before reading numbers."""

import argparse
import csv
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from s2tf.commands.compare_faces import Video

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "videos", type=Path, nargs="+", metavar="VIDEO", help="one per system; the first may be the truth"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for frames.png, grid.mp4, traces.png, curves.*")
    parser.add_argument("--names", help="A,B,... of the systems (the files' names)")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--frames", type=int, default=FRAMES, help="columns of frames.png, evenly spread (%(default)s)")
    shown.add_argument("--times", help="T1,T2,... in seconds, instead of frames evenly spread")
    parser.add_argument("--sound", metavar="NAME", help="whose sound is heard (the first video's that has any)")
    parser.add_argument(
        "--landmarks",
        default="mediapipe",
        help="what reads faces: mediapipe, face-alignment, judges (of synthetic faces), or none: only frames and grid",
    )
    sync = parser.add_argument_group("lip sync: sync.png and sync.csv")
    sync.add_argument("--syncnet", type=Path, metavar="FOLDER", help="a SyncNet (`s2tf import syncnet`, or trained)")
    sync.add_argument(
        "--protocol",
        choices=["tracked", "frame"],
        default="tracked",
        help="what it sees: the crop around the tracked face, or the whole frame (%(default)s)",
    )
    parser.add_argument("--json", type=Path, help="write what was compared here")


def run(args: argparse.Namespace) -> int:
    """Read every video twice, frame by frame: for its face, and to be drawn."""
    from rich.console import Console

    from s2tf.commands.compare_faces import read_video, zoom_regions
    from s2tf.commands.compare_sync import open_syncnet, write_sync
    from s2tf.commands.evaluate_readers import open_motion
    from s2tf.media.audio import FPS

    names = system_names(args.videos, args.names)
    check_request(args, names)
    console = Console(stderr=True)
    finder = open_motion(args.landmarks, console)
    syncnet = None if args.syncnet is None else open_syncnet(args.syncnet)
    videos = []
    for name, path in zip(names, args.videos, strict=True):
        with console.status(f"reading {name}"):
            videos.append(read_video(name, path, finder))
        print(_described(videos[-1]))
    shown = shown_frames(args, videos)
    regions, notes = zoom_regions(videos, shown)
    sound = choose_sound(videos, args.sound, notes)
    args.out.mkdir(parents=True, exist_ok=True)
    with console.status("drawing the grid"):
        pictures = write_grid(videos, shown, sound, args.out / GRID)
    _write_frames(videos, shown, pictures, regions, args.out / "frames.png")
    written = ["frames.png", GRID]
    if finder is not None:
        written += _write_motion(videos, sound, args.out)
    if syncnet is not None:
        with console.status("lip sync"):
            heard = None if sound is None else sound.waveform
            written += write_sync(videos, heard, syncnet, args.protocol == "tracked", args.out, notes)
    for note in notes:
        print(note)
    print(f"sound: {sound.name if sound else 'none of these videos has any'}")
    print(f"written to {args.out}: {', '.join(written)}")
    if args.json:
        record = {
            "videos": [_record(video) for video in videos],
            "fps": FPS,
            "times": [index / FPS for index in shown],
            "landmarks": args.landmarks,
            "sound": sound.name if sound else None,
            "notes": notes,
            "written": [str(args.out / name) for name in written],
        }
        args.json.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def system_names(paths: Sequence[Path], given: str | None) -> list[str]:
    """The names of `--names`, else those of the files, with their folders where files are named alike.

    Raises:
        UserError: their number is not that of the videos, or two are alike.
    """
    from s2tf.errors import UserError

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
    from s2tf.commands.json_file import check_json
    from s2tf.commands.out_folder import check_out
    from s2tf.errors import UserError

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
    from s2tf.errors import UserError
    from s2tf.media.audio import FPS
    from s2tf.media.sheet import sheet_indices

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
    from s2tf.errors import UserError
    from s2tf.media.audio import read_audio

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
    from s2tf.media.audio import FPS
    from s2tf.media.video import VideoStream, VideoWriter
    from s2tf.media.video_grid import VideoGrid

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
    from s2tf.media.audio import FPS
    from s2tf.media.sheet import draw_grid
    from s2tf.media.zoom import draw_zoom, zoom_size

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
    import numpy as np

    from s2tf.media.audio import FPS, loudness
    from s2tf.media.motion_figures import draw_curves, draw_traces

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
    import numpy as np

    from s2tf.media.audio import FPS
    from s2tf.media.lips import POSE

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
    from s2tf.errors import UserError

    try:
        times = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--times {text}: expected seconds such as 0.4,1.2,2") from error
    if not all(0 <= time < float("inf") for time in times):
        raise UserError(f"--times {text}: expected seconds of 0 or more")
    return times


def _described(video: "Video") -> str:
    from s2tf.media.audio import FPS

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
