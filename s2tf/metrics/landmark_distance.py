"""Landmark distance (LMD) of generated faces and their reference, in per cent of the reference face's size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.lips import LEFT_EYE_OUTER, LIPS, RIGHT_EYE_OUTER
from s2tf.faces.motion import FaceMotion

PER_CENT = 100.0


def point_distance(preds: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(...) mean distance of corresponding points (..., P, 2), in their unit.

    Example:
        >>> float(point_distance(np.zeros((1, 2)), np.array([[3.0, 4.0]])))
        5.0
    """
    return np.linalg.norm(preds - target, axis=-1).mean(axis=-1)


def landmark_distances(preds: np.ndarray, target: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """The distances frame by frame, in per cent of the distance of the outer corners of the eyes.

    `face` compares all 68 landmarks and `lips` the last 20 where they are in the picture, so that a misplaced head
    counts, too; their unit is the reference face's. `canonical_lips` compares the lips in the frames of their own
    faces, see `s2tf.faces.lips`, so that only their shape counts.

    Args:
        preds: Landmarks (T, 68, 2) of generated frames in pixels, iBUG order; NaN for a face that was not found.
        target: Landmarks of the reference frames, likewise.
        size: Side of the pictures in pixels.

    Returns:
        Distances (T,) by name; NaN where either face could not be read.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> landmarks = np.random.default_rng(0).uniform(10, 50, (1, 68, 2))
        >>> {name: float(value[0]) for name, value in landmark_distances(landmarks, landmarks, 64).items()}
        {'face': 0.0, 'lips': 0.0, 'canonical_lips': 0.0}
    """
    if preds.shape != target.shape or preds.shape[1:] != (68, 2):
        raise ValueError(f"landmarks {preds.shape} against {target.shape}: expected equal (T, 68, 2)")
    one, other = FaceMotion.of_landmarks(preds, size), FaceMotion.of_landmarks(target, size)
    known = one.known & other.known
    preds, target = preds[known].astype(np.float64), target[known].astype(np.float64)
    unit = np.linalg.norm(target[:, LEFT_EYE_OUTER] - target[:, RIGHT_EYE_OUTER], axis=-1)
    values = {
        "face": point_distance(preds, target) / unit,
        "lips": point_distance(preds[:, LIPS], target[:, LIPS]) / unit,
        "canonical_lips": point_distance(one.lips[known], other.lips[known]),
    }
    distances = {name: np.full(len(known), np.nan) for name in values}
    for name, value in values.items():
        distances[name][known] = PER_CENT * value
    return distances


class LandmarkDistance(Metric):
    """The means of `landmark_distances` over all frames in which both faces could be read.

    Args:
        landmarks: The protocol of the landmark finder, which is part of the numbers' own.

    Example:
        >>> landmarks = np.random.default_rng(0).uniform(9, 60, (2, 68, 2))
        >>> metric = LandmarkDistance({"landmarks": "mine"})
        >>> metric.update(landmarks, landmarks, size=64)
        >>> float(metric.compute()["lips"])
        0.0
    """

    full_state_update = False
    higher_is_better = False
    sums: Tensor
    frames: Tensor
    unread: Tensor

    NAMES = ("face", "lips", "canonical_lips")

    def __init__(self, landmarks: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.landmarks = dict(landmarks)
        self.add_state("sums", torch.zeros(len(self.NAMES), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("unread", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: np.ndarray, target: np.ndarray, size: int) -> None:
        """Adds the landmarks of frames; see `landmark_distances`."""
        distances = landmark_distances(preds, target, size)
        values = torch.from_numpy(np.stack([distances[name] for name in self.NAMES])).to(self.sums)
        self.sums += values.nansum(dim=1)
        known = int(values[0].isfinite().sum())
        self.frames += known
        self.unread += len(target) - known

    def compute(self) -> dict[str, Tensor]:
        """The means by name, in per cent; NaN where no frame could be read."""
        return dict(zip(self.NAMES, self.sums / self.frames, strict=True))

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            **self.landmarks,
            "unit": "per cent of the true outer-eye distance; canonical lips: each face's own",
            "frames": int(self.frames),
            "frames without a face": int(self.unread),
        }
