"""Generated pictures beside true ones: detail, noise of the background, and the distance of their sets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.alignment import EYES, LEFT_EYE, RIGHT_EYE, align, most_frontal
from s2tf.faces.crop import resize
from s2tf.faces.lips import to_picture_units
from s2tf.metrics.feature_moments import Moments
from s2tf.metrics.frechet import frechet_distance
from s2tf.metrics.sharpness import gradient_energy

STRIDE = 10
"""Step between the frames of a video that are compared."""
FOUND = 0.95
"""Target of a face detector on portraits, as a share of its rate on true faces."""
EYE_REACH, DETECTED_SIDE = 0.35, 256
"""Distance of found eyes from their places, in distances between the eyes, and the side at which a detector looks."""
SHARP, SHARPEST, SHARP_VIDEO = 0.7, 1.2, 0.6
"""Least and greatest gradient energy of portraits, and the least of videos, as shares of the true pictures'."""
NOISE = 1.5
"""Target of the background's gradient energy: noise is no sharpness."""
CORNER = (0.25, 0.15)
"""Height and width of the upper corners that show the background, as shares of the picture."""


def true_faces(videos: Sequence[np.ndarray], landmarks: Sequence[np.ndarray], size: int) -> np.ndarray:
    """The most frontal frame of each speaker, aligned as the portraits that a network is trained on.

    Args:
        videos: Reference frames (T, R, R, 3) uint8.
        landmarks: (T, 68, 2) in pixels of the frames.
        size: Side of the portraits in pixels.

    Returns:
        (V, size, size, 3) uint8.
    """
    faces = []
    for video, points in zip(videos, landmarks, strict=True):
        order = most_frontal(to_picture_units(points, video.shape[1]))
        # A clip of which no landmarks have eyes is shown as it is.
        faces.append(align(video[order[0]], points[order[0]], size) if len(order) else resize(video[0], size))
    return np.stack(faces)


def picture_targets(
    embed: Callable[[np.ndarray], Tensor],
    portraits: np.ndarray,
    true: np.ndarray,
    protocol: Mapping[str, Any] | None = None,
) -> list[Measurement]:
    """Compare portraits with true faces, as sets: no picture has to be like its own true one.

    Args:
        embed: Features (N, F) of pictures (N, H, W, 3) uint8, by a reader that trained no network of the pipeline.
        portraits: (V, H, W, 3) uint8, one per speaker.
        true: The speakers' faces in the same form, of `true_faces`.
        protocol: Further conditions to record.
    """
    record = {**(protocol or {}), "true": "the most frontal frame of each speaker, aligned"}
    sides = {"portraits": len(portraits)}
    # A share above the greatest one is missed by that one.
    too_sharp = _energy(portraits) > SHARPEST * _energy(true)
    target = SHARPEST if too_sharp else SHARP
    rows = [
        _share("portrait sharpness", _energy(portraits), _energy(true), record, target, too_sharp, counts=sides),
        _share("portrait background noise", _noise(portraits), _noise(true), record, NOISE, True, counts=sides),
    ]
    if len(portraits) >= 4:
        rows.append(_distance(embed(portraits), embed(true), record))
    return rows


def video_target(
    videos: Sequence[np.ndarray], generated: Sequence[np.ndarray], protocol: Mapping[str, Any] | None = None
) -> Measurement:
    """Compare the detail of generated videos with that of the true ones.

    Args:
        videos: Reference frames (T, R, R, 3) uint8 of the speakers.
        generated: Generated frames (T', S, S, 3) uint8, in the same order.
        protocol: Further conditions to record.
    """
    pairs = [
        (_energy(frames[::STRIDE]), _energy(np.stack([resize(frame, frames.shape[1]) for frame in true[::STRIDE]])))
        for frames, true in zip(generated, videos, strict=True)
    ]
    value, true_energy = (float(np.mean(side)) for side in zip(*pairs, strict=True))
    record = {**(protocol or {}), "true": "frames of the speakers", "frames": f"every {STRIDE}th"}
    return _share("video sharpness", value, true_energy, record, SHARP_VIDEO, counts={"videos": len(pairs)})


def detection_target(
    find: Callable[[np.ndarray], np.ndarray],
    portraits: np.ndarray,
    true: np.ndarray,
    protocol: Mapping[str, Any] | None = None,
) -> Measurement:
    """Share of portraits whose face and eyes a detector of real faces finds; target: 95 % of the true faces' share.

    Args:
        find: Landmarks (N, 68, 2) in pixels of pictures (N, H, W, 3) uint8, NaN where there is no face.
        portraits: (V, H, W, 3) uint8, aligned.
        true: The speakers' faces in the same form, of `true_faces`.
        protocol: Further conditions to record.
    """
    value, truth = (_found(find, pictures) for pictures in (portraits, true))
    return Measurement(
        name="portraits found by a face detector",
        value=value,
        baseline=0.0,
        baseline_name="a flat picture",
        truth=truth,
        target=FOUND * truth,
        target_rule="0.95 × true faces",
        protocol={
            **(protocol or {}),
            "found": f"both eyes within {EYE_REACH} eye distances of their places, at {DETECTED_SIDE} px",
        },
        counts={"portraits": len(portraits)},
    )


def _found(find: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray) -> float:
    # One by one: a detector follows a face through the pictures of one call, as through a video.
    found = [find(resize(picture, DETECTED_SIDE)[None]) for picture in pictures]
    points = np.concatenate(found) / DETECTED_SIDE
    places = np.array(EYES)
    eyes = np.stack([points[:, eye].mean(axis=1) for eye in (RIGHT_EYE, LEFT_EYE)], axis=1)
    away = np.linalg.norm(eyes - places, axis=-1) / (places[1, 0] - places[0, 0])
    # No landmarks are NaN, which is no small distance.
    return float((away < EYE_REACH).all(axis=1).mean())


def _share(
    name: str,
    value: float,
    true: float,
    record: Mapping[str, Any],
    target: float,
    lower: bool = False,
    *,
    counts: Mapping[str, int],
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
