"""What `s2tf shards` says of a folder, whole and broken."""

import json
import tarfile

import pytest
from PIL import Image
from tiny_shards import tiny_shards

from datamodules.shards.errors import ShardError
from datamodules.shards.verify import inspect
from datamodules.shards.writing import load_manifest, new_shard, read_shard, read_split
from s2tf.cli import main


@pytest.fixture
def shards(tmp_path):
    return tiny_shards(tmp_path / "shards", people=6)


def test_the_report_counts_what_the_samples_say(shards, tmp_path, capsys):
    assert main(["shards", str(shards), "--verify", "--json", str(tmp_path / "report.json")]) == 0
    assert "no sample is broken" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    manifest = load_manifest(shards)["splits"]
    for name, split in report["splits"].items():
        samples = list(read_split(shards, name))
        assert split["clips"] == len(samples) == manifest[name]["clips"]
        assert split["identities"] == len(manifest[name]["identities"])
        assert split["genders"] == manifest[name]["genders"]
        assert split["hours"] * 3600 == pytest.approx(sum(sample.record.frames for sample in samples) / 25)
        assert split["bytes"] == sum(path.stat().st_size for path in shards.glob(f"{name}-*.tar"))
    assert (report["broken"], report["shared_identities"]) == ([], [])


def rewrite(path, change):
    samples = list(read_shard(path))
    with new_shard(path) as writer:
        for sample in samples:
            writer.write(sample.key, change({name: member[:] for name, member in sample.members.items()}))


def test_verify_finds_a_byte_that_cannot_be_decoded_and_a_missing_shard(shards, capsys):
    first, second = sorted(shards.glob("train-*.tar"))[0], sorted(shards.glob("test-*.tar"))[0]
    rewrite(first, lambda members: {**members, "frames.mjpeg": b"\xff" * len(members["frames.mjpeg"])})
    second.unlink()
    assert main(["shards", str(shards)]) == 1
    out = capsys.readouterr().out
    assert f"broken: {second.name}: the file is missing" in out
    assert first.name not in out
    assert main(["shards", str(shards), "--verify"]) == 1
    assert f"broken: {first.name}: sample" in capsys.readouterr().out


def test_an_identity_in_two_splits_is_found(shards):
    train, val = (sorted(shards.glob(f"{split}-*.tar"))[0] for split in ("train", "val"))
    identity = next(read_shard(train)).record.identity

    def rename(members):
        record = json.loads(members["json"])
        return {**members, "json": json.dumps({**record, "identity": identity}).encode()}

    rewrite(val, rename)
    assert inspect(shards).shared_identities == [f"synthetic/{identity}"]


def test_the_contact_sheet_shows_as_many_clips_as_asked_for(shards, tmp_path):
    for clips in (1, 5):
        assert main(["shards", str(shards), "--sheet", str(tmp_path / "s.png"), "--sheet-clips", str(clips)]) == 0
        with Image.open(tmp_path / "s.png") as sheet:
            heights = sheet.size[1]
        assert heights == 20 + -(-clips // 2) * (96 + 18 + 6)


def test_a_shard_with_more_clips_than_its_manifest_says_is_of_another_run(shards):
    path = sorted(shards.glob("train-*.tar"))[0]
    sample = next(read_shard(path))
    with tarfile.open(path) as tar:
        count = len({name.partition(".")[0] for name in tar.getnames()})
    samples = list(read_shard(path))
    with new_shard(path) as writer:
        for one in samples:
            writer.write(one.key, {name: member[:] for name, member in one.members.items()})
        record = json.loads(sample.members["json"][:])
        extra = {**{name: member[:] for name, member in sample.members.items()}}
        writer.write("extra", {**extra, "json": json.dumps({**record, "clip": "extra"}).encode()})
    assert count == len(samples)
    assert "more clips" in " ".join(broken.reason for broken in inspect(shards).broken)


def test_verify_finds_damage_that_a_picture_s_decoder_does_not_notice(shards, capsys):
    path = sorted(shards.glob("train-*.tar"))[0]
    sample = next(read_shard(path))
    data = bytearray(path.read_bytes())
    where = data.index(sample.members["frames.mjpeg"][:]) + sample.record.offsets[1] - 60
    data[where : where + 20] = bytes(20)
    path.write_bytes(data)
    assert main(["shards", str(shards), "--verify"]) == 1
    assert "checksum" in capsys.readouterr().out


def test_a_shard_cut_between_two_samples_is_no_whole_shard(shards):
    path = sorted(shards.glob("train-*.tar"))[0]
    first = next(read_shard(path))
    with new_shard(path) as writer:
        writer.write(first.key, {name: member[:] for name, member in first.members.items()})
    with pytest.raises(ShardError, match="holds 1 of the 2 clips"):
        list(read_split(shards, "train"))
