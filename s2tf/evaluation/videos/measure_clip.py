"""Measures one pair of videos; a failure becomes part of its record."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.pairs import Alignment, ClipPair, aligned_runs

FRAMES_AT_ONCE = 16
"""Number of frames of each video that are in memory at the same time."""


def measure_clip(pair: ClipPair, measures: Sequence[VideoMeasure], size: int) -> ClipRecord:
    """Measure one clip.

    Args:
        pair: The two videos.
        measures: Measures that all read the same pass over the frames.
        size: Side at which pictures are compared, pixels.

    Returns:
        The record of the clip, with the reason of each failure.
    """
    failures: dict[str, str] = {}
    retry: set[str] = set()
    alignment = Alignment()

    def attempt(measure: VideoMeasure, step: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except (ValueError, RuntimeError, cv2.error) as error:
            # A ValueError comes from the clip, other errors from the machine, such as full memory.
            if not isinstance(error, ValueError):
                retry.add(measure.name)
            failures[measure.name] = str(error) or type(error).__name__
            return None

    # Read the frames once, for all measures that have not failed.
    try:
        for measure in measures:
            attempt(measure, measure.begin, pair)
        for run in aligned_runs(pair, size, FRAMES_AT_ONCE, alignment):
            for measure in measures:
                if measure.name not in failures:
                    attempt(measure, measure.update, run)
    except (ValueError, OSError) as error:
        reasons = {measure.name: str(error) for measure in measures}
        return ClipRecord(pair.key, failures=reasons, retry=reasons if isinstance(error, OSError) else ())
    states = {
        measure.name: state
        for measure in measures
        if measure.name not in failures and (state := attempt(measure, measure.end)) is not None
    }
    return ClipRecord(pair.key, alignment.frames, alignment.cut, states, failures, retry)
