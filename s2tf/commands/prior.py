"""Compute the statistical face prior (Eq. 5): the mean latent of N gender-balanced faces by a trained face encoder."""

import argparse
import json
from pathlib import Path

from s2tf.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="a YAML of priors, such as experiments/prior.yaml")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="override a value, such as vars.conre=RUN/networks"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the prior, or for a folder of each prior")
    parser.add_argument("--device", default="cpu", help="device of the networks, such as cuda (default: %(default)s)")
    parser.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="record in a new W&B run what the priors were computed from (default: no W&B)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the provenance of each prior to FILE (default: no file)"
    )


def run(args: argparse.Namespace) -> int:
    """Compute and save the priors, and print a line about each."""
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
