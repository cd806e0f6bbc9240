"""Measure generated portraits of any system against reference pictures of the speakers."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console
from s2tf.commands.evaluate.console import Destination, announce_part, finish
from s2tf.commands.evaluate.options import ATTRIBUTES, add_faces, add_part_arguments, add_result_arguments
from s2tf.commands.options import add_background_argument, seed, user_errors
from s2tf.errors import UserError
from s2tf.evaluation.progress import progress
from s2tf.fault_tolerance.outputs import check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("generated", type=Path, help="folder of the generated portraits")
    parser.add_argument("reference", type=Path, help="folder of the reference pictures with the same names")
    add_result_arguments(parser, "NAME-evaluation beside GENERATED")
    add_part_arguments(parser)
    parser.add_argument("--name", help="name of the system in reports (default: the folder's name)")
    parser.add_argument("--seed", type=seed, help="seed with which the system was trained, for --wandb (default: 0)")
    add_faces(parser, "required", required=True)
    parser.add_argument(
        "--attributes",
        default="none",
        metavar=ATTRIBUTES,
        help="reader of gender and age: Face++, Hugging Face image classifiers, or the judges (default: none)",
    )
    add_background_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the portraits, write `metrics.json` and the table of clips, and print the numbers."""
    from s2tf.evaluation.open_readers import open_attributes, open_faces
    from s2tf.evaluation.portraits.evaluate import PortraitEvaluation, evaluate_portraits
    from s2tf.evaluation.portraits.find_pairs import find_pictures
    from s2tf.evaluation.portraits.read_picture import FaceReaders
    from s2tf.evaluation.process_share import choose_part
    from s2tf.evaluation.result_files import discard_results

    # Everything that can be refused is refused before older results are deleted.
    system = args.generated.resolve().name
    out = args.out or args.generated.resolve().with_name(f"{system}-evaluation")
    check_output_folder("--out", out)
    if args.seed is not None and args.wandb is None:
        raise UserError(f"--seed {args.seed} has no effect without --wandb")
    console, part = table_console(), choose_part(args.part)
    pairs = find_pictures(args.generated, args.reference)
    with user_errors():
        attributes = open_attributes(args.attributes, args.device, console)
        readers = FaceReaders(open_faces(args.faces, args.device, console), attributes, args.background)
    # Measure, and write the results.
    announce_part(part, console)
    discard_results(out, args.json)
    with user_errors(), progress(console, "measuring the portraits") as report:
        scores = evaluate_portraits(PortraitEvaluation(args.name or system, pairs, readers, out, part), report)
    return finish(scores, part, Destination(out, args.json, args.wandb, args.seed or 0), console)
