"""One member more in every sample: resumed, divided, checked, and refused where it does not belong."""

import json
import shutil

import numpy as np
import pytest
from tiny_shards import tiny_shards

from datamodules.motion_sequences import MotionSequenceData
from datamodules.shards import add_member as additions
from datamodules.shards.add_member import NewMember, add_member
from datamodules.shards.codecs import encode_array
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import FEATURES, MOTION, Sample
from datamodules.shards.sources import ShardSource
from datamodules.shards.verify import inspect
from datamodules.shards.writing import load_manifest, read_split


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", people=9, seconds=1.2)


def feature_of(sample):
    """Numbers that say whose they are and when."""
    rows = np.arange(2 * sample.record.frames)[:, None] + np.array([0, len(sample.key)])
    return rows.astype(np.float16)


FEATURE = NewMember(FEATURES, {"dim": 2, "network": "Counting", "fingerprint": "1"}, feature_of)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Killed(BaseException):
    pass


def killed_after(count):
    def on_clip(done, total):
        if done == count:
            raise Killed

    return on_clip


def test_parts_that_begin_and_complete_at_any_moment_agree(shards, tmp_path, monkeypatch):
    """The moments at which another part may act: after each look at the folder."""
    looks = 0
    look = additions._read

    def looked(path, at):
        nonlocal looks
        result, looks = look(path), looks + 1
        if looks == at:
            looks += 100
            add_member(shards, path.parent, FEATURE, part=(2, 2) if at % 2 else (1, 1))
        return result

    for at in range(1, 5):
        looks = 0
        monkeypatch.setattr(additions, "_read", lambda path, at=at: looked(path, at))
        out = tmp_path / str(at)
        add_member(shards, out, FEATURE)
        monkeypatch.setattr(additions, "_read", look)
        assert add_member(shards, out, FEATURE).complete
        assert not inspect(out, verify=True).broken
        assert not {"addition.json"} & set(names(out))


def test_what_a_killed_process_left_goes_when_the_folder_is_complete(shards, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train-000000.tar.node-1.part").write_bytes(b"half")
    add_member(shards, tmp_path / "out", FEATURE)
    assert [name for name in names(tmp_path / "out") if "part" in name] == []


def test_a_member_that_is_taken_away_takes_its_checksum_along(shards, tmp_path):
    add_member(shards, tmp_path / "one", FEATURE)
    add_member(tmp_path / "one", tmp_path / "two", NewMember(FEATURES, FEATURE.about, lambda sample: None))
    assert not inspect(tmp_path / "two", verify=True).broken


def test_a_member_of_another_clip_is_noticed_in_any_window(shards, tmp_path):
    sample = next(read_split(shards, "train"))
    longer = encode_array(np.zeros((2 * sample.record.frames + 2, 4), np.float16))
    other = Sample(sample.key, sample.record, {**sample.members, FEATURES: longer})
    for window in [(0, None), (0, 1), (3, 9)]:
        with pytest.raises(ShardError, match=r"features\.npy cannot be read: holds \(\d+, 4\), expected \d+ rows"):
            other.features(*window)


def test_codes_of_two_autoencoders_are_not_mixed(shards, tmp_path):
    for name in ("1", "2"):
        about = {"dim": 3, "network": "MotionAutoencoder", "fingerprint": name}
        add_member(shards, tmp_path / name, NewMember(MOTION, about, lambda sample: np.ones((sample.record.frames, 3))))
    both = [ShardSource(str(tmp_path / name)) for name in ("1", "2")]
    with pytest.raises(ValueError, match="must be of one network"):
        MotionSequenceData(both, batch_size=1, num_workers=0).setup("fit")


def test_killed_and_divided_it_ends_with_the_same_bytes(shards, tmp_path):
    whole = add_member(shards, tmp_path / "whole", FEATURE)
    assert (whole.clips, whole.without, whole.complete) == (9, 0, True)
    for clips in (1, 2, 5):
        with pytest.raises(Killed):
            add_member(shards, tmp_path / "parts", FEATURE, on_clip=killed_after(clips))
        assert "manifest.json" not in names(tmp_path / "parts")
    parts = [add_member(shards, tmp_path / "parts", FEATURE, part=(part, 2)) for part in (2, 1)]
    assert [part.complete for part in parts] == [False, True]
    assert names(tmp_path / "whole") == names(tmp_path / "parts")
    for name in names(tmp_path / "whole"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    assert load_manifest(tmp_path / "whole") == {**load_manifest(shards), "features": FEATURE.about}
    again = add_member(shards, tmp_path / "whole", FEATURE, on_clip=killed_after(1))
    assert (again.clips, again.complete) == (9, True)


def test_the_members_before_stay_and_the_new_one_is_under_the_checksums(shards, tmp_path):
    add_member(shards, tmp_path / "one", FEATURE)
    codes = NewMember(MOTION, {"dim": 3}, lambda sample: np.ones((sample.record.frames, 3)))
    add_member(tmp_path / "one", tmp_path / "two", codes)
    for before, after in zip(read_split(shards, "train"), read_split(tmp_path / "two", "train"), strict=True):
        assert all(after.members[name][:] == data[:] for name, data in before.members.items() if name != "json")
        assert np.array_equal(after.features(), feature_of(after))
        assert after.motion().shape == (after.record.frames, 3)
        assert set(after.record.crc32) == set(before.record.crc32) | {FEATURES, MOTION}
    shard = next((tmp_path / "two").glob("train-*.tar"))
    features = feature_of(next(read_split(tmp_path / "two", "train"))).tobytes()
    data = bytearray(shard.read_bytes())
    data[data.index(features) + 8] ^= 1
    shard.write_bytes(data)
    (broken,) = inspect(tmp_path / "two", verify=True).broken
    assert "features.npy has changed since it was written" in broken.reason


def test_another_network_or_other_clips_in_the_same_folder_are_refused(shards, tmp_path):
    out, others = tmp_path / "out", tiny_shards(tmp_path / "others", people=3, seed=8)
    with pytest.raises(Killed):
        add_member(shards, out, FEATURE, on_clip=killed_after(3))
    other = NewMember(FEATURES, {**FEATURE.about, "fingerprint": "2"}, feature_of)
    with pytest.raises(ValueError, match='out holds shards with features.fingerprint "1", not "2": expected the same'):
        add_member(shards, out, other)
    add_member(shards, out, FEATURE)
    with pytest.raises(ValueError, match="out holds shards of other clips: expected an empty folder"):
        add_member(others, out, FEATURE)
    with pytest.raises(ValueError, match='out holds shards with features.fingerprint "1", not "2": expected the same'):
        add_member(shards, out, other)
    shutil.copytree(shards, tmp_path / "plain")
    (tmp_path / "plain" / "manifest.json").unlink()
    with pytest.raises(ValueError, match="holds shards already"):
        add_member(shards, tmp_path / "plain", FEATURE)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (lambda frames: np.zeros((frames, 2)), r"is float16 \(\d+, 2\), expected finite float16"),
        (lambda frames: np.zeros((2 * frames, 3)), "has rows of 3, expected 2"),
        (lambda frames: np.full((2 * frames, 2), 1e6), "expected finite float16"),
    ],
)
def test_an_array_that_does_not_belong_to_its_clip_names_it(shards, tmp_path, array, problem):
    new = NewMember(FEATURES, FEATURE.about, lambda sample: array(sample.record.frames))
    with pytest.raises(ValueError, match=rf"sample '.*': the array for features\.npy .*{problem}"):
        add_member(shards, tmp_path / "out", new)
    assert not list((tmp_path / "out").glob("*.tar"))


