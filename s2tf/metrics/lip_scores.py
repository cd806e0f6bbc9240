"""Lips drawn from speech against the true ones, and what they do in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2tf.media.lips import mouth_opening
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.protocol import Measurement

CLOSED_SHARE = 0.25
"""Of the opening in speech: a mouth that is open less in silence counts as closed."""


@dataclass(frozen=True)
class LipClip:
    """Canonical lips of one clip, (T, 20, 2) each."""

    true: np.ndarray
    drawn: np.ndarray
    silent: np.ndarray
    """(S, 20, 2) drawn for the silence behind the speech."""
    wrong: np.ndarray
    """Drawn for another clip's speech."""


def lip_scores(clips: Sequence[LipClip], protocol: dict[str, Any]) -> list[Measurement]:
    """The numbers, each beside that of the reference standing still or of another's speech."""
    drawn, wrong = (
        mean_correlation((mouth_opening(getattr(clip, name)), mouth_opening(clip.true)) for clip in clips)
        for name in ("drawn", "wrong")
    )
    counts = {"clips": len(clips), "still": drawn.still, "undefined": drawn.undefined}
    error, still = (
        float(np.mean([np.linalg.norm(lips - clip.true, axis=-1).mean() for clip in clips for lips in [choose(clip)]]))
        for choose in (lambda clip: clip.drawn, lambda clip: clip.true[:1])
    )
    return [
        Measurement("mouth correlation", drawn.mean, protocol, wrong.mean, "another's speech", 1.0, counts=counts),
        Measurement("lip error", error, protocol, still, "the reference, still", 0.0, higher_is_better=False),
        _silence(clips, protocol),
    ]


def _silence(clips: Sequence[LipClip], protocol: dict[str, Any]) -> Measurement:
    """The mouth's opening in silence, of that in speech; closed is where a speaker's mouth is at its least."""
    shares = []
    for clip in clips:
        closed = min(mouth_opening(clip.true).min(), mouth_opening(clip.drawn).min())
        speaking = mouth_opening(clip.drawn).mean() - closed
        shares.append((mouth_opening(clip.silent).mean() - closed) / speaking if speaking > 0 else np.nan)
    known = [share for share in shares if np.isfinite(share)]
    return Measurement(
        "opening in silence, of that in speech",
        float(np.mean(known)) if known else np.nan,
        {**protocol, "opening": "beyond the least of the clip"},
        1.0,
        "as in speech",
        target=CLOSED_SHARE,
        target_rule="a quarter of the opening in speech",
        higher_is_better=False,
        counts={"clips": len(known), "still": len(shares) - len(known)},
    )
