import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from datamodules.prepare.synthetic.reader import SyntheticReader


def reader(**changes):
    arguments = {"speakers": 20, "clips": 2, "seconds": 0.2, "size": 64, "seed": 3, "val": 0.2, "test": 0.3}
    return SyntheticReader(**{**arguments, **changes})


def test_recordings_carry_key_identity_split_and_attributes():
    recordings = list(reader())
    assert len(recordings) == len(reader()) == 40
    assert recordings[3].key == "synthetic-s3-00001-01"
    assert len({recording.key for recording in recordings}) == 40
    assert all(recording.dataset == "synthetic" for recording in recordings)
    assert all(set(recording.attributes) == {"gender", "age"} for recording in recordings)


def test_splits_share_no_identity_and_have_their_sizes():
    recordings = list(reader())
    identities = {}
    for recording in recordings:
        identities.setdefault(recording.split, set()).add(recording.identity)
    assert {split: len(names) for split, names in identities.items()} == {"train": 10, "val": 4, "test": 6}
    assert len(set.union(*identities.values())) == 20


def test_splits_are_balanced_in_gender():
    genders = Counter((recording.split, recording.attributes["gender"]) for recording in reader())
    assert genders["test", "female"] == genders["test", "male"]
    assert genders["train", "female"] == genders["train", "male"]


def test_readers_of_other_seeds_or_ranges_share_nobody():
    people = [{recording.identity for recording in reader(**changes)} for changes in ({}, {"seed": 4}, {"first": 20})]
    assert len(set.union(*people)) == 60


def test_a_recording_survives_pickling_and_loads_the_same_clip():
    recording = list(reader())[7]
    first, again = recording.load(), pickle.loads(pickle.dumps(recording)).load()
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.frames.shape == (5, 64, 64, 3)
    assert first.truth["identity"] == recording.identity
    assert first.truth["gender"] == recording.attributes["gender"]


def test_a_recording_is_cut_at_the_longest_length_allowed():
    assert len(replace(next(iter(reader())), max_seconds=0.12).load().frames) == 3


def test_clips_of_a_speaker_differ_and_days_change_the_looks():
    first, second = list(reader())[:2]
    assert not np.array_equal(first.load().waveform, second.load().waveform)
    days = [recording.load().truth["appearance"] for recording in list(reader(days=True))[:2]]
    assert days[0]["background"] != days[1]["background"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"speakers": 0}, "speakers"), ({"val": 0.6, "test": 0.6}, "val and test"), ({"first": -1}, "first")],
)
def test_impossible_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        reader(**changes)
