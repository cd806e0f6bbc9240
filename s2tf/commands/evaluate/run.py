"""Measure a finished run of any stage on the test clips of its data."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.console import progress, table_console
from s2tf.commands.evaluate.console import Destination, deliver
from s2tf.commands.evaluate.options import (
    ATTRIBUTES,
    FACES,
    LANDMARKS,
    PERCEPTUAL,
    add_clips_argument,
    add_result_arguments,
)
from s2tf.commands.options import add_removed, check_json, check_out, local_device, positive, user_errors
from s2tf.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from s2tf.evaluation.scores import Scores

    Options = Mapping[str, Any]
    Report = Callable[[str], None]

_SAMPLING = {"seed", "seeds", "steps", "sampler", "guidance", "temperature"}
_OPTIONS: Mapping[str, set[str]] = {
    "ConReStage": {"shards", "clips", "batch"},
    "SCFPStage": {"shards", "clips", *_SAMPLING, "varied", "batch", "pictures", "faces", "attributes"},
    "MotionAutoencoderStage": {
        *("shards", "clips", "split", "span", "stride", "size", "pairs", "batch", "pictures"),
        *("landmarks", "perceptual", "faces"),
    },
    "LipLandmarksStage": {"shards", "clips"},
    "MotionDiffusionStage": {"shards", "clips", *_SAMPLING, "autoencoder"},
}
"""Options that have an effect on a run, by its stage. None of them has a default here: each evaluation has its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of the finished run")
    add_result_arguments(parser, "the run's own")
    parser.add_argument("--shards", help="shard folder or address of other test data (default: the run's own data)")
    add_clips_argument(parser)
    parser.add_argument("--batch", type=positive, help="portraits or frames that are computed together (default: 32)")
    parser.add_argument("--pictures", type=int, help="number of clips whose pictures are kept (default: 64)")
    parser.add_argument("--faces", metavar=FACES, help="network that compares faces; SCFP needs one (default: none)")

    sampling = parser.add_argument_group("SCFP and motion diffusion")
    sampling.add_argument("--seed", type=int, help="seed of the noise (default: 0)")
    sampling.add_argument("--seeds", type=positive, help="samples for each speech, for diversity (default: 4)")
    sampling.add_argument("--steps", type=positive, help="denoiser calls (default: 50)")
    sampling.add_argument("--sampler", choices=["ddim", "dpm-solver++"], help="sampler (default: ddim)")
    sampling.add_argument("--guidance", type=float, help="guidance scale; 1 is without guidance (default: 1)")
    sampling.add_argument("--temperature", type=float, help="factor on the first noise (default: 1)")
    sampling.add_argument(
        "--autoencoder", type=Path, metavar="FOLDER", help="motion diffusion: RUN/networks/motion_autoencoder"
    )
    sampling.add_argument("--varied", type=int, help="SCFP: speeches with several portraits (default: 32)")
    sampling.add_argument(
        "--attributes",
        metavar=ATTRIBUTES,
        help="SCFP: reader of gender and age: Face++, image classifiers of transformers, or the judges (default: none)",
    )

    frames = parser.add_argument_group("motion autoencoder")
    frames.add_argument("--landmarks", metavar=LANDMARKS, help="reader of lips, eyes and pose (default: none)")
    frames.add_argument("--perceptual", metavar=PERCEPTUAL, help="perceptual distance (default: none)")
    frames.add_argument("--split", choices=["train", "val", "test"], help="split of the clips (default: test)")
    frames.add_argument(
        "--span", type=float, nargs=2, metavar=("FROM", "TO"), help="share of each clip (default: 0 1, the whole clip)"
    )
    frames.add_argument("--stride", type=positive, metavar="N", help="take every N-th frame (default: 2)")
    frames.add_argument("--size", type=positive, help="compare pictures at this side, pixels (default: the network's)")
    frames.add_argument("--pairs", type=int, help="pairs of people who exchange motion (default: 64)")
    add_removed(parser, "--part", "--span FROM TO for a share of each clip")


