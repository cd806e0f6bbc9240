"""Liveliness of faces: statistics of blinks, head and mouth of clips, and their correlation with the reference."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from s2tf.faces.lips import POSE
from s2tf.faces.motion import FaceMotion
from s2tf.media.audio import FPS
from s2tf.metrics.blinks import CLOSED, count_blinks
from s2tf.metrics.correlation import mean_correlation

RANGE = (5, 95)
"""Percentiles that limit the range of a speaker's openings."""
LEAST_FRAMES = 10
"""The fewest readable frames of a clip that counts."""
POSE_UNITS = "centre in picture units (2 is the side), log scale, roll in radians, nose in outer-eye distances"
CORRELATED = ("mouth", "eyes", *POSE)


def pose_steps(pose: np.ndarray) -> np.ndarray:
    """(T - 1, 6) absolute changes of the pose (T, 6) from frame to frame; NaN beside a frame that was not read.

    Example:
        >>> pose_steps(np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, -2, 0]]))
        array([[1, 0, 0, 0, 2, 0]])
    """
    return np.abs(np.diff(pose, axis=0))


class FaceStatistics(Metric):
    """Statistics of the faces of clips; use one metric for generated clips and another for the reference.

    - `blinks per minute`, counted by `s2tf.metrics.blinks.count_blinks`;
    - `mouth range`, the distance of the percentiles 5 and 95 of a clip's opening, in outer-eye distances;
    - `pose step: NAME`, the mean absolute change from frame to frame of each value of `s2tf.faces.lips.head_pose`;
    - `pose deviation: NAME`, its standard deviation within a clip, in the value's unit.

    Range and deviation are means over clips, which all have the same weight. Frames that could not be read are left
    out, and so are clips with fewer than ten readable frames.

    Args:
        landmarks: The protocol of the face reader, which is part of the numbers' own.

    Example:
        >>> metric, landmarks = FaceStatistics({"landmarks": "mine"}), np.random.default_rng(0).uniform(9, 60, (68, 2))
        >>> metric.update(FaceMotion.of_landmarks(np.repeat(landmarks[None], 25, axis=0), 64))
        >>> float(metric.compute()["blinks per minute"]), float(metric.compute()["pose step: roll"])
        (0.0, 0.0)
    """

    full_state_update = False
    blinks: Tensor
    frames: Tensor
    unread: Tensor
    clips: Tensor
    short: Tensor
    mouth_range: Tensor
    deviation: Tensor
    steps: Tensor
    step_count: Tensor

    def __init__(self, landmarks: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.landmarks = dict(landmarks)
        for name in ("blinks", "frames", "unread", "clips", "short", "step_count"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for name, shape in (("mouth_range", ()), ("deviation", (len(POSE),)), ("steps", (len(POSE),))):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, motion: FaceMotion) -> None:
        """Adds a clip at 25 frames a second."""
        known = motion.known
        self.unread += int((~known).sum())
        if known.sum() < LEAST_FRAMES:
            self.short += 1
            return
        self.clips += 1
        self.frames += int(known.sum())
        self.blinks += count_blinks(motion.eyes[known])
        closed, opened = np.percentile(motion.mouth[known], RANGE)
        self.mouth_range += float(opened - closed)
        self.deviation += torch.from_numpy(motion.pose[known].std(axis=0)).to(self.deviation)
        steps = pose_steps(motion.pose)
        steps = steps[np.isfinite(steps).all(axis=1)]
        self.steps += torch.from_numpy(steps.sum(axis=0)).to(self.steps)
        self.step_count += len(steps)

    def compute(self) -> dict[str, Tensor]:
        """The numbers by name; NaN where there was no clip."""
        return {
            "blinks per minute": self.blinks / self.frames * FPS * 60,
            "mouth range": self.mouth_range / self.clips,
            **_by_name("pose step", self.steps / self.step_count),
            **_by_name("pose deviation", self.deviation / self.clips),
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            **self.landmarks,
            "blink": f"eyes below {CLOSED} of their median",
            "mouth range": f"percentiles {RANGE[0]} to {RANGE[1]} of a clip",
            "pose": POSE_UNITS,
            "clips": int(self.clips),
            f"clips with fewer than {LEAST_FRAMES} frames read": int(self.short),
            "frames": int(self.frames),
            "frames without a face": int(self.unread),
        }


class MotionCorrelation(Metric):
    """Pearson's correlation of the motion of generated clips with that of the reference, averaged over clips.

    The numbers are `mouth` and `eyes` for the openings, one for each value of the pose by its name, and `pose`, the
    mean of those six. A generated signal that stands still counts as 0; a reference that stands still leaves its clip
    out of that mean, see `s2tf.metrics.correlation`. Frames in which either face could not be read are left out, and
    so are clips with fewer than ten other frames.

    Args:
        landmarks: The protocol of the face reader, which is part of the numbers' own.

    Example:
        >>> motion = FaceMotion.of_landmarks(np.random.default_rng(0).uniform(9, 60, (25, 68, 2)), 64)
        >>> metric = MotionCorrelation({"landmarks": "mine"})
        >>> metric.update(motion, motion)
        >>> round(float(metric.compute()["mouth"]), 4)
        1.0
    """

    full_state_update = False
    higher_is_better = True
    sums: Tensor
    defined: Tensor
    still: Tensor
    undefined: Tensor
    frames: Tensor
    clips: Tensor
    short: Tensor
    unread: Tensor

    def __init__(self, landmarks: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.landmarks = dict(landmarks)
        self.add_state("sums", torch.zeros(len(CORRELATED), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("defined", "still", "undefined", "frames"):
            self.add_state(name, torch.zeros(len(CORRELATED), dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("clips", "short", "unread"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: FaceMotion, target: FaceMotion) -> None:
        """Adds a generated clip and its reference.

        Raises:
            ValueError: They differ in length.
        """
        if len(preds.mouth) != len(target.mouth):
            raise ValueError(
                f"{len(preds.mouth)} generated frames against {len(target.mouth)} reference frames: "
                "expected equal numbers"
            )
        known = preds.known & target.known
        self.unread += int((~known).sum())
        if known.sum() < LEAST_FRAMES:
            self.short += 1
            return
        self.clips += 1
        for index, pair in enumerate(zip(_signals(preds, known), _signals(target, known), strict=True)):
            one = mean_correlation([pair])
            self.sums[index] += one.mean if one.clips else 0.0
            self.defined[index] += one.clips
            self.still[index] += one.still
            self.undefined[index] += one.undefined
            self.frames[index] += int(known.sum()) * one.clips

    def compute(self) -> dict[str, Tensor]:
        """The means by name; NaN where no clip is defined."""
        means = dict(zip(CORRELATED, self.sums / self.defined, strict=True))
        return {**means, "pose": torch.stack([means[name] for name in POSE]).nanmean()}

    def counts(self, name: str) -> dict[str, int]:
        """The numbers of items that went into a mean of `compute`, and of those left out.

        - `clips` and `frames` in which the reference moves; for `pose`, those of the value with the most;
        - `frames without a face` in either video;
        - `still` clips, whose generated signal stands still and counts as 0; for `pose`, the sum over its values;
        - `undefined` clips, left out since the reference stands still; likewise.

        Args:
            name: A name of `compute`.
        """
        rows = [CORRELATED.index(one) for one in (POSE if name == "pose" else (name,))]
        return {
            "clips": int(self.defined[rows].max()),
            "frames": int(self.frames[rows].max()),
            "frames without a face": int(self.unread),
            "still": int(self.still[rows].sum()),
            "undefined": int(self.undefined[rows].sum()),
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            **self.landmarks,
            "correlation": "Pearson's, mean over clips; 0 for a generated signal that stands still",
            "clips": int(self.clips),
            f"clips with fewer than {LEAST_FRAMES} frames read": int(self.short),
            "frames without a face": int(self.unread),
            "still": dict(zip(CORRELATED, self.still.tolist(), strict=True)),
            "undefined": dict(zip(CORRELATED, self.undefined.tolist(), strict=True)),
        }


def _signals(motion: FaceMotion, known: np.ndarray) -> list[np.ndarray]:
    """The signals in the order of `CORRELATED`."""
    return [motion.mouth[known], motion.eyes[known], *motion.pose[known].T]


def _by_name(kind: str, values: Tensor) -> dict[str, Tensor]:
    return {f"{kind}: {name}": value for name, value in zip(POSE, values, strict=True)}
