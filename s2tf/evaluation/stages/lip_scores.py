"""Lips drawn from speech against the true ones, and what they do in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.lips import mouth_opening
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.face_statistics import RANGE
from s2tf.metrics.landmark_distance import point_distance

CLOSED_SHARE = 0.25
"""Of the range of a speaker's opening: a mouth that is open less counts as closed."""
LEAST_RANGE = 0.01
"""Of a mouth that speaks, in outer-eye distances."""


@dataclass(frozen=True)
class LipClip:
    """Canonical lips of one clip, (T, 20, 2) each."""

    true: np.ndarray
    drawn: np.ndarray
    silent: np.ndarray
    """(S, 20, 2) drawn for the silence behind the speech."""
    wrong: np.ndarray | None = None
    """Drawn for the speech of another person, if there is one."""


def lip_scores(clips: Sequence[LipClip], protocol: dict[str, Any]) -> list[Measurement]:
    """The numbers, each beside that of the reference standing still or of another's speech."""
    drawn = mean_correlation((mouth_opening(clip.drawn), mouth_opening(clip.true)) for clip in clips)
    wrong = mean_correlation(
        (mouth_opening(clip.wrong), mouth_opening(clip.true)) for clip in clips if clip.wrong is not None
    )
    counts = {"clips": len(clips), "still": drawn.still, "undefined": drawn.undefined}
    error, still = (
        float(np.mean([point_distance(lips, clip.true).mean() for clip in clips for lips in [choose(clip)]]))
        for choose in (lambda clip: clip.drawn, lambda clip: clip.true[:1])
    )
    return [
        Measurement("mouth correlation", drawn.mean, protocol, wrong.mean, "another's speech", 1.0, counts=counts),
        Measurement("lip error", error, protocol, still, "the reference, still", 0.0, higher_is_better=False),
        _silence(clips, protocol),
    ]


def _silence(clips: Sequence[LipClip], protocol: dict[str, Any]) -> Measurement:
    """How far the mouth is open in silence: 0 as closed as the speaker's ever is, 1 as open, but for outliers."""
    silent, speaking = ([_in_range(getattr(clip, name), clip.true) for clip in clips] for name in ("silent", "drawn"))
    # Lips that cross in one clip do not make up for a mouth that stays open in another.
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


def _in_range(lips: np.ndarray, true: np.ndarray) -> float:
    closed, opened = np.percentile(mouth_opening(true), RANGE)
    if opened - closed < LEAST_RANGE:
        return float("nan")
    return float((mouth_opening(lips).mean() - closed) / (opened - closed))
