"""How lively a face is: blinks, head and mouth of clips, and how they go with the true ones."""

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
"""Percentiles between which a speaker's openings range."""
LEAST_FRAMES = 10
"""Frames that a correlation needs."""
POSE_UNITS = "centre in picture units (2 is the side), log scale, roll in radians, nose in outer-eye distances"
CORRELATED = ("mouth", "eyes", *POSE)


def pose_steps(pose: np.ndarray) -> np.ndarray:
    """(T - 1, 6) by how much the pose (T, 6) changes from frame to frame; NaN beside a frame that was not read."""
    return np.abs(np.diff(pose, axis=0))


class FaceStatistics(Metric):
    """What the faces of clips do; one of these is for made clips, another for the true ones.

    `blinks per minute` as `s2tf.metrics.blinks.count_blinks` counts them; `mouth range`, between the percentiles
    5 and 95 of a clip's opening, in outer-eye distances; and for each value of `s2tf.faces.lips.head_pose`
    `pose step: NAME`, the mean absolute change from a frame to the next, and `pose deviation: NAME`, the standard
    deviation within a clip, in the value's unit. Range and deviation are means over clips, of which each counts alike.
    Frames that could not be read are left out, and so are clips with fewer than ten others.

    Args:
        landmarks: the protocol of what read the faces: part of the numbers.
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
        """Add a clip at 25 frames a second."""
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
        """How the numbers were measured."""
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
    """How the motion of made clips goes with the true one: the mean over clips of Pearson's correlation.

    Of the opening of `mouth` and `eyes` and of each value of the pose, by its name, and `pose`, the mean of those six.
    A made signal that stands still counts as 0, a true one leaves its clip out of that mean; see
    `s2tf.metrics.correlation`. The frames in which either face could not be read are left out, and clips with fewer
    than ten others.

    Args:
        landmarks: the protocol of what read the faces: part of the numbers.
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

    def update(self, made: FaceMotion, true: FaceMotion) -> None:
        """Add a clip and the true one.

        Raises:
            ValueError: they differ in length.
        """
        if len(made.mouth) != len(true.mouth):
            raise ValueError(f"{len(made.mouth)} made frames against {len(true.mouth)} true ones: expected as many")
        known = made.known & true.known
        self.unread += int((~known).sum())
        if known.sum() < LEAST_FRAMES:
            self.short += 1
            return
        self.clips += 1
        for index, pair in enumerate(zip(_signals(made, known), _signals(true, known), strict=True)):
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
        """What went into a mean of `compute` and what did not; those of `pose` are over its six values together.

        `clips` and `frames` in which the true signal moves (of `pose`: of the value with the most), `frames without a
        face` in either video, clips whose made signal is `still` and counts as 0, and `undefined` ones, left out since
        the true signal is still.
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
        """How the numbers were measured."""
        return {
            **self.landmarks,
            "correlation": "Pearson's, mean over clips; 0 for a made signal that stands still",
            "clips": int(self.clips),
            f"clips with fewer than {LEAST_FRAMES} frames read": int(self.short),
            "frames without a face": int(self.unread),
            "still": dict(zip(CORRELATED, self.still.tolist(), strict=True)),
            "undefined": dict(zip(CORRELATED, self.undefined.tolist(), strict=True)),
        }


def _signals(motion: FaceMotion, known: np.ndarray) -> list[np.ndarray]:
    """In the order of `CORRELATED`."""
    return [motion.mouth[known], motion.eyes[known], *motion.pose[known].T]


def _by_name(kind: str, values: Tensor) -> dict[str, Tensor]:
    return {f"{kind}: {name}": value for name, value in zip(POSE, values, strict=True)}
