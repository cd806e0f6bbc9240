"""Turn recordings of speaking people, or synthetic speakers, into shards to train on."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

import s2tf.commands.options as shared
from s2tf.commands.console import part_done, write_json

if TYPE_CHECKING:
    from datamodules.prepare.clip import ClipSettings
    from datamodules.prepare.recording import Reader
    from datamodules.prepare.synthetic.reader import SyntheticReader

_DATASETS = ("avspeech", "folder", "hdtf", "synthetic", "vfhq", "voxceleb1", "voxceleb2", "wild")
"""Names in `datamodules.prepare.readers.READERS`."""
_MIN_FACE = {"avspeech": 256.0, "hdtf": 256.0}
"""The paper leaves out faces below 256 x 256 (section IV-B); the pictures of VoxCeleb are smaller than that."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("dataset", choices=_DATASETS, help="data set, which determines how SOURCE is read")
    add(
        "source",
        metavar="SOURCE",
        help="folder of the data set, as datamodules/prepare/<data set>.py describes it; wild: a list of clips; "
        "synthetic: the number of speakers",
    )
    # The job: folder, size, share of the work.
    shared.add_out_folder(parser, "folder of the new shards")
    add("--size", type=shared.side, default=256, help="side of the stored faces in pixels (default: 256)")
    add("--workers", type=shared.at_least(0, 1024), default=1, help="number of processes (default: 1)")
    shared.add_part(parser)
    # Clips that are refused or cut; people who are held out.
    add("--min-seconds", type=shared.number(0), default=1.0, help="refuse shorter clips (default: 1.0)")
    add("--max-seconds", type=shared.seconds, help="cut longer clips to this length (default: not cut)")
    limit = "least side of the cut-out face in the recording's pixels (default: avspeech, hdtf 256, others 0)"
    add("--min-face", type=shared.number(0), help=limit)
    add("--val", type=shared.share, help="share for validation (default: folder, hdtf 0.1, others 0.01)")
    add("--test", type=shared.share, help="share of people for test, if SOURCE names no test set (default: as --val)")
    splits = "people's splits; letters: voxceleb1 by first letters, as for faces from voices (default: official)"
    add("--splits", choices=["official", "letters"], default="official", help=splits)
    add("--seed", type=shared.seed, default=0, help="seed of the splits and synthetic speakers (default: 0)")
    # The written files.
    portraits = "store K pictures of each clip, the first frame and others, for the first stage (default: all frames)"
    add("--portraits", type=shared.at_least(1, 1000), metavar="K", help=portraits)
    add("--jpeg-quality", type=shared.at_least(1, 100), default=92, help="JPEG quality of the faces (default: 92)")
    add("--samples-per-shard", type=shared.positive, default=64, help="clips in a tar file (default: 64)")
    failures = "exit with 1 if more than this share of the present recordings fails (default: 0.5)"
    add("--max-failures", type=shared.share, default=0.5, help=failures)
    shared.add_json(parser, "the summary")
    faces = parser.add_argument_group("face detection in real recordings")
    faces.add_argument(
        "--detector",
        choices=["dlib", "dlib-cnn", "mediapipe"],
        default="dlib",
        help="detector of faces (default: dlib)",
    )
    faces.add_argument(
        "--landmarks",
        choices=["mediapipe", "face-alignment", "dlib"],
        default="mediapipe",
        help="reader of landmarks; dlib's was trained on iBUG 300-W: not for commercial use (default: mediapipe)",
    )
    faces.add_argument(
        "--no-mesh", action="store_true", help="store only the 68 landmarks, without mediapipe's 478 mesh points"
    )
    synthetic = parser.add_argument_group("synthetic speakers")
    synthetic.add_argument(
        "--clips", type=shared.positive, default=2, help="number of clips of each speaker (default: 2)"
    )
    synthetic.add_argument(
        "--seconds", type=shared.seconds, default=4.0, help="length of each clip in seconds (default: 4.0)"
    )


def run(args: argparse.Namespace) -> int:
    """Prepare recordings, print the summary and write it as JSON; returns 1 when too many recordings failed."""
    from rich.console import Console

    from datamodules.prepare.prepare import ABSENCES, FAILURES, prepare
    from datamodules.shards.sources import MANIFEST
    from s2tf.evaluation.progress import progress

    console = Console()
    with shared.user_errors(), progress(console, f"reading the recordings of {args.source}") as report:
        # Find and write the clips.
        settings, recordings = _settings(args), _recordings(args)
        summary = prepare(
            recordings,
            args.out,
            settings,
            workers=args.workers,
            samples_per_shard=args.samples_per_shard,
            part=args.part,
            on_progress=lambda done, total, key: report(f"{done} of {total}  {key}"),
        )
    # Print the counts, and the files that list the failures and what is absent.
    console.print(summary.table())
    complete = (args.out / MANIFEST).is_file()
    if not complete:
        console.print(part_done(args.part, args.out))
    elif summary.failed:
        console.print(f"failures and their reasons: {args.out / FAILURES}", highlight=False)
    if complete and summary.absent:
        console.print(f"absent, and no failure: {args.out / ABSENCES}", highlight=False)
    write_json(args.json, summary.to_json())
    return int(summary.too_many_failed(args.max_failures) or (complete and not summary.written))


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
    """Read the settings of every clip; for real recordings, open every backend so that a missing one fails now."""
    from datamodules.prepare.clip import ClipSettings
    from s2tf.faces.crop import CropRule
    from s2tf.faces.tracking import FaceSettings

    # The second chance needs no package but that of the landmarks.
    second = {"mediapipe": "mediapipe", "dlib": "dlib-cnn"}.get(args.landmarks, "")
    faces = FaceSettings(detector=args.detector, second_chance=second, landmarks=args.landmarks)
    if args.dataset != "synthetic":
        faces.open()
    return ClipSettings(
        CropRule(size=args.size),
        faces,
        min_seconds=args.min_seconds,
        max_seconds=args.max_seconds,
        min_face_px=_MIN_FACE.get(args.dataset, 0.0) if args.min_face is None else args.min_face,
        jpeg_quality=args.jpeg_quality,
        mesh=not args.no_mesh,
        portraits=args.portraits,
    )
