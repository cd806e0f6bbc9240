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
    from s2tf.commands.options import part

    parser.add_argument("dataset", choices=sorted(READERS), help="what SOURCE is")
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="the data set's folder, in the form that datamodules/prepare/<data set>.py describes; wild: a list of "
        "clips; synthetic: how many speakers",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--size", type=int, default=256, help="side of the stored faces in pixels (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="I/N", help="do the I-th of N parts (1/1)")
    parser.add_argument("--min-seconds", type=float, default=1.0, help="shorter clips fail (%(default)s)")
    parser.add_argument("--max-seconds", type=float, help="longer clips are cut to this (not cut)")
    parser.add_argument(
        "--min-face", type=float, help="clips with smaller faces, in pixels, fail (avspeech, hdtf: 256, others: 0)"
    )
    parser.add_argument("--val", type=float, help="share of the people for validation (0.01, folder and hdtf 0.1)")
    parser.add_argument("--test", type=float, help="share for test, where the data set names no test set (the same)")
    parser.add_argument("--seed", type=int, default=0, help="of the splits, and of synthetic speakers (%(default)s)")
    parser.add_argument("--jpeg-quality", type=int, default=92, help="of the stored faces (%(default)s)")
    parser.add_argument("--samples-per-shard", type=int, default=64, help="recordings that share a tar (%(default)s)")
    parser.add_argument("--max-failures", type=float, default=0.5, help="exit 1 above this share (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary to FILE")
    faces = parser.add_argument_group("how faces are found in real recordings")
    faces.add_argument("--detector", choices=["dlib", "mediapipe"], default="dlib", help="(%(default)s)")
    faces.add_argument(
        "--landmarks", choices=["mediapipe", "face-alignment"], default="mediapipe", help="(%(default)s)"
    )
    faces.add_argument("--no-mesh", action="store_true", help="store the 68 points alone, not mediapipe's 478 too")
    synthetic = parser.add_argument_group("synthetic")
    synthetic.add_argument("--clips", type=int, default=2, help="clips of each speaker (%(default)s)")
    synthetic.add_argument("--seconds", type=float, default=4.0, help="length of each clip (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prepare, print the summary, write it as JSON; 1 when too many recordings failed."""
    from rich.console import Console

    from datamodules.prepare.prepare import FAILURES, prepare
    from datamodules.shards.sources import MANIFEST
    from s2tf.errors import UserError
    from s2tf.faces.crop import CropRule

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
                min_face_px=MIN_FACE.get(args.dataset, 0.0) if args.min_face is None else args.min_face,
                jpeg_quality=args.jpeg_quality,
                mesh=not args.no_mesh,
                samples_per_shard=args.samples_per_shard,
                part=args.part,
                on_progress=lambda done, total, key: status.update(f"{done} of {total}  {key}"),
            )
    except (ValueError, ImportError, FileNotFoundError) as error:
        raise UserError(str(error)) from error
    console.print(summary.table())
    if not (args.out / MANIFEST).is_file():
        console.print(f"part {args.part[0]} of {args.part[1]} is done; the last part completes {args.out}")
    elif summary.failed:
        console.print(f"what could not be used, and why: {args.out / FAILURES}", highlight=False)
    if args.json:
        args.json.write_text(json.dumps(summary.to_json(), indent=1) + "\n")
    return int(summary.failed > args.max_failures * summary.recordings)


def _faces(args: argparse.Namespace) -> Any:
    """How faces are found; for real recordings every backend is opened, so that a missing one stops the command."""
    from s2tf.faces.tracking import FaceSettings

    second = "mediapipe" if args.landmarks == "mediapipe" else ""
    faces = FaceSettings(detector=args.detector, second_chance=second, landmarks=args.landmarks)
    if args.dataset != "synthetic":
        faces.open()
    return faces


def _shares(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The seed, and the shares that were given; the reader knows the others.

    Raises:
        ValueError: A share was given that this data set does not take.
    """
    if args.test is not None and "test" not in names:
        raise ValueError(f"--test: {args.dataset} names its own test set")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return {"seed": args.seed, **given}


def _avspeech(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.avspeech import AVSpeechReader

    return AVSpeechReader(args.source, **_shares(args, "val"))


def _voxceleb(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.voxceleb import VoxCelebReader

    return VoxCelebReader(args.source, args.dataset, **_shares(args, "val"))


def _hdtf(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.hdtf import HDTFReader

    return HDTFReader(args.source, **_shares(args, "val", "test"))


def _vfhq(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.vfhq import VFHQReader

    return VFHQReader(args.source, **_shares(args, "val", "test"))


def _wild(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.wild import WildReader

    return WildReader(args.source)


def _folder(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.folder import FolderReader

    reader = FolderReader(args.source, **_shares(args, "val", "test"))
    print(f"{len(reader)} videos; identities from {reader.table or 'the file names'}")
    if reader.ignored:
        print(f"{len(reader.ignored)} other files ignored: {', '.join(reader.ignored[:5])} ...")
    return reader


def _synthetic(args: argparse.Namespace) -> "Iterable[Recording]":
    from datamodules.prepare.synthetic.reader import SyntheticReader

    if not args.source.isdigit():
        raise ValueError(f"SOURCE is the number of synthetic speakers, got {args.source!r}")
    return SyntheticReader(int(args.source), args.clips, args.seconds, args.size, **_shares(args, "val", "test"))


READERS: dict[str, Callable[[argparse.Namespace], "Iterable[Recording]"]] = {
    "avspeech": _avspeech,
    "folder": _folder,
    "hdtf": _hdtf,
    "synthetic": _synthetic,
    "vfhq": _vfhq,
    "voxceleb1": _voxceleb,
    "voxceleb2": _voxceleb,
    "wild": _wild,
}
MIN_FACE = {"avspeech": 256.0, "hdtf": 256.0}
"""The paper leaves out faces below 256 px (section IV-B); VoxCeleb's pictures as a whole are smaller than that."""
