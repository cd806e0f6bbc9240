"""Measures portraits of any system against reference pictures: feature distances, retrieval, gender and age."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from s2tf.evaluation.clip_records import RecordFolder
from s2tf.evaluation.portraits.find_pairs import PicturePairs
from s2tf.evaluation.portraits.merge import COLUMNS, Readings, merge_readings
from s2tf.evaluation.portraits.read_picture import FURTHER, PORTRAIT, REFERENCE, FaceReaders, Picture
from s2tf.evaluation.process_share import Part
from s2tf.evaluation.result_files import write_results
from s2tf.evaluation.scores import Scores

Report = Callable[[str], None]


@dataclass(frozen=True)
class PortraitEvaluation:
    """One evaluation of portraits: the pictures, their readers, and the folder of the results.

    Args:
        name: Name of the system, for reports.
        pairs: Pictures.
        readers: Networks and services that read them.
        out: Folder of the records and the results; a picture with a record of the same reading is not read again.
        part: Part of the pictures that this process reads.
    """

    name: str
    pairs: PicturePairs
    readers: FaceReaders
    out: Path
    part: Part = field(default_factory=Part)

    @property
    def pictures(self) -> list[Picture]:
        """Pictures to read: all except portraits that belong to no reference."""
        pairs = self.pairs
        roles = {
            name: FURTHER if number else PORTRAIT for one in pairs.portraits.values() for number, name in enumerate(one)
        }
        return [
            *(Picture(REFERENCE, speech, path) for speech, path in pairs.references.items()),
            *(Picture(roles[name], name, pairs.generated[name]) for name in sorted(roles)),
        ]


def evaluate_portraits(evaluation: PortraitEvaluation, report: Report) -> Scores | None:
    """Read this process's part of the pictures, and measure all once the last is read.

    Reference pictures in a subfolder belong to the person that the subfolder names, one for each speech. Every
    other picture is a different person. The first portrait of a speech by name is measured. Diversity and consistency
    use the same number of portraits for every person: the smallest number among people with more than one. The mean of
    the reference pictures stands in for the mean face. Retrieval searches all reference pictures, including those
    without a portrait.

    Args:
        evaluation: Pictures, readers and the folder of the results.
        report: Function that is called with a line about the progress.

    Returns:
        The scores, or None while pictures of other processes are still missing.
    """
    records = RecordFolder(evaluation.out, evaluation.readers.measured)
    pictures = evaluation.pictures
    # The versions at the beginning: a file that changes meanwhile is read again by the next start.
    versions = {one.key: one.version for one in pictures}
    _read_part(evaluation, records, versions, report)
    if any(records.missing(key, version) for key, version in versions.items()):
        return None
    readings = Readings()
    for picture in pictures:
        readings.add(picture, records.read(picture.key, versions[picture.key]))
    scores, rows = merge_readings(evaluation.name, evaluation.pairs, evaluation.readers, readings)
    write_results(scores, rows, COLUMNS, evaluation.out)
    return scores


def _read_part(
    evaluation: PortraitEvaluation, records: RecordFolder, versions: Mapping[str, str], report: Report
) -> None:
    """Read the pictures in this process's part that have no record yet."""
    mine = evaluation.part.of(evaluation.pictures)
    for number, picture in enumerate(mine, start=1):
        version = versions[picture.key]
        if wanted := records.missing(picture.key, version, retry=True):
            report(f"{escape(evaluation.name)}: picture {number} of {len(mine)}")
            records.write(evaluation.readers.record(picture, wanted), version)
