"""Turn recordings of speaking people, or synthetic speakers, into shards to train on."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.prepare.recording import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", choices=sorted(READERS), help="what SOURCE is")
    parser.add_argument("source", metavar="SOURCE", help="folder: a folder of videos; synthetic: how many speakers")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--size", type=int, default=256, help="side of the stored faces in pixels (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--min-seconds", type=float, default=1.0, help="shorter clips fail (%(default)s)")
    parser.add_argument("--max-seconds", type=float, help="longer clips are cut to this (not cut)")
    parser.add_argument("--min-face", type=float, default=0.0, help="clips with smaller faces, in pixels, fail (off)")
    parser.add_argument("--val", type=float, default=0.1, help="share of the people for validation (%(default)s)")
    parser.add_argument("--test", type=float, default=0.1, help="share of the people for test (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the splits, and of synthetic speakers (%(default)s)")
    parser.add_argument("--jpeg-quality", type=int, default=92, help="of the stored faces (%(default)s)")
    parser.add_argument("--samples-per-shard", type=int, default=64, help="clips in a tar file (%(default)s)")
    parser.add_argument("--max-failures", type=float, default=0.5, help="exit 1 above this share (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary to FILE")
    faces = parser.add_argument_group("folder: how faces are found")
    faces.add_argument("--detector", choices=["dlib", "mediapipe"], default="dlib", help="(%(default)s)")
    faces.add_argument(
        "--landmarks", choices=["mediapipe", "face-alignment"], default="mediapipe", help="(%(default)s)"
    )
    synthetic = parser.add_argument_group("synthetic")
    synthetic.add_argument("--clips", type=int, default=2, help="clips of each speaker (%(default)s)")
    synthetic.add_argument("--seconds", type=float, default=4.0, help="length of each clip (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prepare, print the summary, write it as JSON; 1 when too many recordings failed."""
    from rich.console import Console

    from datamodules.prepare.prepare import FAILURES, prepare
    from s2tf.errors import UserError
    from s2tf.media.faces import CropRule

    console = Console()
    try:
        faces = _faces(args)
        recordings = READERS[args.dataset](args)
        with console.status("") as status:
            summary = prepare(
                recordings,
                args.out,
                rule=CropRule(size=args.size),
                faces=faces,
                workers=args.workers,
                max_seconds=args.max_seconds,
                min_seconds=args.min_seconds,
                min_face_px=args.min_face,
                jpeg_quality=args.jpeg_quality,
                samples_per_shard=args.samples_per_shard,
                on_progress=lambda done, total, key: status.update(f"{done} of {total}  {key}"),
            )
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from error
    console.print(summary.table())
    if summary.failed:
        console.print(f"what could not be used, and why: {args.out / FAILURES}", highlight=False)
    if args.json:
        args.json.write_text(json.dumps(summary.to_json(), indent=1) + "\n")
    return int(summary.recordings == 0 or summary.failed / summary.recordings > args.max_failures)


def _faces(args: argparse.Namespace) -> Any:
    """How faces are found; for real recordings every backend is opened, so that a missing one stops the command."""
    from s2tf.media.tracking import FaceSettings

    second = "mediapipe" if args.landmarks == "mediapipe" else ""
    faces = FaceSettings(detector=args.detector, second_chance=second, landmarks=args.landmarks)
    if args.dataset == "folder":
        faces.open()
    return faces


def _folder(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.folder import FolderReader

    reader = FolderReader(args.source, val=args.val, test=args.test, seed=args.seed)
    print(f"{len(reader)} videos; identities from {reader.table or 'the file names'}")
    if reader.ignored:
        print(f"{len(reader.ignored)} other files ignored: {', '.join(reader.ignored[:5])} ...")
    return reader


def _synthetic(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.synthetic.reader import SyntheticReader

    if not args.source.isdigit():
        raise ValueError(f"SOURCE is the number of synthetic speakers, got {args.source!r}")
    return SyntheticReader(
        int(args.source), args.clips, args.seconds, args.size, args.seed, val=args.val, test=args.test
    )


READERS: dict[str, Callable[[argparse.Namespace], "Iterable[Recording]"]] = {
    "folder": _folder,
    "synthetic": _synthetic,
}
