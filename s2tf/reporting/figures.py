"""Figures 10 to 12: the face prior by number of faces and by share of women, and maps of the weights of SAW."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from s2tf.errors import UserError
from s2tf.evaluation.stages.portrait_rows import PortraitTest, portrait_rows
from s2tf.media.pictures import to_uint8
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_prior import FacePrior
from s2tf.models.prior_weighting import PriorWeighting
from s2tf.pipelines.portrait import PortraitSettings
from s2tf.tables.write_table import write_table

TITLES = {
    "figure10": "the face prior and the number of faces N: distance to the next smaller N",
    "figure11": "the face prior and its share of women: distance to the balanced prior",
}
BALANCED = 0.5
"""Share of women in the prior that the others of Figure 11 are compared with."""


def prior_figure(name: str, priors: Path, decoder: Path | None, out: Path) -> dict[str, Any]:
    """Write Figure 10 or 11 of a folder of priors: `out`/<name>.csv and .png.

    The distance is the paper's L1, the sum over dimensions of |z_p - z_p'|; beside it stands its mean over the
    dimensions as a share of the latents' standard deviation, which does not depend on the encoder's scale.

    Args:
        name: `figure10` or `figure11`.
        priors: Folder of priors.
        decoder: Folder of a face decoder that shows the priors below the bars; None for bars only.
        out: Folder of the figure.

    Raises:
        UserError: There are fewer than two priors or no balanced one to compare with, or priors of different faces are
            equal.
    """
    found = _priors(priors, "n" if name == "figure10" else "balance")
    if name == "figure11" and not all(prior.provenance["balanced"] for prior in found):
        raise UserError(
            f"{priors}: priors of unknown gender (balanced: false), expected shares of women that were kept: run `s2tf "
            "prior` again on shards with genders (`s2tf attributes`)"
        )
    pairs = _successive(found) if name == "figure10" else _from_balanced(found, priors)
    rows = []
    for label, prior, other in pairs:
        distance = (prior.z_p - other.z_p).abs()
        if prior is not other and not distance.any():
            raise UserError(
                f"{priors}: the prior {label} equals the one that it is compared with (L1 distance 0), expected priors "
                "of different faces: run `s2tf prior` again, on shards with genders (`s2tf attributes`)"
            )
        share = float(distance.mean() / other.scale)
        rows.append({"prior": label, "l1": float(distance.sum()), "mean over scale": share, **_counts(prior)})
    write_table(rows, out / f"{name}.csv", list(rows[0]))
    faces = _decoded(decoder, [prior for _, prior, _ in pairs])
    _draw_bars(rows, faces, TITLES[name], out / f"{name}.png")
    return {"figure": name, "rows": rows}


def weight_figure(run: Path, clips: int, out: Path) -> dict[str, Any]:
    """Write Figure 12 of a run of SCFP: the reference face, the portrait and the map of β for some test speakers.

    Raises:
        UserError: The run is not finished.
    """
    # Generate portraits of the first speakers.
    pipeline, rows = portrait_rows(run, PortraitTest(settings=PortraitSettings(), clips=clips, batch=clips))
    row = next(rows)
    # Compute their weights β, and the maps of these and of their differences from the mean.
    diffusion, decoder = pipeline.portrait_diffusion, pipeline.face_decoder
    z_p, scale = diffusion.prior.get_buffer("z_p"), diffusion.prior.get_buffer("scale")
    with torch.no_grad():
        weighting = cast(PriorWeighting, diffusion.weighting)
        beta = weighting.beta(pipeline.embed_speech(row.waveforms), z_p / scale)
    maps = weight_maps(decoder, z_p, torch.cat([beta, beta - beta.mean(dim=0)])).numpy()
    # Write numbers and picture.
    numbers = [
        {"key": key, **{name: float(getattr(one, name)()) for name in ("mean", "std", "min", "max")}}
        for key, one in zip(row.keys, beta, strict=True)
    ]
    write_table(numbers, out / "figure12.csv", list(numbers[0]))
    _draw_maps(row.keys, row.reference, row.portraits, maps, out / "figure12.png")
    return {"figure": "figure12", "rows": numbers}


def weight_maps(decode: Callable[[Tensor], Tensor], z_p: Tensor, beta: Tensor) -> Tensor:
    """Map the change of the decoded prior when a speaker's weighted prior is added to it (Fig. 12).

    β has a value for each dimension of the latent, and fc7's dimensions have no place in the picture. So the map is
    the derivative of the decoded prior in the direction β ⊙ z_p, ‖∂/∂a D_f(z_p + a β ⊙ z_p)‖ over the colours at
    a = 0: large where the weights act. The paper shows such maps without a definition.

    Args:
        decode: D_f, latents (B, d) to pictures (B, 3, H, W).
        z_p: The prior in the decoder's units, shape (d,).
        beta: Weights of B speakers, shape (B, d).

    Returns:
        Maps (B, H, W), not negative, in the picture's units for a change of a by 1.
    """
    _, change = torch.autograd.functional.jvp(decode, z_p.expand_as(beta).contiguous(), beta * z_p)
    return change.norm(dim=1)


def _priors(folder: Path, varied: str) -> list[FacePrior]:
    """Load the priors of a folder; their provenance may differ only in the entry `varied`."""
    found = [FacePrior.from_pretrained(path.parent) for path in sorted(folder.glob("*/config.json"))]
    if len(found) < 2:
        raise UserError(
            f"{folder}: {len(found)} priors, expected at least two: run `s2tf prior` with a list of sizes or shares"
        )
    for name in ("n", "balance", "seed", "balanced"):
        values = sorted({prior.provenance[name] for prior in found}, key=str)
        if name != varied and len(values) > 1:
            raise UserError(
                f"{folder}: priors of different {name}: {values}, expected one {name} and different {varied}"
            )
    return found


def _successive(priors: Sequence[FacePrior]) -> list[tuple[str, FacePrior, FacePrior]]:
    ordered = sorted(priors, key=lambda prior: int(prior.provenance["n"] or 0))
    names = [str(prior.provenance["n"]) for prior in ordered]
    return [
        (f"{names[index]} - {names[index + 1]}", ordered[index + 1], ordered[index])
        for index in range(len(ordered) - 1)
    ]


def _from_balanced(priors: Sequence[FacePrior], folder: Path) -> list[tuple[str, FacePrior, FacePrior]]:
    balanced = [prior for prior in priors if prior.provenance["balance"] == BALANCED]
    if not balanced:
        raise UserError(f"{folder}: {len(priors)} priors, none of them of half women: the others are compared with it")
    ordered = sorted(priors, key=lambda prior: -float(prior.provenance["balance"] or 0))
    share = [100 * float(prior.provenance["balance"] or 0) for prior in ordered]
    return [(f"{part:.0f}:{100 - part:.0f}", prior, balanced[0]) for part, prior in zip(share, ordered, strict=True)]


def _counts(prior: "FacePrior") -> dict[str, Any]:
    return {name: prior.provenance[name] for name in ("n", "female", "male", "unknown")}


def _decoded(decoder: Path | None, priors: Sequence[FacePrior]) -> list[np.ndarray] | None:
    if decoder is None:
        return None
    network = FaceDecoder.from_pretrained(decoder).eval()
    with torch.no_grad():
        return list(to_uint8(network(torch.stack([prior.z_p for prior in priors]))))


def _draw_bars(rows: Sequence[dict[str, Any]], faces: Sequence[np.ndarray] | None, title: str, path: Path) -> None:
    # matplotlib loads slowly, and only figures need it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 * max(4, len(rows)), 5 if faces is not None else 3.5), layout="constrained")
    parts = figure.subfigures(2 if faces is not None else 1, 1, squeeze=False, height_ratios=[2, 1][: 1 + bool(faces)])
    axes = parts[0, 0].subplots()
    places = range(len(rows))
    axes.bar(places, [row["mean over scale"] for row in rows], width=0.6)
    axes.set_xticks(places, [row["prior"] for row in rows])
    axes.set_ylabel("mean |Δ| / scale of the latents")
    axes.set_title(title, fontsize=10)
    for place, row in zip(places, rows, strict=True):
        axes.annotate(f"L1 {row['l1']:.3g}", (place, row["mean over scale"]), ha="center", va="bottom", fontsize=8)
    for picture, axis in zip(faces or (), parts[-1, 0].subplots(1, len(rows), squeeze=False)[0], strict=False):
        axis.imshow(picture)
        axis.axis("off")
    figure.savefig(path, dpi=120)


def _draw_maps(keys: Sequence[str], reference: np.ndarray, portraits: np.ndarray, maps: np.ndarray, path: Path) -> None:
    """Draw four rows: reference faces, portraits, maps of β, and maps of its difference from the mean β."""
    # matplotlib loads slowly, and only figures need it.
    from matplotlib.figure import Figure

    columns = len(keys)
    rows = [("reference", reference), ("portrait", portraits), ("β", maps[:columns]), ("β - mean β", maps[columns:])]
    figure = Figure(figsize=(1.5 * columns + 0.6, 6.2), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for (name, pictures), axes in zip(rows, grid, strict=True):
        axes[0].set_ylabel(name)
        for picture, axis in zip(pictures, axes, strict=True):
            # One scale for each row of maps, so that speakers can be compared.
            axis.imshow(picture, **({} if picture.ndim == 3 else {"vmin": 0, "vmax": pictures.max(), "cmap": "magma"}))
            axis.set_xticks([])
            axis.set_yticks([])
    for key, axis in zip(keys, grid[0], strict=True):
        axis.set_title(key[-12:], fontsize=7)
    figure.savefig(path, dpi=120)
