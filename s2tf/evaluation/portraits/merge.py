"""From what was read off portraits and true pictures to scores, failures and the table of clips."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.portraits.find_pairs import PicturePairs, person_of
from s2tf.evaluation.portraits.read_picture import (
    ATTRIBUTES,
    FACES,
    FURTHER,
    PORTRAIT,
    TRUE,
    FaceReaders,
    Picture,
    attributes_of,
)
from s2tf.evaluation.portraits.scores import PortraitReadings, portrait_scores, retrieval_ranks
from s2tf.evaluation.result_files import fingerprint
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.videos.sources import SourceFile
from s2tf.faces.attributes import Attributes
from s2tf.metrics.portrait import feature_distances

KIND = "portraits"
DIVERSITY = "diversity"
"""What fails where a further portrait of a speech does."""

Row = dict[str, Any]


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


def merged(name: str, pairs: PicturePairs, readers: FaceReaders, readings: Readings) -> tuple[Scores, list[Row]]:
    """The scores, and a row for each speech that has a portrait; in the order of the names, whoever has read them.

    Args:
        name: Of the system.
        pairs: The pictures.
        readers: What has read them.
        readings: What they have read.
    """
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
        name,
        [_with_failed(one, clips - len(found.keys), _unread(pairs, found, readings)) for one in measurements],
        protocol,
        [],
        not_computed=absent,
        packages=readers.packages,
        failures=[dict(zip(("clip", "what", "reason"), one, strict=True)) for one in _failures(pairs, readings)],
    )
    return scores, _rows(pairs, found, readings)


def _with_failed(one: "Measurement", failed: int, unread: int) -> "Measurement":
    """With the clips that it leaves out in its counts; `unread`: beside them, those without gender and age."""
    return replace(one, counts={**one.counts, "failed": failed + (unread if one.name in ("gender", "age") else 0)})


def _unread(pairs: PicturePairs, found: "PortraitReadings", readings: Readings) -> int:
    return sum(not _has_attributes(readings, speech, pairs.drawn[speech][0]) for speech in found.keys)


def _measured(pairs: PicturePairs, readings: Readings) -> "PortraitReadings":
    """Of the speeches whose true picture and first portrait could be read."""
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
    if not _has_attributes(readings, speech, portrait):
        return Attributes(), None
    return readings.attributes[PORTRAIT, portrait], readings.attributes[TRUE, speech]


def _has_attributes(readings: Readings, speech: str, portrait: str) -> bool:
    """Whether both could be read, be it that there is no face."""
    return all(key in readings.attributes for key in ((PORTRAIT, portrait), (TRUE, speech)))


def _varied(pairs: PicturePairs, readings: Readings) -> "list[Tensor]":
    """Features (N, D) of N portraits of a speech of each person: the first that has several; N is the least of all."""
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


def _numbers(found: "PortraitReadings") -> Iterator[Row]:
    """Distances and rank of each."""
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
