"""Measures portraits of any system against the true faces: feature distances, retrieval, gender and age."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.clip_records import ClipRecord, RecordFolder
from s2tf.commands.evaluate_videos import CLIPS_FILE, FAILURES_FILE, fingerprint, write_rows
from s2tf.commands.evaluation import Scores
from s2tf.commands.parts import Part
from s2tf.commands.picture_pairs import PicturePairs, person_of
from s2tf.commands.picture_records import (
    ATTRIBUTES,
    FACES,
    FURTHER,
    PORTRAIT,
    TRUE,
    FaceReaders,
    Picture,
    attributes_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from s2tf.metrics.attributes import Attributes
    from s2tf.metrics.portrait_scores import PortraitReadings
    from s2tf.metrics.protocol import Measurement

KIND = "portraits"
DIVERSITY = "diversity"
"""What fails where a further portrait of a speech does."""

Row = dict[str, Any]


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


@dataclass
class Readings:
    """What the records say of all pictures, by their roles and names; of those that failed only why."""

    features: "dict[tuple[str, str], Tensor]" = field(default_factory=dict)
    attributes: "dict[tuple[str, str], Attributes | None]" = field(default_factory=dict)
    failed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """Why, by measure."""
    total: Any = 0.0
    """The sum of the true pictures."""
    summed: int = 0

    def add(self, picture: Picture, record: ClipRecord) -> None:
        """Take what a picture's record says."""
        key = picture.role, picture.name
        self.failed[key] = dict(record.failures)
        if (state := record.states.get(FACES)) is not None:
            self.features[key] = state["features"]
            if picture.role == TRUE:
                self.total = self.total + state["picture"].double()
                self.summed += 1
        if ATTRIBUTES in record.states and picture.role != FURTHER:
            self.attributes[key] = attributes_of(record)


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
    from rich.markup import escape

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
    scores, rows = _merged(test, readings)
    write_rows(rows, out / CLIPS_FILE, ("clip", "person"))
    write_rows(scores.failures, out / FAILURES_FILE, ("clip", "what", "reason"))
    scores.write(out)
    return scores


def _merged(test: PictureTest, readings: Readings) -> tuple[Scores, list[Row]]:
    """The scores, and a row for each speech that has a portrait; in the order of the names, whoever has read them."""
    from s2tf.metrics.video_pairs import SourceFile

    pairs, readers = test.pairs, test.readers
    found = _measured(pairs, readings)
    clips = len(pairs.true) + len(pairs.lost)
    protocol: dict[str, Any] = {
        "clips": clips,
        "references": fingerprint({speech: SourceFile(path) for speech, path in pairs.true.items()}),
        "faces": dict(readers.faces.protocol),
        "people": len(pairs.people),
    }
    measurements = _measurements(found, readings, readers, protocol) if found.keys else []
    absent = {} if found.keys else {FACES: f"none of {clips} portraits could be measured"}
    if readers.attributes is not None and not {"gender", "age"} & {one.name for one in measurements}:
        absent[ATTRIBUTES] = f"neither gender nor age is known of any of {clips} true pictures with a portrait"
    scores = Scores(
        KIND,
        test.name,
        [replace(one, counts={**one.counts, "failed": clips - len(found.keys)}) for one in measurements],
        protocol,
        [],
        not_computed=absent,
        packages=readers.packages,
        failures=[dict(zip(("clip", "what", "reason"), one, strict=True)) for one in _failures(pairs, readings)],
    )
    return scores, _rows(pairs, found, readings)


def _measured(pairs: PicturePairs, readings: Readings) -> "PortraitReadings":
    """Of the speeches whose true picture and first portrait could be read."""
    from s2tf.metrics.attributes import Attributes
    from s2tf.metrics.portrait_scores import PortraitReadings

    found, people = PortraitReadings(), pairs.people
    for speech in pairs.true:
        true, person = readings.features.get((TRUE, speech)), people.index(person_of(speech))
        made = readings.features.get((PORTRAIT, pairs.drawn[speech][0])) if speech in pairs.drawn else None
        if true is not None and made is None:
            found.only_searched.append((person, true))
        elif true is not None and made is not None:
            found.keys.append(speech)
            found.identities.append(person)
            found.labels.append(Attributes())
            found.generated.append(made)
            found.true.append(true)
            found.other.append(None)
            read, read_true = _attributes(readings, speech, pairs.drawn[speech][0])
            found.read.append(read)
            found.read_true.append(read_true)
            found.read_other.append(None)
    found.varied = _varied(pairs, readings)
    return found


