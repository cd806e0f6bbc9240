"""Scores of generated lips against the reference, and of the mouth in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2tf.evaluation.measurement import Measurement
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.face_statistics import RANGE
from s2tf.metrics.landmark_distance import point_distance
from s2tf.nn.lips import mouth_opening

CLOSED_SHARE = 0.25
"""Share of the range of a speaker's opening below which a mouth counts as closed."""
LEAST_RANGE = 0.01
"""Smallest range of opening of a speaking mouth, in outer-eye distances."""


@dataclass(frozen=True)
class LipClip:
    """Canonical lips of one clip, (T, 20, 2) each."""

    reference: np.ndarray
    generated: np.ndarray
    silent: np.ndarray
    """(S, 20, 2) generated for the silence after the speech."""
    wrong: np.ndarray | None = None
    """Generated for the speech of another person, if there is one."""


def lip_scores(clips: Sequence[LipClip], protocol: dict[str, Any]) -> list[Measurement]:
    """Compute the numbers, each beside its baseline: frame 0 standing still, or another person's speech."""
    generated = mean_correlation((mouth_opening(clip.generated), mouth_opening(clip.reference)) for clip in clips)
    wrong = mean_correlation(
        (mouth_opening(clip.wrong), mouth_opening(clip.reference)) for clip in clips if clip.wrong is not None
    )
    counts = {"clips": len(clips), "still": generated.still, "undefined": generated.undefined}
    error, still = (
        float(np.mean([point_distance(choose(clip), clip.reference).mean() for clip in clips]))
        for choose in (lambda clip: clip.generated, lambda clip: clip.reference[:1])
    )
    return [
        Measurement("mouth correlation", generated.mean, protocol, wrong.mean, "another's speech", 1.0, counts=counts),
        Measurement("lip error", error, protocol, still, "the reference, still", 0.0, higher_is_better=False),
        _silence(clips, protocol),
    ]


def _silence(clips: Sequence[LipClip], protocol: dict[str, Any]) -> Measurement:
    """Measure the mouth's opening in silence as a share of the speaker's own range: 0 closed, 1 open."""
    silent, speaking = (
        [_in_range(getattr(clip, name), clip.reference) for clip in clips] for name in ("silent", "generated")
    )
    # Clipped at 0, so that crossed lips in one clip do not compensate for an open mouth in another.
    known = [max(value, 0.0) for value in silent if np.isfinite(value)]
    return Measurement(
        "opening in silence, in the speaker's range",
        float(np.mean(known)) if known else np.nan,
        {**protocol, "range": f"percentiles {RANGE[0]} to {RANGE[1]} of the true opening"},
        float(np.mean([value for value in speaking if np.isfinite(value)])) if known else None,
        "while speaking",
        target=CLOSED_SHARE,
        target_rule="a quarter of the range",
        higher_is_better=False,
        counts={"clips": len(known), "still": len(silent) - len(known)},
    )


def _in_range(lips: np.ndarray, reference: np.ndarray) -> float:
    """Compute the mean opening of `lips` within the reference's range; NaN if the reference does not move."""
    closed, opened = np.percentile(mouth_opening(reference), RANGE)
    if opened - closed < LEAST_RANGE:
        return float("nan")
    return float((mouth_opening(lips).mean() - closed) / (opened - closed))
