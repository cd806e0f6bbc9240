"""Numbers of the motion that is visible in generated videos: blinks, and the spectrum of the head's motion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2tf.demo.results import Results
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.stages.motion_scores import MotionClip, MotionScores, Signals
from s2tf.faces.motion import FaceMotion, MotionFinder
from s2tf.media.audio import FPS
from s2tf.metrics.blinks import count_blinks

PLACEMENT = 4
"""Values of the head's pose that are its placement: centre, scale and roll."""
SHARES = tuple(share / 100 for share in range(50, 96, 5))
"""Shares of the median opening, one of which is the reader's limit between open and closed eyes."""


def motion_targets(results: Results, finder: MotionFinder) -> list[Measurement]:
    """Measure blinks and the head's motion in generated videos, beside the reference videos read by the same reader.

    Args:
        results: The unseen speakers with their videos.
        finder: Reader of the faces.
    """
    clips = []
    for speaker in results.speakers:
        reference, generated = (_signals(finder.read(video)) for video in (speaker.frames, speaker.generated))
        known = _signals(FaceMotion.of_landmarks(speaker.landmarks, speaker.frames.shape[1]))
        clips.append(MotionClip(landmarks=known, reference=reference, generated=[generated]))
    protocol = {**finder.protocol, "read": "off the frames of the videos"}
    head = [one for one in MotionScores(clips).measurements(protocol) if one.name.startswith("head ")]
    return [blinks([(one.landmarks.eyes, one.reference.eyes, one.generated[0].eyes) for one in clips], protocol), *head]


def blinks(clips: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], protocol: Mapping[str, Any]) -> Measurement:
    """Count the blinks of generated videos, by the limit with which the reader finds those of the reference videos.

    A reader of small pictures sees a closing eye as a shallow dip, so that half of the median would find none.

    Args:
        clips: Opening of the eyes of each clip: by the landmarks, read in the reference, read in the generated video.
        protocol: The reader's protocol.
    """
    landmarks, reference, generated = zip(*clips, strict=True)
    true = sum(map(count_blinks, landmarks))
    share = min(SHARES, key=lambda one: abs(sum(count_blinks(eyes, one) for eyes in reference) - true))
    found, seen, known = (
        sum(count_blinks(eyes, limit) for eyes in signals) / sum(map(len, signals)) * FPS * 60
        for signals, limit in ((generated, share), (reference, share), (landmarks, SHARES[0]))
    )
    rule = f"eyes below {share:g} of their median, the limit that counts the reference's blinks best"
    record = {**protocol, "blink": rule, "blinks per minute of the landmarks": round(known, 2)}
    counts = {"clips": len(clips), "frames": sum(map(len, generated))}
    return Measurement(
        "blinks per minute", found, record, 0.0, "a still face", seen, higher_is_better=None, counts=counts
    )


def _signals(motion: FaceMotion) -> Signals:
    return Signals(motion.mouth, motion.eyes, np.ascontiguousarray(motion.pose[:, :PLACEMENT]))