def test_clips_that_have_none_are_counted_and_named_when_they_are_wanted(shards, tmp_path):
    silent = {sample.key for sample in read_split(shards, "val")}
    partly = NewMember(FEATURES, FEATURE.about, lambda clip: None if clip.key in silent else feature_of(clip))
    added = add_member(shards, tmp_path / "out", partly)
    assert added.without == len(silent) == 3
    data = MotionSequenceData(str(tmp_path / "out"), batch_size=1, num_workers=0, frames=20, features=True)
    with pytest.raises(ShardError, match="has no speech features"):
        next(iter(data.val_dataloader()))


@pytest.mark.parametrize("frames", [1, 11, 30, 45])
def test_a_window_has_the_features_of_its_own_frames(shards, tmp_path, frames):
    add_member(shards, tmp_path / "out", FEATURE)
    data = MotionSequenceData(str(tmp_path / "out"), batch_size=3, num_workers=0, frames=frames, features=True)
    data.setup("fit")
    assert data.stored_features == FEATURE.about
    batch = data.on_device(next(iter(data.train_dataloader())))
    clips = {sample.key: sample for sample in read_split(tmp_path / "out", "train")}
    for key, features, waveform in zip(batch["key"], batch["features"], batch["waveform"], strict=True):
        start = int(features[0, 0]) // 2
        rows = feature_of(clips[key])[2 * start :][: 2 * frames]
        expected = np.concatenate([rows, rows[-1:].repeat(2 * frames - len(rows), axis=0)])
        assert features.dtype.is_floating_point
        assert np.array_equal(features.numpy(), expected)
        assert np.array_equal(waveform.numpy(), clips[key].speech(start, frames))


def test_features_that_are_not_there_or_of_two_networks_are_named(shards, tmp_path):
    with pytest.raises(ValueError, match="s2tf features"):
        MotionSequenceData(str(shards), batch_size=1, num_workers=0, features=True).setup("fit")
    add_member(shards, tmp_path / "one", FEATURE)
    other = NewMember(FEATURES, {**FEATURE.about, "fingerprint": "2"}, feature_of)
    add_member(shards, tmp_path / "two", other)
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert manifest["features"]["fingerprint"] == "2"
    both = [ShardSource(str(tmp_path / name)) for name in ("one", "two")]
    with pytest.raises(ValueError, match="must be of one network"):
        MotionSequenceData(both, batch_size=1, num_workers=0, features=True).setup("fit")
