"""Put videos of the same clip by several systems side by side, so that a person can compare them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import write_json
from s2tf.commands.options import add_json, add_out_folder, at_least, number
from s2tf.evaluation.progress import progress

if TYPE_CHECKING:
    from s2tf.evaluation.compare.faces import Video


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "videos", type=Path, nargs="+", metavar="VIDEO", help="one video of each system; the first may be the reference"
    )
    add_out_folder(parser, "folder for frames.png, grid.mp4, traces.png and curves.*")
    parser.add_argument("--names", metavar="A,B,...", help="names of the systems (default: the files' names)")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--frames", type=at_least(1, 100), default=6, help="number of columns of frames.png, evenly spread (default: 6)"
    )
    shown.add_argument(
        "--times", type=_times, metavar="T1,T2,...", help="times of the columns in seconds, instead of --frames"
    )
    parser.add_argument(
        "--sound",
        metavar="NAME",
        help="name of the system whose sound the grid plays (default: the first video with sound)",
    )
    parser.add_argument(
        "--landmarks",
        default="mediapipe",
        metavar="mediapipe | face-alignment | dlib | judges | none",
        help="reader of landmarks; dlib: not for commercial use, judges: for synthetic faces, none: write only frames "
        "and grid (default: mediapipe)",
    )
    sync = parser.add_argument_group("lip sync: sync.png and sync.csv")
    sync.add_argument(
        "--syncnet",
        type=Path,
        metavar="FOLDER",
        help="a SyncNet, imported or trained, such as RUN/networks/syncnet (default: no lip sync)",
    )
    sync.add_argument(
        "--protocol",
        choices=["tracked", "frame"],
        default="tracked",
        help="show SyncNet the crop around the tracked face, or the whole frame (default: tracked)",
    )
    add_json(parser, "a record of the comparison")


def run(args: argparse.Namespace) -> int:
    """Compare the videos, and print where the pictures are."""
    from rich.console import Console

    from s2tf.evaluation.compare.compare import Comparison, compare_videos
    from s2tf.evaluation.compare.names import system_names
    from s2tf.evaluation.compare.sync import open_syncnet
    from s2tf.evaluation.open_readers import open_motion
    from s2tf.tables.names import normal_name

    # Refuse arguments that cannot work before any network is opened.
    names = system_names(args.videos, args.names)
    console = Console(stderr=True)
    comparison = Comparison(
        videos=dict(zip(names, args.videos, strict=True)),
        out=args.out,
        frames=args.frames,
        times=args.times,
        sound=None if args.sound is None else normal_name(args.sound),
        finder=open_motion(args.landmarks, console),
        syncnet=None if args.syncnet is None else open_syncnet(args.syncnet),
        tracked=args.protocol == "tracked",
    )
    with progress(Console(), "comparing the videos") as report:
        found = compare_videos(comparison, report)
    # Print what was found, and the written files.
    for line in (*map(_described, found.videos), *found.notes):
        print(line)
    print(f"sound: {found.sound or 'none of these videos has any'}")
    print(f"written to {args.out}: {', '.join(path.name for path in found.written)}")
    write_json(args.json, {**found.to_json(), "landmarks": args.landmarks})
    return 0


def _times(text: str) -> list[float]:
    try:
        return [number(0)(part) for part in text.split(",")]
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected seconds such as 0.4,1.2,2, of 0 or more") from error


def _described(video: "Video") -> str:
    from s2tf.media.audio import FPS

    height, width = video.size
    text = f"{video.name}: {video.frames} frames ({video.frames / FPS:.2f} s), {width}x{height} pixels"
    return text if video.face is None else f"{text}, {video.face.missing} frames without a face"
