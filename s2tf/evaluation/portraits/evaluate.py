"""Measures portraits of any system against the true faces: feature distances, retrieval, gender and age."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from s2tf.evaluation.clip_records import RecordFolder
from s2tf.evaluation.portraits.find_pairs import PicturePairs
from s2tf.evaluation.portraits.merge import Readings, merged
from s2tf.evaluation.portraits.read_picture import FURTHER, PORTRAIT, TRUE, FaceReaders, Picture
from s2tf.evaluation.process_share import Part
from s2tf.evaluation.result_files import CLIPS_FILE, FAILURES_FILE, write_rows
from s2tf.evaluation.scores import Scores


@dataclass(frozen=True)
class PictureTest:
    """What is compared, and by what.

    Args:
        name: Of the system, for reports.
        pairs: The pictures.
        readers: What reads them.
        part: This process's share.
    """

    name: str
    pairs: PicturePairs
    readers: FaceReaders
    part: Part = field(default_factory=Part)

    @property
    def pictures(self) -> list[Picture]:
        """All that are read; what belongs to no true picture is not."""
        pairs = self.pairs
        roles = {
            name: FURTHER if number else PORTRAIT for one in pairs.drawn.values() for number, name in enumerate(one)
        }
        return [
            *(Picture(TRUE, speech, path) for speech, path in pairs.true.items()),
            *(Picture(roles[name], name, pairs.made[name]) for name in sorted(roles)),
        ]


def evaluate_pictures(test: PictureTest, out: Path, report: Callable[[str], None]) -> Scores | None:
    """Read this process's share of the pictures, and measure all once the last is read.

    A picture in a folder of its own below the true ones' is of the person that the folder is named by, and its portrait
    of one speech of that person; others are of as many people. The first by name of several portraits of a speech is
    measured like a single one; diversity and consistency are of so many as all have that have several. The mean of
    the true pictures stands in the place of the mean face, and all of them are searched, whether a system
    has made a portrait or not.

    Args:
        test: What is compared.
        out: Folder of the records and of the results; what is there of the same measurement is not done again.
        report: Called with a line on how far it is.

    Returns:
        The scores, None while pictures of other processes are still missing.
    """
    records = RecordFolder(out, test.readers.measured)
    pictures = test.pictures
    # As they are at the beginning: one that changes meanwhile is read anew by the next start.
    versions = {one.key: one.version for one in pictures}
    mine = test.part.of(pictures)
    for number, picture in enumerate(mine, start=1):
        version = versions[picture.key]
        if wanted := records.missing(picture.key, version, retry=True):
            report(f"{escape(test.name)}: picture {number} of {len(mine)}")
            records.write(test.readers.record(picture, wanted), version)
    if any(records.missing(key, version) for key, version in versions.items()):
        return None
    readings = Readings()
    for picture in pictures:
        readings.add(picture, records.read(picture.key, versions[picture.key]))
    scores, rows = merged(test.name, test.pairs, test.readers, readings)
    write_rows(rows, out / CLIPS_FILE, ("clip", "person"))
    write_rows(scores.failures, out / FAILURES_FILE, ("clip", "what", "reason"))
    scores.write(out)
    return scores
