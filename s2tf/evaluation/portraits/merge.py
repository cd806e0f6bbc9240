"""Merges the readings of portraits and reference pictures into scores, failures and the table of clips."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.portraits.find_pairs import PicturePairs, person_of
from s2tf.evaluation.portraits.network_scores import network_scores, readings_of
from s2tf.evaluation.portraits.read_picture import (
    ATTRIBUTES,
    FACES,
    FURTHER,
    PORTRAIT,
    REFERENCE,
    FaceReaders,
    Picture,
    attributes_of,
)
from s2tf.evaluation.portraits.scores import PortraitReadings, retrieval_ranks
from s2tf.evaluation.result_files import FAILURE_COLUMNS
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.sources import SourceFile, fingerprint
from s2tf.faces.attributes import Attributes
from s2tf.media.picture_modes import MID_GREY
from s2tf.metrics.portrait import feature_distances

KIND = "portraits"
DIVERSITY = "diversity"
"""Name under which the failure of a second or later portrait of a speech is listed."""
COLUMNS = ("clip", "person")
"""First columns of the table of clips."""

Row = dict[str, Any]


@dataclass
class Readings:
    """Readings of all pictures, by role and name."""

    features: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Attributes | None] = field(default_factory=dict)
    failed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """Picture -> failed measure -> reason."""
    total: Any = 0.0
    """Sum of the reference pictures."""
    summed: int = 0
    """Number of the reference pictures in the sum."""

    def add(self, picture: Picture, record: ClipRecord) -> None:
        """Add the record of a picture."""
        key = picture.role, picture.name
        self.failed[key] = dict(record.failures)
        if (state := record.states.get(FACES)) is not None:
            self.features[key] = state["features"]
            if picture.role == REFERENCE:
                self.total = self.total + state["picture"].double()
                self.summed += 1
        if ATTRIBUTES in record.states and picture.role != FURTHER:
            self.attributes[key] = attributes_of(record)


def merge_readings(
    name: str, pairs: PicturePairs, readers: FaceReaders, readings: Readings
) -> tuple[Scores, list[Row]]:
    """Merge all readings, in the order of the names, so that every process merges them to the same numbers.

    Args:
        name: Name of the system.
        pairs: Pictures.
        readers: Readers of the pictures.
        readings: Their readings.

    Returns:
        The scores, and a row for each speech that has a portrait.
    """
    found = _pair_up(pairs, readings)
    clips = len(pairs.references) + len(pairs.lost)
    protocol: dict[str, Any] = {
        "clips": clips,
        "references": fingerprint({speech: SourceFile(path) for speech, path in pairs.references.items()}),
        "faces": dict(readers.faces.protocol),
        "people": len(pairs.people),
    }
    if readers.background != MID_GREY:
        protocol["background"] = list(readers.background)
    measurements = _measurements(found, readings, readers, protocol) if found.keys else []
    absent = {} if found.keys else {FACES: f"none of {clips} portraits could be measured"}
    if readers.attributes is not None and not {"gender", "age"} & {one.name for one in measurements}:
        absent[ATTRIBUTES] = f"neither gender nor age is known of any of {clips} reference pictures with a portrait"
    scores = Scores(
        KIND,
        name,
        [_with_failed(one, clips - len(found.keys), _unread(pairs, found, readings)) for one in measurements],
        protocol,
        [],
        not_computed=absent,
        packages=readers.packages,
        failures=[dict(zip(FAILURE_COLUMNS, one, strict=True)) for one in _failures(pairs, readings)],
    )
    return scores, _rows(pairs, readings_of(found, readers.faces), readings)


def _with_failed(one: Measurement, failed: int, unread: int) -> Measurement:
    """Add the failed clips to the counts of a number, and the `unread` clips without gender and age."""
    return replace(one, counts={**one.counts, "failed": failed + (unread if one.name in ("gender", "age") else 0)})


def _unread(pairs: PicturePairs, found: PortraitReadings, readings: Readings) -> int:
    return sum(not _has_attributes(readings, speech, pairs.portraits[speech][0]) for speech in found.keys)


def _pair_up(pairs: PicturePairs, readings: Readings) -> PortraitReadings:
    """Pair the readings of each speech whose reference picture and first portrait could be read."""
    found, people = PortraitReadings(), pairs.people
    for speech in pairs.references:
        reference, person = readings.features.get((REFERENCE, speech)), people.index(person_of(speech))
        first = pairs.portraits[speech][0] if speech in pairs.portraits else None
        generated = None if first is None else readings.features.get((PORTRAIT, first))
        if reference is None:
            continue
        if first is None or generated is None:
            found.only_searched.append((person, reference))
            continue
        found.keys.append(speech)
        found.identities.append(person)
        found.labels.append(Attributes())
        found.generated.append(generated)
        found.reference.append(reference)
        found.other.append(None)
        read, read_reference = _attributes(readings, speech, first)
        found.read.append(read)
        found.read_reference.append(read_reference)
        found.read_other.append(None)
    found.varied = _varied(pairs, readings)
    return found


def _attributes(readings: Readings, speech: str, portrait: str) -> tuple[Attributes | None, Attributes | None]:
    """Return the attributes of portrait and reference; both are unknown if one could not be read."""
    if not _has_attributes(readings, speech, portrait):
        return Attributes(), None
    return readings.attributes[PORTRAIT, portrait], readings.attributes[REFERENCE, speech]


def _has_attributes(readings: Readings, speech: str, portrait: str) -> bool:
    """Return True if both pictures could be read, even if no face was found."""
    return all(key in readings.attributes for key in ((PORTRAIT, portrait), (REFERENCE, speech)))


def _varied(pairs: PicturePairs, readings: Readings) -> list[Tensor]:
    """Stack features (N, D) for each person: N portraits of the first speech with several; N is the same for all."""
    first: dict[str, list[Tensor]] = {}
    for speech in sorted(pairs.portraits):
        keys = [(FURTHER if number else PORTRAIT, name) for number, name in enumerate(pairs.portraits[speech])]
        features = [readings.features[key] for key in keys if key in readings.features]
        if len(features) > 1:
            first.setdefault(person_of(speech), features)
    count = min(map(len, first.values()), default=0)
    return [torch.stack(features[:count]) for features in first.values()]


def _measurements(
    found: PortraitReadings, readings: Readings, readers: FaceReaders, protocol: Mapping[str, Any]
) -> list[Measurement]:
    mean = (readings.total / readings.summed).numpy().round().astype(np.uint8)
    reader = readers.attributes.protocol if readers.attributes is not None else None
    return network_scores(found, readers.faces.embed(mean[None]), readers.faces, reader, protocol)


def _failures(pairs: PicturePairs, readings: Readings) -> Iterator[tuple[str, str, str]]:
    """List clip, measure and reason of each failure, in the order of the clips."""
    for speech, path in pairs.references.items():
        if speech not in pairs.portraits:
            yield speech, "all", f"no portrait for {path}"
        yield from _failed(speech, readings.failed[REFERENCE, speech])
        for number, name in enumerate(pairs.portraits.get(speech, ())):
            if number:
                yield from _failed(name, readings.failed[FURTHER, name], DIVERSITY)
            else:
                yield from _failed(speech, readings.failed[PORTRAIT, name])
    for name in pairs.lost:
        yield name, "all", f"no reference picture for {pairs.generated[name]}"


def _failed(clip: str, reasons: Mapping[str, str], what: str = "all") -> Iterator[tuple[str, str, str]]:
    """List the failure of a picture; without features no failure of its attributes is listed."""
    if FACES in reasons:
        yield clip, what, reasons[FACES]
    elif ATTRIBUTES in reasons:
        yield clip, ATTRIBUTES, reasons[ATTRIBUTES]


def _rows(pairs: PicturePairs, found: PortraitReadings, readings: Readings) -> list[Row]:
    """Make a row for each speech with a portrait; a failed speech has no numbers."""
    numbers = dict(zip(found.keys, _numbers(found), strict=True))
    rows: list[Row] = []
    for speech in sorted(pairs.portraits):
        row = {"clip": speech, "person": person_of(speech), **numbers.get(speech, {})}
        if speech in numbers:
            row |= _told(readings, "", (PORTRAIT, pairs.portraits[speech][0]))
            row |= _told(readings, "true ", (REFERENCE, speech))
        rows.append(row)
    return rows


def _numbers(found: PortraitReadings) -> Iterator[Row]:
    """Yield the distances and the rank of each speech."""
    if not found.keys:
        return
    distances = feature_distances(torch.stack(found.generated), torch.stack(found.reference))
    columns = {name: values.tolist() for name, values in distances.items()}
    for number, rank in enumerate(retrieval_ranks(found)):
        yield {**{name: values[number] for name, values in columns.items()}, "rank": rank}


def _told(readings: Readings, prefix: str, key: tuple[str, str]) -> Row:
    """Return the columns of gender and age: empty if no face was found, absent without a reader."""
    if key not in readings.attributes:
        return {}
    read = readings.attributes[key]
    values = ("", "") if read is None else (read.gender, read.age)
    return {f"{prefix}gender": values[0], f"{prefix}age": values[1]}
