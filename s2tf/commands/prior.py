"""The statistical face prior (Eq. 5): the mean latent of N gender-balanced faces, under a trained face encoder."""

import argparse
import json
from pathlib import Path

from s2tf.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="such as experiments/prior.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as vars.conre=RUN/networks")
    parser.add_argument("--out", type=Path, required=True, help="folder of the prior, or of a folder for each prior")
    parser.add_argument("--device", default="cpu", help="device to encode on, such as cuda (%(default)s)")
    parser.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="record in a W&B run of its own what the priors were computed from (no record)",
    )
    parser.add_argument("--json", type=Path, help="write the provenance of each prior to this file (none)")


def run(args: argparse.Namespace) -> int:
    """Compute, save and describe the priors."""
    from s2tf.precompute.face_prior import write_priors

    try:
        priors = write_priors(args.experiment, args.overrides, args.out, args.device, args.wandb)
    except ValueError as error:
        raise UserError(str(error)) from error
    for folder, prior in priors.items():
        record = prior.provenance
        counts = f"{record['female']} women, {record['male']} men, {record['unknown']} of unknown gender"
        print(f"prior of {record['n']} faces ({counts}): {folder}")
    if args.json:
        records = {str(folder): prior.provenance for folder, prior in priors.items()}
        args.json.write_text(json.dumps(records, indent=2) + "\n")
    return 0
