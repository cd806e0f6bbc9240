"""Gender and age of every clip, read from its faces and stored in the records of a copy of the shards."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.shards.add_member import CopyReport, ShardChange, change_samples
from datamodules.shards.records import GENDERS, SPLITS
from datamodules.shards.samples import JSON, Sample
from datamodules.shards.writing import load_manifest, read_shard
from s2tf.errors import UserError
from s2tf.faces.attributes import MALE, UNKNOWN, AttributeReader, Attributes
from s2tf.precompute.copying import ShardCopy

ENTRY = "attributes"
"""The manifest's entry: the readers that were applied, in their order, and the genders that it counted before each."""
READ = "read"
"""Entry of a record's attributes: those that were read from the pictures, with confidence and reader."""
OLDEST = 130.0


@dataclass(frozen=True)
class Reading:
    """Settings for the reading of a clip."""

    pictures: int = 1
    """Pictures of the clip that are read, evenly from the first to the last; a single one is the first."""
    min_confidence: float = 0.0
    """Least confidence of a gender; below it the gender stays unknown."""


def write_attributes(copy: ShardCopy, reader: AttributeReader, reading: Reading | None = None) -> CopyReport:
    """Copy shards with `gender` and `age` in the attributes of every sample's record.

    Attributes that a record has already stay: a data set's table knows more than a reader of faces. Each attribute that
    was read is named under `read`, with its reader, its confidence where the reader gives one, and the number of
    pictures. The manifest names the readers under `attributes` and counts the genders.

    Args:
        copy: Source and destination of the copy, and the part to do.
        reader: The reader of gender and age.
        reading: Settings.

    Returns:
        The counts; `without` are clips whose gender or age is still unknown.

    Raises:
        FileNotFoundError: The shards are absent.
        UserError: The reader cannot read any picture.
        ValueError: The new folder holds other shards.
    """
    reading = reading or Reading()
    described = {
        "reader": dict(reader.protocol),
        "pictures": reading.pictures,
        "min_confidence": reading.min_confidence,
    }
    manifest = load_manifest(copy.shards)
    former = {"genders_before": {name: split["genders"] for name, split in manifest["splits"].items()}}
    name = str(reader.protocol.get("network", type(reader).__name__))

    def apply(sample: Sample) -> tuple[dict[str, bytes], bool]:
        known = dict(sample.record.attributes)
        if not {"gender", "age"} <= set(known):
            known = _merged(known, read_clip(sample, reader, reading), name)
        members = {member: data[:] for member, data in sample.members.items()}
        record = replace(sample.record, attributes=known)
        return {**members, JSON: record.to_json()}, {"gender", "age"} <= set(known)

    change = ShardChange(ENTRY, [*manifest.get(ENTRY, []), described | former], apply, _with_genders)
    return change_samples(copy.shards, copy.out, change, copy.part, copy.on_clip)


def read_clip(sample: Sample, reader: AttributeReader, reading: Reading) -> dict[str, dict[str, float]]:
    """Read a clip's attributes: the value of each that is known, and the confidence in it.

    Returns:
        `gender`: `value` (0 female, 1 male) and `confidence`, the mean probability over the pictures. `age`: `value`,
        the median over the pictures, and `deviation` in years. Each with `pictures`, the number that were read.
    """
    stored = sample.record.pictures
    places = np.linspace(0, len(stored) - 1, min(reading.pictures, len(stored))).round().astype(int)
    pictures = np.stack([sample.frame(stored[place]) for place in places])
    faces = [face for picture in pictures for face in _read_picture(reader, picture)]
    found = {"gender": _gender(faces), "age": _age(faces)}
    if found["gender"].get("confidence", 1.0) < reading.min_confidence:
        del found["gender"]
    return {name: values for name, values in found.items() if values}


def _read_picture(reader: AttributeReader, picture: np.ndarray) -> list[Attributes]:
    """Return the picture's face, or nothing: no face was found, or a service refuses this picture as too small."""
    try:
        return [face for face in reader.read(picture[None]) if face is not None]
    except UserError:
        # The service refuses the user, not the picture: no clip after this one would be read.
        raise
    except ValueError:
        return []


def _gender(faces: Sequence[Attributes]) -> dict[str, float]:
    """The gender by the mean probability; nothing where the faces are divided evenly."""
    known = [face for face in faces if face.gender != UNKNOWN]
    sure = [1.0 if math.isnan(face.confidence) else face.confidence for face in known]
    male = [p if face.gender == MALE else 1 - p for face, p in zip(known, sure, strict=True)]
    if not male or sum(male) == len(male) / 2:
        return {}
    mean = sum(male) / len(male)
    result = {"value": float(mean > 0.5), "pictures": len(known)}
    # A single answer without a probability says nothing of its confidence.
    if len(known) > 1 or not math.isnan(known[0].confidence):
        result["confidence"] = round(max(mean, 1 - mean), 4)
    return result


def _age(faces: Sequence[Attributes]) -> dict[str, float]:
    known = [face for face in faces if not math.isnan(face.age)]
    if not known:
        return {}
    ages = [min(max(face.age, 0.0), OLDEST) for face in known]
    result = {"value": round(float(np.median(ages)), 2), "pictures": len(known)}
    within = [face.age_deviation**2 for face in known if not math.isnan(face.age_deviation)]
    if within or len(ages) > 1:
        variance = float(np.var(ages)) + (sum(within) / len(within) if within else 0.0)
        result["deviation"] = round(math.sqrt(variance), 2)
    return result


def _merged(known: dict[str, Any], found: dict[str, dict[str, float]], reader: str) -> dict[str, Any]:
    """A record's attributes with those that were read and that it lacks."""
    result, told = dict(known), dict(known.get(READ, {}))
    for name, values in found.items():
        if name in known:
            continue
        value = values["value"]
        result[name] = GENDERS[int(value)] if name == "gender" else value
        told[name] = {"by": reader, **{key: number for key, number in values.items() if key != "value"}}
    return {**result, READ: told} if told else result


def genders(folder: Path, manifest: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Count the clips of each gender, by split, from the records of a shard folder."""
    result = {}
    for split, content in manifest["splits"].items():
        counts = dict.fromkeys((*GENDERS, "unknown"), 0)
        for shard, count in content["shards"].items():
            for sample in read_shard(folder / shard, count):
                counts[sample.record.attributes.get("gender") or "unknown"] += 1
        result[split] = counts
    return {split: result[split] for split in SPLITS if split in result}


def _with_genders(folder: Path, planned: dict[str, Any]) -> dict[str, Any]:
    counts = genders(folder, planned)
    splits = {name: {**split, "genders": counts[name]} for name, split in planned["splits"].items()}
    return {**planned, "splits": splits}
