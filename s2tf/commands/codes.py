"""Add to the shards the motion codes of every clip, from which motion diffusion learns; writes new shards."""

import argparse
from pathlib import Path

from s2tf.commands.console import copy_with_progress
from s2tf.commands.options import add_copy_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_copy_arguments(parser)
    parser.add_argument(
        "--autoencoder",
        type=Path,
        required=True,
        help="the trained motion autoencoder: RUN/networks/motion_autoencoder",
    )


def run(args: argparse.Namespace) -> int:
    """Encode every clip, and print the number of clips."""
    from s2tf.precompute.copying import ShardCopy
    from s2tf.precompute.latent_codes import write_codes

    copy_with_progress(
        "motion codes",
        args.out,
        args.part,
        lambda on_clip: write_codes(
            ShardCopy(args.shards, args.out, args.part, on_clip), args.autoencoder, args.device
        ),
    )
    return 0
