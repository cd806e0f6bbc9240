"""Recordings to shards to batches: nothing lost unnoticed, the same bytes every time, batches as in `s2tf.batches`."""

import csv
import io
import json
import tarfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.frame_pairs import FramePairData
from datamodules.frames import FrameData
from datamodules.lip_sync import LipSyncData
from datamodules.motion_sequences import MotionSequenceData
from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import FAILURES, prepare
from datamodules.prepare.recording import LoadedClip, PrepareError, Recording
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.add_member import NewMember, add_member
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import MOTION, Sample
from datamodules.shards.writing import load_manifest, read_shard, read_split
from datamodules.speech_portrait import SpeechPortraitData
from s2tf.faces.crop import CropRule

SETTINGS = ClipSettings(CropRule(size=64))
PEOPLE = 6


@dataclass(frozen=True, kw_only=True)
class Made(Recording):
    """A recording with a fault of its own."""

    fault: str

    def load(self) -> LoadedClip:
        if self.fault == "unreadable":
            raise PrepareError("read", "not a video")
        if self.fault == "bug":
            raise KeyError("a reader's mistake")
        seconds = 0.4 if self.fault == "short" else 2.0
        frames = np.zeros((round(seconds * 25), 64, 64, 3), np.uint8)
        rng = np.random.default_rng(0)
        sound = np.zeros(0 if self.fault == "mute" else round(seconds * 16000), np.float32)
        sound += 0.1 * rng.standard_normal(len(sound)).astype(np.float32)
        return LoadedClip(frames, sound)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", PEOPLE)


