"""Put videos of the same clip by several systems side by side, to look at before reading numbers."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.evaluation.compare.draw import (
    FRAMES,
    GRID,
    _described,
    _record,
    _write_frames,
    _write_motion,
    check_request,
    choose_sound,
    shown_frames,
    system_names,
    write_grid,
)

if TYPE_CHECKING:
    pass


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

    from s2tf.evaluation.compare.faces import read_video, zoom_regions
    from s2tf.evaluation.compare.sync import open_syncnet, write_sync
    from s2tf.evaluation.open_readers import open_motion
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
