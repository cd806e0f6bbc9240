"""Turn recordings of speaking people, or synthetic speakers, into shards to train on."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import part_done
from s2tf.commands.options import add_part

if TYPE_CHECKING:
    from datamodules.prepare.clip import ClipSettings
    from datamodules.prepare.recording import Reader
    from datamodules.prepare.synthetic.reader import SyntheticReader
    from s2tf.faces.tracking import FaceSettings

_DATASETS = ("avspeech", "folder", "hdtf", "synthetic", "vfhq", "voxceleb1", "voxceleb2", "wild")
"""Names in `datamodules.prepare.readers.READERS`."""
_MIN_FACE = {"avspeech": 256.0, "hdtf": 256.0}
"""The paper leaves out faces below 256 px (section IV-B); the pictures of VoxCeleb are smaller than that."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", choices=_DATASETS, help="data set, which determines how SOURCE is read")
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of the data set, as datamodules/prepare/<data set>.py describes it; wild: a list of clips; "
        "synthetic: the number of speakers",
    )
    # The job: folder, size, share of the work.
    parser.add_argument("--out", type=Path, required=True, help="folder of the new shards")
    parser.add_argument("--size", type=int, default=256, help="side of the stored faces in pixels (default: 256)")
    parser.add_argument("--workers", type=int, default=1, help="number of processes (default: %(default)s)")
    add_part(parser)
    # Clips that are refused or cut; people who are held out.
    parser.add_argument("--min-seconds", type=float, default=1.0, help="refuse clips shorter than this (default: 1.0)")
    parser.add_argument("--max-seconds", type=float, help="cut longer clips to this length (default: not cut)")
    parser.add_argument(
        "--min-face", type=float, help="least side of a face in pixels (default: avspeech, hdtf 256, others 0)"
    )
    parser.add_argument(
        "--val", type=float, help="share of people for validation (default: folder, hdtf 0.1, others 0.01)"
    )
    parser.add_argument(
        "--test", type=float, help="share of people for test, if SOURCE names no test set (default: as --val)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the splits and synthetic speakers (default: 0)")
    # The written files.
    parser.add_argument("--jpeg-quality", type=int, default=92, help="JPEG quality of the stored faces (default: 92)")
    parser.add_argument("--samples-per-shard", type=int, default=64, help="clips in a tar file (default: %(default)s)")
    parser.add_argument(
        "--max-failures", type=float, default=0.5, help="exit with 1 if more than this share fails (default: 0.5)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary to FILE (default: no file)")
    faces = parser.add_argument_group("face detection in real recordings")
    faces.add_argument(
        "--detector", choices=["dlib", "mediapipe"], default="dlib", help="detector of faces (default: dlib)"
    )
    faces.add_argument(
        "--landmarks",
        choices=["mediapipe", "face-alignment"],
        default="mediapipe",
        help="reader of landmarks (default: mediapipe)",
    )
    faces.add_argument(
        "--no-mesh", action="store_true", help="store only the 68 landmarks, without mediapipe's 478 mesh points"
    )
    synthetic = parser.add_argument_group("synthetic speakers")
    synthetic.add_argument("--clips", type=int, default=2, help="number of clips of each speaker (default: 2)")
    synthetic.add_argument("--seconds", type=float, default=4.0, help="length of each clip in seconds (default: 4.0)")


def run(args: argparse.Namespace) -> int:
    """Prepare recordings, print the summary and write it as JSON; returns 1 when too many recordings failed."""
    from rich.console import Console

    from datamodules.prepare.prepare import FAILURES, prepare
    from datamodules.shards.sources import MANIFEST
    from s2tf.errors import UserError

    console = Console()
    try:
        settings = _settings(args)
        recordings = _recordings(args)
        # Find and write the clips.
        with console.status("") as status:
            summary = prepare(
                recordings,
                args.out,
                settings,
                workers=args.workers,
                samples_per_shard=args.samples_per_shard,
                part=args.part,
                on_progress=lambda done, total, key: status.update(f"{done} of {total}  {key}"),
            )
    except (ValueError, ImportError, FileNotFoundError) as error:
        raise UserError(str(error)) from error
    # Print the counts, and the file that lists the failures.
    console.print(summary.table())
    if not (args.out / MANIFEST).is_file():
        console.print(part_done(args.part, args.out))
    elif summary.failed:
        console.print(f"failures and their reasons: {args.out / FAILURES}", highlight=False)
    if args.json:
        args.json.write_text(json.dumps(summary.to_json(), indent=1) + "\n")
    return int(summary.failed > args.max_failures * summary.recordings)


def _recordings(args: argparse.Namespace) -> "Reader | SyntheticReader":
    """Open the recordings of the data set; for a folder of videos, print how its files were understood."""
    from datamodules.prepare.folder import FolderReader
    from datamodules.prepare.readers import ReaderSettings, open_reader

    names = [field.name for field in dataclasses.fields(ReaderSettings)]
    reader = open_reader(ReaderSettings(**{name: getattr(args, name) for name in names}))
    if isinstance(reader, FolderReader):
        print(f"{len(reader)} videos; identities from {reader.table or 'the file names'}")
        if reader.ignored:
            print(f"{len(reader.ignored)} other files ignored: {', '.join(reader.ignored[:5])} ...")
    return reader


def _settings(args: argparse.Namespace) -> "ClipSettings":
    """Read the settings for the treatment of every clip."""
    from datamodules.prepare.clip import ClipSettings
    from s2tf.faces.crop import CropRule

    return ClipSettings(
        CropRule(size=args.size),
        _faces(args),
        min_seconds=args.min_seconds,
        max_seconds=args.max_seconds,
        min_face_px=_MIN_FACE.get(args.dataset, 0.0) if args.min_face is None else args.min_face,
        jpeg_quality=args.jpeg_quality,
        mesh=not args.no_mesh,
    )


def _faces(args: argparse.Namespace) -> "FaceSettings":
    """Read the settings of face detection; for real recordings, open every backend so that a missing one fails now."""
    from s2tf.faces.tracking import FaceSettings

    second = "mediapipe" if args.landmarks == "mediapipe" else ""
    faces = FaceSettings(detector=args.detector, second_chance=second, landmarks=args.landmarks)
    if args.dataset != "synthetic":
        faces.open()
    return faces
