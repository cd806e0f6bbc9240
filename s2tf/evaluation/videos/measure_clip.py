"""Measures one pair of videos, whatever may be wrong with it."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.pairs import Alignment, ClipPair, aligned_runs

FRAMES_AT_ONCE = 16
"""Of a pair of videos: what is in memory of them."""


def measure_clip(pair: "ClipPair", measures: "Sequence[VideoMeasure]", size: int) -> ClipRecord:
    """The measures of one clip; what fails is in the record with its reason."""
    failures: dict[str, str] = {}
    passing: set[str] = set()
    alignment = Alignment()

    def attempt(measure: "VideoMeasure", step: "Callable[..., Any]", *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except (ValueError, RuntimeError, cv2.error) as error:
            # Of the clip, if it is its value; else of the machine, such as a full memory.
            if not isinstance(error, ValueError):
                passing.add(measure.name)
            failures[measure.name] = str(error) or type(error).__name__
            return None

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
    return ClipRecord(pair.key, alignment.frames, alignment.cut, states, failures, passing)
