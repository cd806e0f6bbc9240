"""Compute the statistical face prior (Eq. 5): the mean latent of N gender-balanced faces by a trained face encoder."""

import argparse
from pathlib import Path

from s2tf.commands.console import announce, write_json
from s2tf.commands.options import add_device, add_json, add_out_folder, user_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="a YAML of priors, such as experiments/prior.yaml")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="override a value, such as vars.conre=RUN/networks"
    )
    add_out_folder(parser, "folder for the prior, or for a folder of each prior")
    add_device(parser)
    parser.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="record in a new W&B run what the priors were computed from (default: no W&B)",
    )
    add_json(parser, "the provenance of each prior")


def run(args: argparse.Namespace) -> int:
    """Compute and save the priors, and print a line about each."""
    from s2tf.precompute.face_prior import write_priors

    announce(f"averaging the faces of {args.experiment}")
    with user_errors():
        priors = write_priors(args.experiment, args.overrides, args.out, args.device, args.wandb)
    for folder, prior in priors.items():
        record = prior.provenance
        counts = f"{record['female']} women, {record['male']} men, {record['unknown']} of unknown gender"
        print(f"prior of {record['n']} faces ({counts}): {folder}")
    write_json(args.json, {str(folder): prior.provenance for folder, prior in priors.items()})
    return 0
