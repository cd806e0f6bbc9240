"""Readings of a batch of portraits as the tensors of a record, so that several processes share them."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.portraits.scores import PortraitReadings
from s2tf.evaluation.stages.portrait_batches import PlannedBatch
from s2tf.faces.attributes import Attributes

MEASURE = "portraits"
"""Name of the readings among the records of an evaluation."""
ATTRIBUTES = ("labels", "read", "read_reference", "read_other")
"""Fields of `PortraitReadings` with gender and age."""


def record_of(batch: PlannedBatch, readings: PortraitReadings, files: Sequence[Path] = ()) -> ClipRecord:
    """Return the record of a batch's readings, with the checksums of its picture files."""
    other = [one for one in readings.other if one is not None]
    state = {
        "identities": torch.tensor(readings.identities),
        "reference": torch.stack(readings.reference),
        "generated": torch.stack(readings.generated),
        "files": _checksums(files),
        "has_other": torch.tensor([one is not None for one in readings.other]),
        **({"other": torch.stack(other)} if other else {}),
        **({"varied": torch.stack(readings.varied)} if readings.varied else {}),
        **{name: _to_rows(found) for name in ATTRIBUTES if (found := getattr(readings, name))},
    }
    return ClipRecord(batch.name, len(batch.keys), states={MEASURE: state})


def add_record(joined: PortraitReadings, batch: PlannedBatch, record: ClipRecord) -> None:
    """Add the readings of a batch to those of the batches before it."""
    state: Mapping[str, Tensor] = record.states[MEASURE]
    joined.keys += batch.keys
    joined.identities += state["identities"].tolist()
    joined.reference += state["reference"]
    joined.generated += state["generated"]
    other = iter(state.get("other", ()))
    joined.other += [next(other) if there else None for there in state["has_other"].tolist()]
    joined.varied += state.get("varied", ())
    for name in ATTRIBUTES:
        if name in state:
            getattr(joined, name).extend(_from_rows(state[name]))


def holds_pictures(record: ClipRecord, files: Sequence[Path]) -> bool:
    """Return True if the files are those of the record: other settings write other pictures under the same names."""
    return torch.equal(record.states[MEASURE]["files"], _checksums(files))


def _checksums(files: Sequence[Path]) -> Tensor:
    """Return a number for each file, -1 for an absent one, (N,) int64."""
    numbers = [zlib.crc32(path.read_bytes()) if path.is_file() else -1 for path in files]
    return torch.tensor(numbers, dtype=torch.int64)


def _to_rows(attributes: Sequence[Attributes | None]) -> Tensor:
    """Return rows (B, 5): 1 where the attributes are known and else 0, then the attributes."""
    rows = [
        [0.0] * 5 if one is None else [1.0, one.gender, one.age, one.confidence, one.age_deviation]
        for one in attributes
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _from_rows(rows: Tensor) -> list[Attributes | None]:
    return [Attributes(int(row[1]), *row[2:]) if row[0] else None for row in rows.tolist()]
