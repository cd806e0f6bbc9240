"""Generated pictures beside true ones: detail, noise of the background, and the distance of their sets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.crop import resize
from s2tf.metrics.feature_moments import Moments
from s2tf.metrics.frechet import frechet_distance
from s2tf.metrics.sharpness import gradient_energy

SHARP, SHARP_VIDEO = 0.7, 0.6
"""Targets of the gradient energy of portraits and of videos, as shares of the true pictures'."""
NOISE = 1.5
"""Target of the background's gradient energy: noise is no sharpness."""
CORNER = (0.25, 0.15)
"""Height and width of the upper corners that show the background, as shares of the picture."""


def picture_targets(
    embed: Callable[[np.ndarray], Tensor],
    portraits: np.ndarray,
    videos: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    protocol: Mapping[str, Any] | None = None,
) -> list[Measurement]:
    """Compare portraits and generated videos with the true ones, as sets: no picture has to be like its own true one.

    Args:
        embed: Features (N, F) of pictures (N, H, W, 3) uint8, by a reader that trained no network of the pipeline.
        portraits: (V, H, W, 3) uint8, one per speaker, V at least 4.
        videos: Reference frames (T, R, R, 3) uint8 of the speakers, in the same order.
        generated: Generated frames (T', S, S, 3) uint8.
        protocol: Further conditions to record.
    """
    record = {**(protocol or {}), "true": "first frames, resized to the side of what is compared (area down, cubic up)"}
    true = np.stack([resize(video[0], portraits.shape[1]) for video in videos])
    sides = {"portraits": len(portraits)}
    rows = [
        _share("portrait sharpness", _energy(portraits), _energy(true), record, SHARP, counts=sides),
        _share("portrait background noise", _noise(portraits), _noise(true), record, NOISE, lower=True, counts=sides),
    ]
    if len(portraits) >= 4:
        rows.append(_distance(embed(portraits), embed(true), record))
    # Videos, frame by frame.
    pairs = [(made, resize(video[0], made.shape[1])[None]) for made, video in zip(generated, videos, strict=True)]
    made, true_energy = (np.mean([_energy(frames) for frames in side]) for side in zip(*pairs, strict=True))
    frames = {"videos": len(pairs)}
    return [*rows, _share("video sharpness", float(made), float(true_energy), record, SHARP_VIDEO, counts=frames)]


def _share(
    name: str,
    value: float,
    true: float,
    record: Mapping[str, Any],
    target: float,
    counts: Mapping[str, int],
    lower: bool = False,
) -> Measurement:
    """A gradient energy as a share of the true pictures'; a flat picture has none."""
    return Measurement(
        name=name,
        value=value / true,
        baseline=0.0,
        baseline_name="a flat picture",
        truth=1.0,
        target=target,
        target_rule="given",
        higher_is_better=not lower,
        protocol={**record, "measure": "mean squared difference of neighbours' luma, share of the true pictures' mean"},
        counts=counts,
    )


def _distance(portraits: Tensor, true: Tensor, record: Mapping[str, Any]) -> Measurement:
    """Fréchet distance of one half's portraits to the other half's faces, mean of both ways: nobody is on both sides.

    The baseline is the distance of one picture for everybody, the mean of the true features.
    """
    halves = (slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))
    mean = true.mean(dim=0, keepdim=True).expand_as(true)
    value, baseline, truth = (
        float(np.mean([_frechet(side[one], true[other]) for one, other in halves])) for side in (portraits, mean, true)
    )
    return Measurement(
        name="portrait Fréchet distance",
        value=value,
        baseline=baseline,
        baseline_name="one face for all",
        truth=truth,
        higher_is_better=False,
        protocol={**record, "features": "face judge", "sets": "one half's portraits, the other half's true faces"},
        counts={"portraits": len(portraits)},
    )


def _frechet(one: Tensor, other: Tensor) -> float:
    sides = []
    for features in (one, other):
        moments = Moments.of(features)
        mean = moments.total / moments.frames
        covariance = (moments.products - moments.frames * torch.outer(mean, mean)) / (moments.frames - 1)
        sides += [mean, covariance]
    return float(frechet_distance(*sides))


def _energy(pictures: np.ndarray) -> float:
    return float(gradient_energy(torch.from_numpy(pictures).permute(0, 3, 1, 2)).mean())


def _noise(pictures: np.ndarray) -> float:
    height, width = (round(share * pictures.shape[1]) for share in CORNER)
    corners = np.concatenate([pictures[:, :height, :width], pictures[:, :height, -width:]])
    return _energy(corners)
