"""Measures generated videos of any system against the references, clip by clip, and merges the clips' numbers."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.markup import escape

from s2tf import __version__
from s2tf.evaluation.clip_records import RecordFolder
from s2tf.evaluation.progress import time_left
from s2tf.evaluation.result_files import write_results
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.sources import GONE
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.measure_clip import measure_clip
from s2tf.evaluation.videos.merge import COLUMNS, merge_records
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.evaluation.videos.request import VideoEvaluation

Report = Callable[[str], None]


def evaluate_videos(evaluation: VideoEvaluation, report: Report) -> Scores | None:
    """Measure this process's part of the clips, and merge all parts once the last clip is done.

    Args:
        evaluation: Clips, measures and the folder of the results.
        report: Function that is called with a line about the progress.

    Returns:
        The scores, or None while clips of other processes are still missing.
    """
    measured = {one.name: _measurement_of(one, evaluation) for one in evaluation.measures}
    records = RecordFolder(evaluation.out, measured)
    # The versions at the beginning: a file that changes meanwhile is measured again by the next start.
    versions = {pair.key: _version(pair) for pair in evaluation.pairs}
    _measure_part(evaluation, records, versions, report)
    if any(records.missing(key, version) for key, version in versions.items()):
        return None
    # Sorted by key, so that every process adds in the same order.
    every = (records.read(pair.key, versions[pair.key]) for pair in evaluation.pairs if evaluation.measures)
    scores, rows = merge_records(evaluation, every)
    write_results(scores, rows, COLUMNS, evaluation.out)
    return scores


def _measure_part(
    evaluation: VideoEvaluation, records: RecordFolder, versions: Mapping[str, str], report: Report
) -> None:
    """Measure the clips in this process's part that have no record yet."""
    mine = evaluation.part.of(evaluation.pairs)
    missing = {pair.key: records.missing(pair.key, versions[pair.key], retry=True) for pair in mine}
    todo = [pair for pair in mine if missing[pair.key]]
    begun = time.monotonic()
    for number, pair in enumerate(todo):
        report(_progress(number, len(todo), len(mine), time.monotonic() - begun, pair.key))
        chosen = [one for one in evaluation.measures if one.name in missing[pair.key]]
        records.write(measure_clip(pair, chosen, evaluation.size), versions[pair.key])


def _progress(number: int, todo: int, mine: int, seconds: float, key: str) -> str:
    """Describe the progress, such as `3 of 4 clips done, about 2 s left: d`.

    Args:
        number: Clips measured since the beginning.
        todo: Clips that had no record at the beginning.
        mine: Clips of this process.
        seconds: Time since the beginning.
        key: Key of the next clip.
    """
    left = f", {time_left(seconds / number * (todo - number))}" if number else ""
    return f"{mine - todo + number} of {mine} clips done{left}: {escape(key)}"


def _version(pair: ClipPair) -> str:
    try:
        return f"{pair.generated.version} {pair.reference.version}"
    except OSError:
        return GONE


def _measurement_of(measure: VideoMeasure, evaluation: VideoEvaluation) -> dict[str, Any]:
    """Collect everything except the videos on which a record depends: if a value changes, the clip is measured again.

    This includes the versions, so that the versions in a result have computed all of it.
    """
    return {**evaluation.alignment, **measure.protocol, "software": measure.software, "s2tf": __version__}
