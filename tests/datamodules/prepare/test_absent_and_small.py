"""Recordings that are not there are no failures, and the face limit speaks of the crop."""

import json

import pytest

from datamodules.prepare.avspeech import AVSpeechReader
from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.prepare import prepare
from datamodules.prepare.readers import READERS
from datamodules.prepare.recording import UnusableRecording
from datamodules.prepare.summary import PrepareSummary
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.writing import read_split
from s2tf.cli import main
from s2tf.faces.crop import CropRule
from s2tf.tables.read_table import read_table


def present(count):
    return list(SyntheticReader(count, 1, 1.2, 64, seed=3, val=0.0, test=0.0))


def unusable(count, step):
    reason = {"key": "", "dataset": "synthetic", "identity": "", "step": step, "reason": "for a test"}
    return [UnusableRecording(**reason | {"key": f"{step}-{n}", "identity": f"{step}-{n}"}) for n in range(count)]


def test_what_is_absent_is_counted_and_kept_apart_from_failures(tmp_path):
    recordings = [*present(2), *unusable(5, "absent"), *unusable(1, "read")]
    settings = ClipSettings(CropRule(size=32))
    for part in (1, 2):
        summary = prepare(recordings, tmp_path, settings, samples_per_shard=3, part=(part, 2))
    assert (summary.recordings, summary.written, summary.failed, summary.absent) == (8, 2, 1, 5)
    assert (summary.too_many_failed(0.4), summary.too_many_failed(0.3)) == (False, True)
    assert [row["clip"] for row in read_table(tmp_path / "failures.csv", ["clip"])] == ["read-0"]
    absent = sorted(row["clip"] for row in read_table(tmp_path / "absent.csv", ["clip"]))
    assert absent == [f"absent-{n}" for n in range(5)]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["failed"], manifest["absent"], manifest["failed_steps"]) == (1, 5, {"read": 1})
    # A finished folder gives the same summary again.
    again = prepare(recordings, tmp_path, settings, samples_per_shard=3)
    assert (again.failed, again.absent) == (1, 5)


def test_a_ledger_of_an_earlier_version_has_its_absent_recordings_among_the_failures():
    rows = [{"clip": name, "step": name, "reason": "r"} for name in ("absent", "read")]
    empty = PrepareSummary().to_json()
    del empty["absences"], empty["absent"]
    summary = PrepareSummary.from_json({**empty, "failures": rows, "recordings": 2})
    assert ([one.clip for one in summary.failures], [one.clip for one in summary.absences]) == (["read"], ["absent"])


@pytest.mark.parametrize(
    ("recordings", "status"),
    [
        (lambda: [*present(1), *unusable(9, "absent")], 0),
        (lambda: [*present(1), *unusable(1, "read"), *unusable(9, "absent")], 0),
        (lambda: [*present(1), *unusable(2, "read"), *unusable(9, "absent")], 1),
        (lambda: unusable(9, "absent"), 1),
    ],
)
def test_the_exit_status_speaks_of_what_is_there(recordings, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(READERS, "synthetic", lambda settings: recordings())
    out = tmp_path / "out"
    words = ["prepare", "synthetic", "1", "--size", "32", "--workers", "0", "--out", str(out)]
    assert main([*words, "--json", str(tmp_path / "summary.json")]) == status
    assert "absent" in capsys.readouterr().out
    assert json.loads((tmp_path / "summary.json").read_text())["absent"] == 9


def test_a_part_in_which_nothing_is_there_ends_well_and_a_deleted_video_is_no_leak(tmp_path):
    (tmp_path / "videos").mkdir()
    rows = "".join(f"{name * 11},0.0,1.5,0.25,0.5\n" for name in "abc")
    (tmp_path / "avspeech_train.csv").write_text(rows)
    (tmp_path / "avspeech_test.csv").write_text("aaaaaaaaaaa,3.0,4.5,0.25,0.5\n")
    assert {recording.step for recording in AVSpeechReader(tmp_path)} == {"absent"}
    words = ["prepare", "avspeech", str(tmp_path), "--workers", "0", "--samples-per-shard", "1"]
    assert main([*words, "--out", str(tmp_path / "out"), "--part", "1/4"]) == 0


def test_the_face_limit_is_that_of_the_crop(tmp_path):
    (recording,) = list(SyntheticReader(1, 1, 1.2, 256, seed=3, val=0.0, test=0.0))
    landmarks = recording.load().landmarks
    extent = (landmarks.max(axis=1) - landmarks.min(axis=1)).max()
    prepare([recording], tmp_path / "any", ClipSettings(CropRule(size=32)))
    (sample,) = read_split(tmp_path / "any", "train")
    side = sample.record.crop["box"]["side"]
    assert side > 1.4 * extent
    for limit, written in ((side, 1), (side + 1, 0)):
        summary = prepare([recording], tmp_path / str(limit), ClipSettings(CropRule(size=32), min_face_px=limit))
        assert summary.written == written
    (failure,) = summary.failures
    assert (failure.step, failure.reason) == ("size", f"crop of {side} px, expected at least {side + 1} px")
    manifest = json.loads((tmp_path / str(side) / "manifest.json").read_text())
    assert manifest["settings"]["min_face_measures"] == "crop"
    assert "min_face_measures" not in json.loads((tmp_path / "any" / "manifest.json").read_text())["settings"]
