import math

import pytest

from s2tf.faces.attributes import FEMALE, MALE, UNKNOWN, Attributes
from s2tf.metrics.attributes import IdentityPreservation

READER = {"network": "by hand"}


def test_gender_and_age_are_counted_and_a_portrait_without_a_face_is_wrong():
    metric = IdentityPreservation(READER)
    true = [Attributes(MALE, 40), Attributes(FEMALE, 30), Attributes(FEMALE, 60), Attributes(MALE, 20)]
    read = [Attributes(MALE, 50.0), Attributes(FEMALE, 40.5), Attributes(MALE, 60), None]
    metric.update(read, true)
    assert {name: value.item() for name, value in metric.compute().items()} == {"gender": 0.5, "age": 0.5}
    assert metric.last["unread"] == 1


def test_a_speaker_of_unknown_gender_or_age_does_not_count():
    metric = IdentityPreservation(READER)
    metric.update([Attributes(MALE, 40), Attributes(MALE, 40)], [Attributes(UNKNOWN, 41), Attributes(MALE)])
    assert {name: value.item() for name, value in metric.compute().items()} == {"gender": 1.0, "age": 1.0}
    assert (metric.last["gender_known"], metric.last["age_known"], metric.last["portraits"]) == (1, 1, 2)
    nothing = IdentityPreservation(READER)
    nothing.update([None], [Attributes()])
    assert all(math.isnan(value) for value in nothing.compute().values())


def test_two_processes_counts_add_up():
    parts = [IdentityPreservation(READER) for _ in range(2)]
    parts[0].update([Attributes(MALE, 40)], [Attributes(MALE, 40)])
    parts[1].update([Attributes(MALE, 40), None], [Attributes(FEMALE, 10), Attributes(MALE, 40)])
    parts[0].merge_state(parts[1])
    assert parts[0].compute()["gender"].item() == pytest.approx(1 / 3)