def run(args: argparse.Namespace) -> int:
    """Measure the run, write `metrics.json` and what belongs to it, and print the numbers."""
    check_json(args.json, args.out)
    check_out(args.out)
    device = local_device(args.device)
    console, out = table_console(), args.out or args.run_folder
    measure, options = _of_stage(args)
    with user_errors(), progress(console) as report:
        scores = measure(args.run_folder, {**options, "device": device}, out, console, report)
    return deliver(scores, Destination(out, args.json, args.wandb, run=args.run_folder), console)


def _of_stage(
    args: argparse.Namespace,
) -> "tuple[Callable[[Path, Options, Path, Console, Report], Scores], Options]":
    """Choose the evaluation of the run's stage, and collect the options that were given.

    Raises:
        UserError: The run is not finished, or of a stage without an evaluation; or an option has no effect on it.
    """
    from s2tf.runs.finished import finished_stage

    stage = finished_stage(args.run_folder)
    if stage not in _OPTIONS:
        raise UserError(f"{args.run_folder}: a run of {stage or 'no stage'}, expected one of {', '.join(_OPTIONS)}")
    options = {name for every in _OPTIONS.values() for name in every}
    given = {name: value for name in sorted(options) if (value := getattr(args, name)) is not None}
    for name in given.keys() - _OPTIONS[stage]:
        owners = ", ".join(owner for owner, names in _OPTIONS.items() if name in names)
        raise UserError(f"--{name} has no effect on a run of {stage}; it applies to: {owners}")
    measures = {
        "ConReStage": _conre,
        "SCFPStage": _scfp,
        "MotionAutoencoderStage": _motion_autoencoder,
        "LipLandmarksStage": _lip_landmarks,
        "MotionDiffusionStage": _motion_diffusion,
    }
    return measures[stage], given


def _conre(run: Path, options: "Options", out: Path, console: "Console", report: "Report") -> "Scores":
    from s2tf.evaluation.stages.conre import evaluate_alignment

    rest = {name: options[name] for name in ("device", "batch") if name in options}
    return evaluate_alignment(run, options.get("shards"), options.get("clips"), out, report, **rest)


def _scfp(run: Path, options: "Options", out: Path, console: "Console", report: "Report") -> "Scores":
    from s2tf.evaluation.open_readers import open_attributes, open_faces
    from s2tf.evaluation.stages.scfp import PortraitTest, evaluate_portraits
    from s2tf.pipelines.portrait import PortraitSettings

    if "faces" not in options:
        raise UserError(f"--faces must be given for a run of SCFPStage: {FACES}")
    faces = open_faces(options["faces"], options["device"], console)
    attributes = open_attributes(options.get("attributes", "none"), options["device"], console)
    names = {"steps", "sampler", "guidance", "temperature"}
    settings = PortraitSettings(**{name: options[name] for name in names & options.keys()})
    test = PortraitTest(settings, **{name: options[name] for name in options.keys() - names - {"faces", "attributes"}})
    return evaluate_portraits(run, test, faces, attributes, out, report)


def _motion_autoencoder(run: Path, options: "Options", out: Path, console: "Console", report: "Report") -> "Scores":
    from s2tf.evaluation.open_readers import open_faces, open_motion, open_perceptual
    from s2tf.evaluation.stages.motion_autoencoder import Readers, ReconstructionTest, evaluate_reconstruction

    device, faces = options["device"], options.get("faces")
    readers = Readers(
        open_motion(options.get("landmarks", "none"), console),
        open_perceptual(options.get("perceptual", "none"), device, console),
        None if faces is None else open_faces(faces, device, console),
    )
    chosen = {"pictures": 64} | {name: options[name] for name in options.keys() - {"landmarks", "perceptual", "faces"}}
    chosen["part"] = tuple(chosen.pop("span", (0.0, 1.0)))
    return evaluate_reconstruction(run, ReconstructionTest(**chosen), readers, out, report)


def _lip_landmarks(run: Path, options: "Options", out: Path, console: "Console", report: "Report") -> "Scores":
    from s2tf.evaluation.stages.lip_landmarks import LipTest, evaluate_lips

    return evaluate_lips(run, LipTest(**options), out, report)


def _motion_diffusion(run: Path, options: "Options", out: Path, console: "Console", report: "Report") -> "Scores":
    from s2tf.evaluation.stages.motion_diffusion import MotionTest, evaluate_motion

    return evaluate_motion(run, MotionTest(**{"autoencoder": None, **options}), out, report)