def _attributes(readings: Readings, speech: str, portrait: str) -> "tuple[Attributes | None, Attributes | None]":
    """Of portrait and true picture; where one of them could not be read, nothing is known, and nothing counts."""
    from s2tf.metrics.attributes import Attributes

    keys = (PORTRAIT, portrait), (TRUE, speech)
    if not all(key in readings.attributes for key in keys):
        return Attributes(), None
    return readings.attributes[keys[0]], readings.attributes[keys[1]]


def _varied(pairs: PicturePairs, readings: Readings) -> "list[Tensor]":
    """Features (N, D) of N portraits of a speech of each person: the first that has several; N is the least of all."""
    import torch

    first: dict[str, list[Tensor]] = {}
    for speech in sorted(pairs.drawn):
        keys = [(FURTHER if number else PORTRAIT, name) for number, name in enumerate(pairs.drawn[speech])]
        features = [readings.features[key] for key in keys if key in readings.features]
        if len(features) > 1:
            first.setdefault(person_of(speech), features)
    count = min(map(len, first.values()), default=0)
    return [torch.stack(features[:count]) for features in first.values()]


def _measurements(
    found: "PortraitReadings", readings: Readings, readers: FaceReaders, protocol: Mapping[str, Any]
) -> "list[Measurement]":
    import numpy as np

    from s2tf.metrics.portrait_scores import portrait_scores

    mean = (readings.total / readings.summed).numpy().round().astype(np.uint8)
    reader = readers.attributes.protocol if readers.attributes is not None else None
    return portrait_scores(found, readers.faces.embed(mean[None]), readers.faces.protocol, reader, protocol)


def _failures(pairs: PicturePairs, readings: Readings) -> Iterator[tuple[str, str, str]]:
    """Clip, what and reason, in the order of the clips."""
    for speech, path in pairs.true.items():
        if speech not in pairs.drawn:
            yield speech, "all", f"no portrait for {path}"
        yield from _failed(speech, readings.failed[TRUE, speech])
        for number, name in enumerate(pairs.drawn.get(speech, ())):
            if number:
                yield from _failed(name, readings.failed[FURTHER, name], DIVERSITY)
            else:
                yield from _failed(speech, readings.failed[PORTRAIT, name])
    for name in pairs.lost:
        yield name, "all", f"no true picture for {pairs.made[name]}"


def _failed(clip: str, reasons: Mapping[str, str], what: str = "all") -> Iterator[tuple[str, str, str]]:
    """Without its features a picture is of no use, without gender and age it is."""
    if FACES in reasons:
        yield clip, what, reasons[FACES]
    elif ATTRIBUTES in reasons:
        yield clip, ATTRIBUTES, reasons[ATTRIBUTES]


def _rows(pairs: PicturePairs, found: "PortraitReadings", readings: Readings) -> list[Row]:
    """One for each speech that has a portrait; without numbers where it failed."""
    numbers = dict(zip(found.keys, _numbers(found), strict=True))
    rows: list[Row] = []
    for speech in sorted(pairs.drawn):
        row = {"clip": speech, "person": person_of(speech), **numbers.get(speech, {})}
        if speech in numbers:
            row |= _told(readings, "", (PORTRAIT, pairs.drawn[speech][0]))
            row |= _told(readings, "true ", (TRUE, speech))
        rows.append(row)
    return rows


def _numbers(found: "PortraitReadings") -> Iterable[Row]:
    """Distances and rank of each."""
    import torch

    from s2tf.metrics.portrait import feature_distances
    from s2tf.metrics.portrait_scores import retrieval_ranks

    if not found.keys:
        return
    distances = feature_distances(torch.stack(found.generated), torch.stack(found.true))
    columns = {name: values.tolist() for name, values in distances.items()}
    for number, rank in enumerate(retrieval_ranks(found)):
        yield {**{name: values[number] for name, values in columns.items()}, "rank": rank}


def _told(readings: Readings, prefix: str, key: tuple[str, str]) -> Row:
    """Gender and age; empty where no face was found, and no column where nothing reads them."""
    if key not in readings.attributes:
        return {}
    read = readings.attributes[key]
    values = ("", "") if read is None else (read.gender, read.age)
    return {f"{prefix}gender": values[0], f"{prefix}age": values[1]}
