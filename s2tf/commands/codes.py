"""Motion codes of every clip: the shards again, with the codes that motion diffusion learns from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.precompute.latent_codes import write_codes

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.commands.options import add_copy_arguments

    add_copy_arguments(parser)
    parser.add_argument("--autoencoder", type=Path, required=True, help="RUN/networks/motion_autoencoder")


def run(args: argparse.Namespace) -> int:
    """Encode, and print how much."""
    from s2tf.commands.options import copy_with_progress

    return copy_with_progress(
        args,
        "motion codes",
        lambda on_clip: write_codes(args.shards, args.autoencoder, args.out, args.device, args.part, on_clip),
    )
