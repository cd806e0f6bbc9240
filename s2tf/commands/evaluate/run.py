"""Measure a finished run of any stage on the test clips of its data."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import table_console
from s2tf.commands.evaluate.console import Destination, announce_part, finish
from s2tf.commands.evaluate.options import (
    ATTRIBUTES,
    LANDMARKS,
    PERCEPTUAL,
    add_clips_argument,
    add_faces,
    add_part_arguments,
    add_result_arguments,
)
from s2tf.commands.options import at_least, factor, number, positive, seed, share, side, user_errors
from s2tf.errors import UserError
from s2tf.evaluation.progress import progress

if TYPE_CHECKING:
    from s2tf.evaluation.stages.evaluate_run import RunOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.diffusion.samplers import SAMPLERS

    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of the finished run")
    add_result_arguments(parser, "the run's own")
    parser.add_argument("--shards", help="shard folder or address of other test data (default: the run's own data)")
    add_clips_argument(parser)
    parser.add_argument(
        "--batch", type=positive, help="number of portraits or frames that are computed together (default: 32)"
    )
    parser.add_argument("--pictures", type=at_least(0), help="number of clips whose pictures are written (default: 64)")
    add_faces(parser, "required for SCFP, default: none")
    add_part_arguments(parser, "SCFP: ")

    sampling = parser.add_argument_group("SCFP and motion diffusion")
    sampling.add_argument("--seed", type=seed, help="seed of the noise (default: 0)")
    sampling.add_argument(
        "--seeds", type=positive, help="number of samples for each speech, to measure diversity (default: 4)"
    )
    sampling.add_argument("--steps", type=positive, help="number of denoising steps (default: 50)")
    sampling.add_argument("--sampler", choices=SAMPLERS, help="sampler of the diffusion (default: ddim)")
    sampling.add_argument("--guidance", type=number(-100, 100), help="guidance scale; 1 means no guidance (default: 1)")
    sampling.add_argument("--temperature", type=factor, help="factor on the initial noise (default: 1)")
    sampling.add_argument(
        "--autoencoder",
        type=Path,
        metavar="FOLDER",
        help="required for motion diffusion: RUN/networks/motion_autoencoder",
    )
    sampling.add_argument(
        "--varied", type=at_least(0), help="SCFP: number of speeches that get several portraits (default: 32)"
    )
    sampling.add_argument(
        "--attributes",
        metavar=ATTRIBUTES,
        help="SCFP: reader of gender and age: Face++, Hugging Face image classifiers, or the judges (default: none)",
    )

    frames = parser.add_argument_group("motion autoencoder")
    frames.add_argument(
        "--landmarks",
        metavar=LANDMARKS,
        help="reader of landmarks, for lips, eyes and pose; dlib: not for commercial use (default: none)",
    )
    frames.add_argument(
        "--lips", type=Path, metavar="RUN", help="run of lip landmarks for the refiner (default: read from the codes)"
    )
    frames.add_argument("--perceptual", metavar=PERCEPTUAL, help="network of the perceptual distance (default: none)")
    frames.add_argument("--split", choices=["train", "val", "test"], help="split of the clips (default: test)")
    frames.add_argument(
        "--span",
        type=share,
        nargs=2,
        metavar=("FROM", "TO"),
        help="part of each clip that is measured, as shares of its length (default: 0 1, the whole clip)",
    )
    frames.add_argument("--stride", type=positive, metavar="N", help="take every N-th frame (default: 2)")
    frames.add_argument(
        "--size", type=side, help="side in pixels at which pictures are compared (default: the network's)"
    )
    frames.add_argument("--pairs", type=at_least(0), help="number of pairs of people who exchange motion (default: 64)")


def run(args: argparse.Namespace) -> int:
    """Measure the run, write `metrics.json` and its other result files, and print the numbers."""
    from s2tf.evaluation.stages.evaluate_run import evaluate_run

    options, out, console = _options(args), args.out or args.run_folder, table_console()
    announce_part(options.part, console)
    with user_errors(), progress(console, f"measuring {args.run_folder}") as report:
        scores = evaluate_run(args.run_folder, options, out, console, report)
    return finish(scores, options.part, Destination(out, args.json, args.wandb, run=args.run_folder), console)


def _options(args: argparse.Namespace) -> "RunOptions":
    """Return the options for the stage of the run: the given values, and the evaluation's defaults for the others.

    Raises:
        UserError: The run is not finished, its stage has no evaluation, or an option has no effect on this stage.
    """
    from dataclasses import fields

    from s2tf.evaluation.process_share import choose_part
    from s2tf.evaluation.stages.evaluate_run import EVALUATIONS, RunOptions, stage_of

    stage = stage_of(args.run_folder)
    names = [field.name for field in fields(RunOptions) if field.name not in ("device", "json_file")]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    for name in given.keys() - EVALUATIONS[stage].takes:
        owners = ", ".join(owner for owner, evaluation in EVALUATIONS.items() if name in evaluation.takes)
        raise UserError(f"--{name} has no effect on a run of {stage}; it applies to: {owners}")
    if "span" in given:
        given["span"] = tuple(given["span"])
    if "part" in EVALUATIONS[stage].takes:
        given["part"] = choose_part(args.part)
    return RunOptions(**given, device=args.device, json_file=args.json)
