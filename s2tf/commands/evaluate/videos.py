"""Measure generated videos of any system against the reference videos."""

import argparse
from pathlib import Path

from s2tf.commands.console import progress, table_console
from s2tf.commands.evaluate.console import Destination, announce_part, finish
from s2tf.commands.evaluate.options import (
    add_clips_argument,
    add_measure_arguments,
    add_part_arguments,
    add_result_arguments,
    measure_choices,
)
from s2tf.commands.options import check_json, check_out, local_device, refuse_overwriting, user_errors
from s2tf.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "generated",
        type=Path,
        help="folder of the generated videos, a video, or a CSV with the columns generated, reference",
    )
    parser.add_argument(
        "reference",
        type=Path,
        nargs="?",
        help="folder of the reference videos with the same names, or a video; not with a CSV",
    )
    add_result_arguments(parser, "NAME-evaluation beside GENERATED")
    add_clips_argument(parser)
    add_part_arguments(parser)
    parser.add_argument("--name", help="name of the system in reports (default: the folder's name)")
    parser.add_argument("--seed", type=int, help="seed with which the system was trained, for --wandb (default: 0)")
    add_measure_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the videos, write `metrics.json` and the table of clips, and print the numbers."""
    from s2tf.evaluation.process_share import choose_part
    from s2tf.evaluation.result_files import discard_results, results_of
    from s2tf.evaluation.videos.evaluate import evaluate_videos
    from s2tf.evaluation.videos.find_pairs import find_pairs
    from s2tf.evaluation.videos.open_measures import open_measures
    from s2tf.evaluation.videos.request import COMPARED_SIZE, VideoEvaluation

    # Everything that can be refused is refused before older results are deleted.
    system = args.generated.resolve().name if args.generated.is_dir() else args.generated.stem
    out = args.out or args.generated.resolve().with_name(f"{system}-evaluation")
    check_json(args.json, args.out)
    check_out(out)
    refuse_overwriting(args.generated, results_of(out, args.json))
    if args.seed is not None and args.wandb is None:
        raise UserError(f"--seed {args.seed} has no effect without --wandb")
    args.device = local_device(args.device)
    console, part = table_console(), choose_part(args.part)
    found = find_pairs(args.generated, args.reference).first(args.clips)
    with user_errors():
        opened = open_measures(measure_choices(args), console)
    # Measure, and write the results.
    evaluation = VideoEvaluation(
        name=args.name or system,
        pairs=found.pairs,
        opened=opened,
        out=out,
        size=args.size or COMPARED_SIZE,
        missing=found.missing,
        part=part,
    )
    announce_part(part, console)
    discard_results(out, args.json)
    with user_errors(), progress(console) as report:
        scores = evaluate_videos(evaluation, report)
    return finish(scores, part, Destination(out, args.json, args.wandb, args.seed or 0), console)
