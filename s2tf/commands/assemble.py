"""Put the networks of finished runs together into a pipeline folder, which needs no Lightning."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.runs.assemble import Runs, assemble

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    runs = parser.add_argument_group(
        "finished runs; without --scfp the second stage alone, with --scfp alone the first"
    )
    runs.add_argument("--scfp", type=Path, metavar="RUN", help="speech to portrait, its ConRe's networks among them")
    runs.add_argument("--motion-autoencoder", type=Path, metavar="RUN", help="of the high-resolution phase, too")
    runs.add_argument("--lip-landmarks", type=Path, metavar="RUN", help="speech to lips")
    runs.add_argument("--motion-diffusion", type=Path, metavar="RUN", help="speech to motion codes of that autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--steps", type=int, default=50, help="stored: denoiser calls (%(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, help="stored: of the portrait (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check that the runs belong together, and save."""
    from s2tf.errors import UserError

    runs = Runs(args.scfp, args.motion_autoencoder, args.lip_landmarks, args.motion_diffusion)
    try:
        pipeline = assemble(runs, args.steps, args.steps, args.temperature)
    except ValueError as error:
        raise UserError(str(error)) from error
    pipeline.save_pretrained(args.out)
    print(f"{type(pipeline).__name__}: {args.out}")
    return 0
