"""The statistical face prior (Eq. 5): the mean latent of N gender-balanced faces, under a trained face encoder."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2tf.models.face_prior import FacePrior


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", type=Path, help="the ConRe experiment that trained the face encoder")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the same overrides as for its `s2tf fit`")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the prior")
    parser.add_argument("--faces", type=int, default=10_000, help="N of Eq. 5; 0: all that the balance allows")
    parser.add_argument("--female", type=float, default=0.5, help="share of women, 0 to 1 (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of faces (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the prior's provenance here")


def run(args: argparse.Namespace) -> int:
    """Compute, save and describe the prior."""
    from s2tf.errors import UserError

    try:
        prior = write_prior(
            args.experiment, args.overrides, args.runs, args.out, args.faces or None, args.female, args.seed
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    provenance = prior.config["init_args"]
    print(f"prior of {provenance['n']} faces ({provenance['female']} women, {provenance['male']} men): {args.out}")
    if args.json:
        args.json.write_text(json.dumps(provenance, indent=2) + "\n")
    return 0


def write_prior(
    experiment: Path,
    overrides: Sequence[str],
    runs: Path,
    out: Path,
    faces: int | None,
    female: float = 0.5,
    seed: int = 0,
) -> "FacePrior":
    """Average the training faces of a ConRe run under its face encoder, and save the prior in `out`.

    Raises:
        UserError: the run has no trained networks.
        ValueError: there are too few faces of a gender.
    """
    from s2tf.errors import UserError
    from s2tf.models.face_encoder import FaceEncoder
    from s2tf.models.face_prior_statistics import compute_face_prior
    from s2tf.runs import build, open_run

    conre = open_run(experiment, overrides, runs)
    if not conre.networks.is_dir():
        raise UserError(f"{conre.networks}: no trained networks: first `s2tf fit {experiment} ...`")
    data = build(conre.config).datamodule
    encoder = FaceEncoder.from_pretrained(conre.networks / "face_encoder")
    prior = compute_face_prior(encoder, map(data.finish, data.once("train")), faces, female, seed)
    prior.save_pretrained(out)
    return prior