def test_recordings_that_cannot_be_used_are_listed_with_their_reason_and_stop_nothing(tmp_path):
    good = list(SyntheticReader(2, 1, 1.2, 64, seed=4))
    faults = ["unreadable", "bug", "short", "mute", "faceless"]
    bad = [Made(key=f"bad-{fault}", dataset="made", identity=fault, fault=fault) for fault in faults]
    summary = prepare([*bad[:2], *good, *bad[2:]], tmp_path / "out", SETTINGS)
    assert summary.recordings == summary.written + summary.failed == 7
    assert summary.written == 2
    with open(tmp_path / "out" / FAILURES, newline="") as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert {clip: row["step"] for clip, row in rows.items()} == {
        "bad-unreadable": "read",
        "bad-bug": "error",
        "bad-short": "length",
        "bad-mute": "length",
        "bad-faceless": "face",
    }
    assert all(row["reason"] for row in rows.values())


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_workers(shards, tmp_path):
    reader = SyntheticReader(PEOPLE, 1, 1.6, 64, seed=3, val=1 / 3, test=1 / 3)
    prepare(reader, tmp_path / "again", SETTINGS, samples_per_shard=2, workers=2)
    names = sorted(path.name for path in shards.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (shards / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_splits_share_no_identity_and_the_manifest_counts_them(shards):
    identities = {split: {s.record.identity for s in read_split(shards, split)} for split in ("train", "val", "test")}
    assert sum(len(people) for people in identities.values()) == len(set.union(*identities.values())) == PEOPLE
    splits = load_manifest(shards)["splits"]
    assert {split: set(content["identities"]) for split, content in splits.items()} == identities


def test_a_sample_decodes_to_its_own_clip(shards):
    sample = next(read_split(shards, "train"))
    assert sample.frames().shape == (40, 64, 64, 3)
    assert np.array_equal(sample.frames()[7], sample.frame(7))
    assert sample.waveform().shape == (25600,)
    assert sample.landmarks().shape == (40, 68, 2)
    assert sample.record.attributes["gender"] in ("female", "male")
    assert CropRule.from_json(sample.record.crop["rule"]) == SETTINGS.rule


def test_a_window_of_the_sound_is_that_of_the_whole_whoever_wrote_the_wav(shards):
    sample = next(read_split(shards, "train"))
    wav = sample.members["wav"][:]
    chunk = b"LIST" + (4).to_bytes(4, "little") + b"note"
    longer = wav[:4] + (len(wav) - 8 + len(chunk)).to_bytes(4, "little") + wav[8:36] + chunk + wav[36:]
    other = Sample(sample.key, sample.record, {**sample.members, "wav": longer})
    whole = sample.pcm()
    assert len(whole) == sample.record.samples
    for start, count in [(0, 640), (1000, 25000), (25000, None), (25600, 10), (30000, 10)]:
        part = whole[start : None if count is None else start + count]
        assert np.array_equal(sample.pcm(start, count), part)
        assert np.array_equal(other.pcm(start, count), part)


def _tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def _members(shards):
    sample = next(read_split(shards, "train"))
    return sample.key, {f"{sample.key}.{name}": data[:] for name, data in sample.members.items()}


def test_a_shard_that_leads_out_of_its_folder_or_is_cut_is_refused(shards, tmp_path):
    key, members = _members(shards)
    with pytest.raises(ShardError, match="escape"):
        list(read_shard(_tar(tmp_path / "a.tar", {**members, "../escape.json": b"{}"})))
    whole = next(shards.glob("train-*.tar")).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        clips = [member.offset for member in tar if member.name.endswith(".json") and "truth" not in member.name]
    # Within a clip the file itself tells; between two clips the number that the manifest names does.
    (tmp_path / "cut.tar").write_bytes(whole[: clips[1] - 700])
    with pytest.raises(ShardError, match=r"cut\.tar"):
        list(read_shard(tmp_path / "cut.tar"))
    (tmp_path / "cut.tar").write_bytes(whole[: clips[1]])
    with pytest.raises(ShardError, match=r"cut\.tar: holds 1 of the 2 clips"):
        list(read_shard(tmp_path / "cut.tar", len(clips)))
    del members[f"{key}.wav"]
    with pytest.raises(ShardError, match="wav"):
        list(read_shard(_tar(tmp_path / "b.tar", members)))


def test_nothing_pickled_is_decoded(shards, tmp_path):
    key, members = _members(shards)
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members[f"{key}.landmarks.npy"] = pickled.getvalue()
    (sample,) = read_shard(_tar(tmp_path / "p.tar", members))
    with pytest.raises(ShardError, match="landmarks"):
        sample.landmarks()


def test_a_record_out_of_its_schema_names_the_field(shards, tmp_path):
    key, members = _members(shards)
    record = json.loads(members[f"{key}.json"])
    members[f"{key}.json"] = json.dumps({**record, "fps": "25"}).encode()
    with pytest.raises(ShardError, match="fps"):
        list(read_shard(_tar(tmp_path / "r.tar", members)))


def _kinds(shards):
    return {
        "speech_portrait": SpeechPortraitData(str(shards), batch_size=2, num_workers=0, size=32, seconds=1.0),
        "frame_pairs": FramePairData(str(shards), batch_size=2, num_workers=0, input_size=32, output_size=64),
        "motion_sequences": MotionSequenceData(str(shards), batch_size=2, num_workers=0, frames=20),
        "frames": FrameData(str(shards), batch_size=2, num_workers=0, size=48),
        "lip_sync": LipSyncData(str(shards), batch_size=2, num_workers=0, size=32, windows=4),
    }


SHAPES = {
    "speech_portrait": {"spectrogram": (2, 2, 98, 257), "waveform": (2, 16000), "portrait": (2, 3, 32, 32)},
    "frame_pairs": {
        "source": (2, 3, 32, 32),
        "target_output": (2, 3, 64, 64),
        "source_lips": (2, 20, 2),
        "target_eyes": (2, 12, 2),
        "target_placement": (2, 4),
    },
    "frames": {"picture": (2, 3, 48, 48)},
    "motion_sequences": {"waveform": (2, 12800), "lips": (2, 20, 20, 2), "reference_lips": (2, 20, 2)},
    "lip_sync": {"lips": (2, 4, 3, 5, 32, 32), "mfcc": (2, 4, 1, 13, 20)},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_batch_has_the_contract_s_shapes_and_ranges(shards, kind):
    data = _kinds(shards)[kind]
    data.setup("fit")
    batch = data.on_device(next(iter(data.train_dataloader())))
    for name, shape in SHAPES[kind].items():
        assert tuple(batch[name].shape) == shape, name
        assert torch.isfinite(batch[name]).all()
    for name in ("portrait", "source", "target", "picture", "waveform"):
        if name in batch:
            assert batch[name].abs().max() <= 1


def test_first_clips_are_the_beginnings_with_their_sound(shards):
    data = _kinds(shards)["frame_pairs"]
    clips = data.first_clips(2, 10)
    for clip, sample in zip(clips, read_split(shards, "val"), strict=False):
        assert clip["key"] == sample.key
        assert clip["frames"].shape == (10, 3, 64, 64)
        assert np.array_equal(((clip["frames"][9] + 1) * 127.5).round().byte().permute(1, 2, 0), sample.frame(9))
        assert np.array_equal(clip["waveform"], sample.waveform(0, 6400))
    assert len(clips) == 2
    # A clip is not made longer than it is.
    assert len(data.first_clips(1, 1000)[0]["frames"]) == 40


@pytest.mark.parametrize("kind", SHAPES)
def test_the_same_seed_draws_the_same_training_stream(shards, kind):
    data = _kinds(shards)[kind]
    first, again = (data.on_device(next(iter(data.train_dataloader()))) for _ in range(2))
    assert first["key"] == again["key"]
    assert all(torch.equal(first[name], again[name]) for name in SHAPES[kind])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_validation_gives_every_clip_once_for_any_number_of_workers(shards, workers):
    data = MotionSequenceData(str(shards), batch_size=2, num_workers=workers, frames=20)
    keys = [key for batch in data.val_dataloader() for key in batch["key"]]
    assert keys == [sample.key for sample in read_split(shards, "val")]


def test_a_window_longer_than_its_clip_holds_the_last_frame_in_silence(shards):
    data = MotionSequenceData(str(shards), batch_size=1, num_workers=0, frames=60)
    batch = next(iter(data.val_dataloader()))
    assert torch.equal(batch["lips"][0, 59], batch["lips"][0, 39])
    assert batch["waveform"][0, 40 * 640 :].abs().max() == 0


def test_motion_codes_are_added_and_asked_for(shards, tmp_path):
    without = MotionSequenceData(str(shards), batch_size=1, num_workers=0, frames=20, require_motion=True)
    with pytest.raises(ValueError, match="s2tf codes"):
        without.setup("fit")
    codes = NewMember(MOTION, {"dim": 3}, lambda s: np.full((s.record.frames, 3), s.record.frames))
    add_member(shards, tmp_path / "codes", codes)
    data = MotionSequenceData(str(tmp_path / "codes"), batch_size=1, num_workers=0, frames=20, require_motion=True)
    data.setup("fit")
    assert torch.equal(next(iter(data.val_dataloader()))["motion"], torch.full((1, 20, 3), 40.0))


def test_a_folder_without_shards_names_the_config_key(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"data\.init_args\.shards"):
            SpeechPortraitData(str(folder), batch_size=2, num_workers=0, size=32, seconds=1.0).setup("fit")


def test_pictures_larger_than_the_stored_ones_are_refused(shards):
    data = FramePairData(str(shards), batch_size=2, num_workers=0, input_size=64, output_size=128)
    with pytest.raises(ValueError, match="128 px"):
        data.setup("fit")
