"""Merges the records of all clips into scores, failures and the table of clips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.result_files import FAILURE_COLUMNS
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.sources import fingerprint
from s2tf.evaluation.videos.request import VideoEvaluation

KIND = "videos"
COLUMNS = ("clip", "frames", "cut")
"""First columns of the table of clips."""
Row = dict[str, Any]


@dataclass(frozen=True)
class _Totals:
    """Numbers and failures of all clips, after every clip was added to the measures."""

    rows: list[Row]
    failures: list[tuple[str, str, str]]
    """Clip, measure and reason."""
    failed: Mapping[str, int]
    """Number of clips that failed, by measure."""


def merge_records(evaluation: VideoEvaluation, records: Iterable[ClipRecord]) -> tuple[Scores, list[Row]]:
    """Merge the records of all clips.

    Args:
        evaluation: Clips and measures; the clips are added to the measures.
        records: Records of all pairs, in the order of their keys.

    Returns:
        The scores, and a row for each clip.
    """
    totals = _add_all(evaluation, records)
    found = {one.name: one.measurements(totals.failed[one.name]) for one in evaluation.measures}
    return _scores(evaluation, totals, found), totals.rows


def _add_all(evaluation: VideoEvaluation, records: Iterable[ClipRecord]) -> _Totals:
    keys = sorted([*(pair.key for pair in evaluation.pairs), *evaluation.missing])
    rows: dict[str, Row] = {key: {"clip": key} for key in keys}
    failures = [(key, "all", one.reason) for key, one in evaluation.missing.items()]
    failed = dict.fromkeys((one.name for one in evaluation.measures), len(evaluation.missing))
    for record in records:
        row = rows[record.key]
        row |= {"frames": record.frames, "cut": record.cut}
        for measure in evaluation.measures:
            if (state := record.states.get(measure.name)) is not None:
                measure.add(state)
                row |= measure.values(state)
            else:
                failed[measure.name] += 1
                failures.append((record.key, measure.name, record.failures[measure.name]))
    return _Totals(list(rows.values()), failures, failed)


def _scores(evaluation: VideoEvaluation, totals: _Totals, found: Mapping[str, Sequence[Measurement]]) -> Scores:
    clips, measures = len(totals.rows), evaluation.measures
    empty = {name: f"no clip of {clips} could be measured" for name, some in found.items() if not some}
    return Scores(
        KIND,
        evaluation.name,
        [one for some in found.values() for one in some],
        {"clips": clips, "references": _references(evaluation), **evaluation.protocol},
        [*evaluation.random_weights, *(one.name for one in measures if one.random)],
        not_computed={**evaluation.opened.not_computed, **empty},
        warnings=[text for one in measures if found[one.name] for text in one.warnings],
        frames=_frames([row for row in totals.rows if "frames" in row]) if measures else {},
        generator=evaluation.generator,
        system=evaluation.system,
        datasets=evaluation.datasets,
        failures=[dict(zip(FAILURE_COLUMNS, one, strict=True)) for one in totals.failures],
    )


def _frames(rows: Sequence[Row]) -> dict[str, int]:
    """Count the frames of all clips that could be read."""
    return {
        "in both videos": sum(row["frames"] for row in rows),
        "left out as the source": sum(row["frames"] > 0 for row in rows),
        "left out at the end": sum(abs(row["cut"]) for row in rows),
    }


def _references(evaluation: VideoEvaluation) -> str:
    """Hash all references, including those without a generated video."""
    references = {pair.key: pair.reference for pair in evaluation.pairs}
    missing = {key: one.reference for key, one in evaluation.missing.items() if one.reference is not None}
    return fingerprint(references | missing)
