"""Measures generated videos of any system against the true ones, clip by clip, and merges the clips' numbers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape

from s2tf import __version__
from s2tf.evaluation.clip_records import ClipRecord, RecordFolder
from s2tf.evaluation.process_share import Part
from s2tf.evaluation.progress import time_left
from s2tf.evaluation.result_files import CLIPS_FILE, FAILURES_FILE, fingerprint, write_rows
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.videos.find_pairs import Missing
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.measure_clip import measure_clip
from s2tf.evaluation.videos.pairs import ClipPair

KIND = "videos"
Report = Callable[[str], None]


@dataclass(frozen=True)
class VideoTest:
    """What is compared, and how.

    Args:
        pairs: In the order of their keys.
        missing: Clips without a partner.
        size: Side at which pictures are compared, pixels.
        name: Of the system, for reports.
        part: This process's share.
        random_weights: Of the system's networks, where they are known.
    """

    pairs: "Sequence[ClipPair]"
    missing: Mapping[str, Missing]
    size: int
    name: str
    part: Part = field(default_factory=Part)
    random_weights: Sequence[str] = ()
    drawn_by: str = ""
    """What has drawn the videos, where it is known."""

    @property
    def protocol(self) -> dict[str, Any]:
        """The alignment of the frames."""
        return {
            "frames": "of the same index at 25 a second, from the second on: the first is the source",
            "picture (px)": self.size,
            "resize": "to a square by OpenCV: area averages down, cubic up",
        }


def evaluate_videos(
    test: VideoTest,
    measures: "Sequence[VideoMeasure]",
    not_computed: Mapping[str, str],
    out: Path,
    report: Report,
) -> Scores | None:
    """Measure this process's share of the clips, and merge all shares once the last clip is done.

    Args:
        test: What is compared.
        measures: By what; none where nothing of what was asked for can be had.
        not_computed: Numbers that were asked for and cannot be had, with the reason.
        out: Folder of the records and of the results; what is there of the same measurement is not done again.
        report: Shows the progress.

    Returns:
        The scores, None while clips of other processes are still missing.
    """
    protocol = test.protocol | {f"{one.name}: {key}": value for one in measures for key, value in one.protocol.items()}
    records = RecordFolder(out, {one.name: _measured_by(one, test) for one in measures})
    # As they are at the beginning: one that changes meanwhile is measured anew by the next start.
    versions = {pair.key: _version(pair) for pair in test.pairs}
    mine = test.part.of(test.pairs)
    every_wanted = ((pair, records.missing(pair.key, versions[pair.key], retry=True)) for pair in mine)
    todo = [(pair, wanted) for pair, wanted in every_wanted if wanted]
    begun = time.monotonic()
    for number, (pair, wanted) in enumerate(todo):
        report(_how_far(number, len(todo), len(mine), time.monotonic() - begun, pair.key))
        chosen = [one for one in measures if one.name in wanted]
        records.write(measure_clip(pair, chosen, test.size), versions[pair.key])
    if any(records.missing(key, version) for key, version in versions.items()):
        return None
    every = (records.read(pair.key, versions[pair.key]) for pair in test.pairs if measures)
    scores = _merged(every, test, measures, not_computed, protocol, out)
    scores.write(out)
    return scores


def _how_far(number: int, todo: int, mine: int, seconds: float, key: str) -> str:
    """Of this process's clips, of which some were there when it began; `seconds` for the `number` since."""
    left = f", {time_left(seconds / number * (todo - number))}" if number else ""
    return f"{mine - todo + number} of {mine} clips done{left}: {escape(key)}"


def _version(pair: "ClipPair") -> str:
    """Of both videos; of one that has gone away since, nothing can be said."""
    try:
        return f"{pair.made.version} {pair.true.version}"
    except OSError:
        return "gone"


def _measured_by(measure: "VideoMeasure", test: VideoTest) -> dict[str, Any]:
    """What its numbers depend on beside the videos: with another of it they are measured anew.

    Of other versions than the record's too, so that those that a result names have computed all of it.
    """
    return {**test.protocol, **measure.protocol, "software": measure.software, "s2tf": __version__}


def _merged(
    records: Iterator[ClipRecord],
    test: VideoTest,
    measures: "Sequence[VideoMeasure]",
    not_computed: Mapping[str, str],
    protocol: Mapping[str, Any],
    out: Path,
) -> Scores:
    """The scores of all records, which come in the order of the keys, so that every process adds in the same order."""
    rows: dict[str, dict[str, Any]] = {
        key: {"clip": key} for key in sorted([*(pair.key for pair in test.pairs), *test.missing])
    }
    failures = [(key, "all", one.reason) for key, one in test.missing.items()]
    failed = dict.fromkeys((one.name for one in measures), len(test.missing))
    for record in records:
        row = rows[record.key]
        row |= {"frames": record.frames, "cut": record.cut}
        for measure in measures:
            if (state := record.states.get(measure.name)) is not None:
                measure.add(state)
                row |= measure.values(state)
            else:
                failed[measure.name] += 1
                failures.append((record.key, measure.name, record.failures[measure.name]))
    write_rows(list(rows.values()), out / CLIPS_FILE, ("clip", "frames", "cut"))
    listed = [dict(zip(("clip", "what", "reason"), one, strict=True)) for one in failures]
    write_rows(listed, out / FAILURES_FILE, ("clip", "what", "reason"))
    found = {measure.name: measure.measurements(failed[measure.name]) for measure in measures}
    measurements = [one for some in found.values() for one in some]
    empty = {name: f"no clip of {len(rows)} could be measured" for name, some in found.items() if not some}
    return Scores(
        KIND,
        test.name,
        measurements,
        {"clips": len(test.pairs) + len(test.missing), "references": _references(test), **protocol},
        [*test.random_weights, *(one.name for one in measures if one.random)],
        not_computed={**not_computed, **empty},
        warnings=[text for one in measures if found[one.name] for text in one.warnings],
        frames=_frames([row for row in rows.values() if "frames" in row]) if measures else {},
        drawn_by=test.drawn_by,
        failures=listed,
    )


def _frames(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of all clips that could be read, by the table of clips."""
    return {
        "in both videos": sum(row["frames"] for row in rows),
        "left out as the source": sum(row["frames"] > 0 for row in rows),
        "left out at the end": sum(abs(row["cut"]) for row in rows),
    }


def _references(test: VideoTest) -> str:
    """Of all true videos, whether a system has made something of them or not."""
    true = {pair.key: pair.true for pair in test.pairs}
    return fingerprint(true | {key: one.true for key, one in test.missing.items() if one.true is not None})
