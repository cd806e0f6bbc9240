"""Readings of portraits come back from the records of their batches as they were."""

import math
from dataclasses import fields

import torch

from s2tf.evaluation.clip_records import RecordFolder
from s2tf.evaluation.portraits.scores import PortraitReadings
from s2tf.evaluation.stages.portrait_batches import PlannedBatch
from s2tf.evaluation.stages.portrait_records import MEASURE, add_record, record_of
from s2tf.faces.attributes import FEMALE, MALE, Attributes


def readings_of(keys, read, other=True, varied=0):
    """Readings of clips with random features; `read`: gender and age as read from every picture."""
    rows = len(keys)
    return PortraitReadings(
        keys=keys,
        identities=[2**62 + row for row in range(rows)],
        labels=[Attributes(FEMALE, 31.0), *[Attributes()] * (rows - 1)],
        reference=list(torch.randn(rows, 3)),
        generated=list(torch.randn(rows, 3)),
        other=[torch.randn(3) if other and row else None for row in range(rows)],
        read=read,
        read_reference=read,
        read_other=read,
        varied=list(torch.randn(varied, 4, 3)),
    )


def values_of(readings):
    """Everything as lists, with a text for NaN, which is not equal to itself."""
    return {
        field.name: [
            one.tolist() if isinstance(one, torch.Tensor) else repr(one) for one in getattr(readings, field.name)
        ]
        for field in fields(readings)
    }


def test_readings_come_back_in_their_order_with_what_is_absent(tmp_path):
    read = [None, Attributes(MALE, 0.1 + 0.2, 0.75), Attributes(FEMALE, math.nan, 1.0, 3.5)]
    given = [readings_of(["a", "b", "c"], read, varied=2), readings_of(["d"], [], other=False)]
    records, joined = RecordFolder(tmp_path, {MEASURE: {"steps": 3}}), PortraitReadings()
    for number, readings in enumerate(given):
        batch = PlannedBatch(number, readings.keys, [], 0, f"version {number}")
        assert records.missing(batch.name, batch.version) == [MEASURE]
        records.write(record_of(batch, readings), batch.version)
        add_record(joined, batch, records.read(batch.name, batch.version))
    first, second = map(values_of, given)
    assert values_of(joined) == {name: first[name] + second[name] for name in first}
    other = RecordFolder(tmp_path, {MEASURE: {"steps": 4}})
    assert other.missing("000000", "version 0") == records.missing("000000", "version 1") == [MEASURE]
