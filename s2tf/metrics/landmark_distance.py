"""How far the landmarks of made faces are from those of the true ones (LMD), in per cent of the true faces' size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.lips import LEFT_EYE_OUTER, LIPS, RIGHT_EYE_OUTER
from s2tf.faces.motion import FaceMotion

PER_CENT = 100.0


def point_distance(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(...) mean distance of corresponding points (..., P, 2), in their unit."""
    return np.linalg.norm(made - true, axis=-1).mean(axis=-1)


def landmark_distances(made: np.ndarray, true: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """The distances frame by frame, in per cent of the distance of the outer corners of the eyes.

    `face` and `lips` are of the 68 landmarks and of the last 20 in the picture, where a head that is elsewhere counts,
    too; the unit is the true face's. `canonical_lips` is of the lips in the frame of their own face each, see
    `s2tf.faces.lips`, where their shape alone counts.

    Args:
        made: landmarks (T, 68, 2) of made frames in pixels, iBUG order; NaN for a face that was not found.
        true: those of the true frames.
        size: side of the pictures, pixels.

    Returns:
        By name (T,); NaN where either face could not be read.

    Raises:
        ValueError: the shapes differ.
    """
    if made.shape != true.shape or made.shape[1:] != (68, 2):
        raise ValueError(f"landmarks {made.shape} against {true.shape}: expected equal (T, 68, 2)")
    one, other = FaceMotion.of_landmarks(made, size), FaceMotion.of_landmarks(true, size)
    known = one.known & other.known
    made, true = made[known].astype(np.float64), true[known].astype(np.float64)
    unit = np.linalg.norm(true[:, LEFT_EYE_OUTER] - true[:, RIGHT_EYE_OUTER], axis=-1)
    values = {
        "face": point_distance(made, true) / unit,
        "lips": point_distance(made[:, LIPS], true[:, LIPS]) / unit,
        "canonical_lips": point_distance(one.lips[known], other.lips[known]),
    }
    distances = {name: np.full(len(known), np.nan) for name in values}
    for name, value in values.items():
        distances[name][known] = PER_CENT * value
    return distances


class LandmarkDistance(Metric):
    """The means of `landmark_distances` over all frames in which both faces could be read.

    Args:
        landmarks: the protocol of what found the landmarks: part of the number.
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

    def update(self, made: np.ndarray, true: np.ndarray, size: int) -> None:
        """Add frames; see `landmark_distances`."""
        distances = landmark_distances(made, true, size)
        values = torch.from_numpy(np.stack([distances[name] for name in self.NAMES])).to(self.sums)
        self.sums += values.nansum(dim=1)
        known = int(values[0].isfinite().sum())
        self.frames += known
        self.unread += len(true) - known

    def compute(self) -> dict[str, Tensor]:
        """The means by name, in per cent; NaN where no frame could be read."""
        return dict(zip(self.NAMES, self.sums / self.frames, strict=True))

    @property
    def protocol(self) -> dict[str, Any]:
        """How the numbers were measured."""
        return {
            **self.landmarks,
            "unit": "per cent of the true outer-eye distance; canonical lips: each face's own",
            "frames": int(self.frames),
            "frames without a face": int(self.unread),
        }
