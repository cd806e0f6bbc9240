"""Statistical face priors: computes them from shards for an experiment, and saves them with their origin."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.config import compose
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.face_prior import FacePrior
from s2tf.precompute.face_prior_statistics import Wanted, compute_face_priors
from s2tf.provenance import lineage
from s2tf.provenance.wandb_artifacts import log_step
from s2tf.runs.build import build_parts


@dataclass(frozen=True)
class PriorSettings:
    """The section `prior` of an experiment such as experiments/prior.yaml."""

    face_encoder: str
    """Folder of ConRe's face encoder."""
    faces: int | list[int] = 10_000
    """N of Eq. 5, or 0 for the largest number that the balance allows. A list requests a prior for each number."""
    female: float | list[float] | None = 0.5
    """Share of women, 0 to 1, or None for any faces, also those of unknown gender. A list makes a prior of each."""
    seed: int = 0
    """Seed for the choice of faces."""

    @property
    def combinations(self) -> list[tuple[int, float | None]]:
        """Every N with every share of women."""
        sizes = self.faces if isinstance(self.faces, list) else [self.faces]
        shares = self.female if isinstance(self.female, list) else [self.female]
        return [(faces, female) for faces in sizes for female in shares]


def write_priors(
    experiment: Path, overrides: Sequence[str], out: Path, device: str = "cpu", project: str | None = None
) -> "dict[Path, FacePrior]":
    """Average the latents of training faces under a face encoder, in one pass over the data.

    The data and networks that the priors were computed from are recorded in their folders.

    Args:
        experiment: YAML with a section `prior`, such as experiments/prior.yaml.
        overrides: Changes of it, as `key=value`.
        out: Folder of the prior, or of a folder for each of several priors.
        device: Device of the face encoder.
        project: W&B project in which the origin is also recorded, or None.

    Returns:
        The priors by folder: `out` itself for a single one, else folders in it named by N and the share of women.

    Raises:
        UserError: The experiment has no section `prior`, or a value in it is wrong.
        FileNotFoundError: The face encoder's folder does not exist.
        ValueError: There are too few faces of a gender.
    """
    config = compose(experiment, overrides)
    # The experiment, composed; its parser puts objects into the dictionary that it is given.
    parts = build_parts(copy.deepcopy(config), prior=PriorSettings)
    settings, data = parts.prior, parts.data
    encoder = FaceEncoder.from_pretrained(settings.face_encoder).to(device)
    wanted = [Wanted(faces or None, female) for faces, female in settings.combinations]
    missing: list[str] = []
    # One pass over the training split for all priors; those that lack faces are reported at the end.
    priors = compute_face_priors(
        encoder,
        map(data.on_device, data.once("train")),
        wanted,
        settings.seed,
        device,
        on_missing=lambda _, error: missing.append(str(error)),
    )
    folders = {one: out if len(wanted) == 1 else out / _name(one.n, one.balance) for one in priors}
    # Save the computed priors, then raise the error for the others.
    for one, prior in priors.items():
        prior.save_pretrained(folders[one])
    _note_lineage(config, data, list(folders.values()), project)
    if missing:
        saved = f"{len(priors)} of {len(wanted)} priors are written, {out}; the others: " if priors else ""
        raise ValueError(saved + "; ".join(missing))
    return {folders[one]: prior for one, prior in priors.items()}


def _note_lineage(config: dict[str, Any], data: Any, folders: list[Path], project: str | None) -> None:
    inputs = lineage.find_inputs(config, data)
    items = [lineage.network_item(folder) for folder in folders]
    for folder, item in zip(folders, items, strict=True):
        lineage.write(folder, "prior", inputs, [item])
    if project is not None and folders:
        log_step(project, "prior", folders[0], config, inputs, items)


def _name(faces: int | None, female: float | None) -> str:
    return f"n{faces or 0:05d}-{'any' if female is None else f'female{female:.2f}'}"
