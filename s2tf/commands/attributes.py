"""Add to the shards gender and age of every clip, as read from its faces; writes new shards."""

import argparse

from s2tf.commands.console import copy_with_progress
from s2tf.commands.options import add_copy_arguments, positive, share, user_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_copy_arguments(parser)
    parser.add_argument(
        "--attributes",
        required=True,
        metavar="facepp | classifier=FOLDER[,FOLDER] | judges",
        help="reader of gender and age: Face++, Hugging Face image classifiers, or the judges",
    )
    parser.add_argument(
        "--pictures", type=positive, default=1, help="number of pictures of each clip that are read (default: 1)"
    )
    parser.add_argument(
        "--min-confidence", type=share, default=0.0, help="least confidence of a gender that is stored (default: 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Read the attributes of every clip, and print the number of clips."""
    from rich.console import Console

    from s2tf.evaluation.open_readers import open_attributes
    from s2tf.precompute.attributes import Reading, write_attributes
    from s2tf.precompute.copying import ShardCopy

    with user_errors():
        reader = open_attributes(args.attributes, args.device, Console(), required=True)
    assert reader is not None
    reading = Reading(args.pictures, args.min_confidence)
    copy_with_progress(
        "gender and age",
        args.out,
        args.part,
        lambda on_clip: write_attributes(ShardCopy(args.shards, args.out, args.part, on_clip), reader, reading),
        lacking="in which a reader found none",
    )
    return 0
