"""Correlations of the head's pose, over the values that can be measured."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.lips import POSE
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.correlation import mean_correlation


def pose_correlations(pairs: Sequence[tuple[FaceMotion, FaceMotion]]) -> dict[str, float]:
    """Compute the correlation of each value of the pose between the first and the second motion of the pairs."""
    return {
        name: mean_correlation((first.pose[:, index], second.pose[:, index]) for first, second in pairs).mean
        for index, name in enumerate(POSE)
    }


def mean_of(values: Mapping[str, float], names: Sequence[str]) -> float:
    """Compute the mean of the named values; NaN if no name is given."""
    return float(np.mean([values[name] for name in names])) if names else math.nan


def pose_measurement(
    name: str,
    correlations: Mapping[str, float],
    readable: Sequence[str],
    protocol: Mapping[str, object],
    baseline: str,
    truth: float | None = None,
) -> Measurement:
    """Measure the mean correlation of the readable values; the protocol records each of them."""
    each = {f"pose: {key}": round(value, 3) for key, value in correlations.items()}
    record = {**protocol, "pose: those counted": ", ".join(readable), **each}
    return Measurement(name, mean_of(correlations, readable), record, 0.0, baseline, truth)


def without_lips(motion: FaceMotion, known: np.ndarray) -> FaceMotion:
    """Select the known frames without their lips, so that each clip keeps little memory."""
    return FaceMotion(motion.lips[known, :0], motion.mouth[known], motion.eyes[known], motion.pose[known])
