"""What may lie in a folder of videos, through `s2tf evaluate`: a right number, or a clear entry in the ledger."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from video_folders import FRAMES, evaluate, read, rows, talking, write

from datamodules.prepare.synthetic.reader import SyntheticReader
from s2tf.models.syncnet import SyncNet

SIDE = 192
"""Of a picture with one speaker."""
SEEN = 70
"""Frames."""


@pytest.fixture(scope="module")
def speakers():
    """Three people's frames (T, SIDE, SIDE, 3), the second and third smaller, and the first one's voice."""
    clips = [recording.load() for recording in SyntheticReader(3, 1, SEEN / 25, SIDE, 0)]
    small = [next(iter(SyntheticReader(1, 1, SEEN / 25, 128, 0, first=index))).load().frames for index in (1, 2)]
    others = [np.pad(frames, ((0, 0), (64, 0), (32, 32), (0, 0)), "edge") for frames in small]
    return [clips[0].frames, *others], clips[0].waveform


@pytest.fixture(scope="module")
def syncnet(tmp_path_factory):
    torch.manual_seed(3)
    network = SyncNet(80, 0.1, 16)
    network.mark_trained()
    folder = tmp_path_factory.mktemp("syncnet")
    network.save_pretrained(folder)
    return folder


def beside(faces, until=(SEEN, SEEN, SEEN)):
    """One picture of all of them, each until a frame, from which on there is grey."""
    shown = [faces[index].copy() for index in range(3)]
    for frames, last in zip(shown, until, strict=True):
        frames[last:] = 127
    return np.concatenate(shown, axis=2)


def noisy(frames):
    noise = np.random.default_rng(1).normal(0, 4, frames.shape)
    return (frames + noise).clip(0, 255).astype(np.uint8)


def seen_faces(folder, name, frames, voice, *options):
    """What is measured of the faces of such a video."""
    write(folder / name / "true" / "a.mp4", frames, sound=voice)
    write(folder / name / "made" / "a.mp4", noisy(frames), sound=voice)
    assert evaluate(folder / name, *options) == 0
    return {key: one["value"] for key, one in read(folder / name / "made-evaluation")["measurements"].items()}


@pytest.mark.slow
def test_of_three_faces_the_one_seen_longest_is_heard_and_the_largest_followed(tmp_path, speakers, syncnet):
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    faces, voice = speakers
    options = ["--metrics", "sync,landmarks", "--syncnet", str(syncnet)]
    three = seen_faces(tmp_path, "three", beside(faces, (SEEN, 55, 60)), voice, *options)
    first = seen_faces(tmp_path, "first", beside(faces, (SEEN, 0, 0)), voice, *options)
    third = seen_faces(tmp_path, "third", beside(faces, (0, 0, SEEN)), voice, *options)
    for name, tolerance in (("LSE-D", 0.01), ("landmark distance", 0.1), ("pose deviation: log scale", 0.1)):
        assert three[name] == pytest.approx(first[name], rel=tolerance)
        assert abs(third[name] - first[name]) > 2 * tolerance * first[name]
    measured = read(tmp_path / "three" / "made-evaluation")["measurements"]
    assert set(measured["LSE-D"]["software"]) == {"av", "dlib", "opencv", "torch"}
    assert set(measured["landmark distance"]["software"]) == {"av", "dlib", "mediapipe", "opencv", "torch"}
    assert measured["landmark distance"]["protocol"]["detector"] == "dlib, where it finds none mediapipe"


@pytest.mark.slow
def test_without_a_face_or_a_sound_it_is_in_the_ledger_and_the_others_count(tmp_path, speakers, syncnet):
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    faces, voice = speakers
    nobody = np.random.default_rng(0).integers(0, 256, faces[0].shape, np.uint8)
    silence = np.zeros_like(voice)
    for key, made, true, made_sound, true_sound in (
        ("faceless", nobody, faces[0], voice, voice),
        ("mute", faces[0], faces[0], None, voice),
        ("both mute", faces[0], faces[0], None, None),
        ("silent", faces[0], faces[0], silence, voice),
        ("silent truth", faces[0], faces[0], voice, silence),
    ):
        write(tmp_path / "made" / f"{key}.mp4", made, sound=made_sound)
        write(tmp_path / "true" / f"{key}.mp4", true, sound=true_sound)
    assert evaluate(tmp_path, "--metrics", "sync,landmarks", "--syncnet", str(syncnet)) == 3
    record = read(tmp_path / "made-evaluation")
    reasons = {(one["clip"], one["what"]): one["reason"] for one in record["failures"]}
    failed = {("faceless", "sync"), ("faceless", "landmarks"), ("both mute", "sync"), ("silent", "sync")}
    assert set(reasons) == failed
    assert reasons["faceless", "sync"] == "no face found"
    assert "of 69 after the source 0 of the generated video, 69 of the reference" in reasons["faceless", "landmarks"]
    assert reasons["both mute", "sync"] == "no sound in either video"
    assert reasons["silent", "sync"].startswith("silent: the sound of the generated video is zeros")
    counts = record["measurements"]["LSE-D"]["counts"]
    assert (counts["clips"], counts["failed"], counts["heard with the true sound"]) == (2, 3, 1)
    assert counts["true videos failed"] == 1
    assert record["measurements"]["mouth correlation"]["counts"]["clips"] == 4
    clips = {row["clip"]: row for row in rows(tmp_path / "made-evaluation" / "clips.csv")}
    assert clips["silent"]["LSE-D"] == ""
    assert np.isfinite(float(clips["silent truth"]["LSE-D"]))


@pytest.mark.slow
def test_faces_that_come_and_go_are_counted_and_a_clip_where_they_never_meet_has_failed(tmp_path, speakers):
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    (face, _, _), _ = speakers
    early, late, gone = face.copy(), face.copy(), face.copy()
    early[30:], late[1:32], gone[20:] = 127, 127, 127
    for key, made, true in (("apart", late, early), ("gone", gone, face)):
        write(tmp_path / "made" / f"{key}.mp4", made)
        write(tmp_path / "true" / f"{key}.mp4", true)
    assert evaluate(tmp_path, "--metrics", "landmarks") == 3
    record = read(tmp_path / "made-evaluation")
    (failure,) = record["failures"]
    assert (failure["clip"], failure["what"]) == ("apart", "landmarks")
    assert "and 0 of both at once, expected 10 or more" in failure["reason"]
    for name in ("mouth correlation", "landmark distance", "blinks per minute"):
        counts = record["measurements"][name]["counts"]
        assert (counts["clips"], counts["failed"]) == (1, 1)
        # A face is held for a moment after it is seen last.
        assert 19 <= counts["frames"] <= 25
        assert counts["frames"] + counts["frames without a face"] == SEEN - 1
    assert "landmarks: in 1 of 1 clips more than 10% of the frames have no face" in record["warnings"][0]
    (row,) = (row for row in rows(tmp_path / "made-evaluation" / "clips.csv") if row["clip"] == "gone")
    assert (
        int(row["frames without a face"])
        == record["measurements"]["mouth correlation"]["counts"]["frames without a face"]
    )


def test_a_syncnet_that_was_never_trained_gives_no_numbers_unless_they_are_marked(tmp_path, capsys):
    SyncNet(80, 0.1, 16).save_pretrained(tmp_path / "syncnet")
    for name in ("made", "true"):
        write(tmp_path / name / "a.mp4", talking(1))
    options = ["--metrics", "sync", "--protocol", "frame", "--syncnet", str(tmp_path / "syncnet")]
    assert evaluate(tmp_path, *options) == 2
    assert f"syncnet {tmp_path / 'syncnet'}: its weights are random" in capsys.readouterr().err.replace("\n", "")
    assert evaluate(tmp_path, *options, "--allow-random") == 0
    record = read(tmp_path / "made-evaluation")
    assert record["random_weights"] == ["sync"]
    assert record["measurements"]["LSE-D"]["protocol"]["network"] == "RANDOM WEIGHTS"


def test_files_that_are_empty_cut_off_or_of_one_frame(tmp_path):
    for key in ("empty", "cut", "one", "whole", "empty truth"):
        frames = talking(1, 1 if key == "one" else FRAMES)
        for name in ("made", "true"):
            write(tmp_path / name / f"{key}.mp4", frames)
    (tmp_path / "made" / "empty.mp4").write_bytes(b"")
    (tmp_path / "true" / "empty truth.mp4").write_bytes(b"")
    whole = (tmp_path / "made" / "cut.mp4").read_bytes()
    (tmp_path / "made" / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert evaluate(tmp_path, "--metrics", "pixels,sharpness,fid", "--weights", str(tmp_path)) == 3
    record = read(tmp_path / "made-evaluation")
    for what in ("pixels", "sharpness"):
        reasons = {one["clip"]: one["reason"] for one in record["failures"] if one["what"] == what}
        assert sorted(reasons) == ["cut", "empty", "empty truth", "one"]
        for key, file in (("empty", "made"), ("empty truth", "true"), ("cut", "made")):
            assert str(tmp_path / file / f"{key}.mp4") in reasons[key]
        assert reasons["one"] == "no frame after the first, which is the source"
    assert record["measurements"]["PSNR"]["counts"] == {"clips": 1, "failed": 4, "frames": FRAMES - 1}


def test_30000_frames_in_1001_seconds_are_compared_at_the_same_times(tmp_path):
    seconds, fps = 4, Fraction(30000, 1001)
    write(tmp_path / "true" / "a.mp4", talking(3, 25 * seconds))
    write(tmp_path / "made" / "a.mp4", talking(3, int(seconds * fps) + 1, fps=float(fps)), fps)
    # The same pictures, taken for 25 a second: they lag more and more.
    write(tmp_path / "lagging" / "a.mp4", talking(3, 25 * seconds, fps=float(fps)))
    assert evaluate(tmp_path) == 0
    assert evaluate(tmp_path, made="lagging") == 0
    (found,) = rows(tmp_path / "made-evaluation" / "clips.csv")
    assert abs(int(found["frames"]) - 25 * seconds) <= 1
    right, wrong = (
        read(tmp_path / f"{name}-evaluation")["measurements"]["PSNR"]["value"] for name in ("made", "lagging")
    )
    # Half a frame is the most that a picture can be off.
    assert right > wrong + 6


@pytest.mark.slow
def test_of_ten_minutes_every_frame_counts_to_the_last(tmp_path):
    # At a fifth of the rate, so that writing is quick; each picture is read five times.
    count, last = 10 * 60 * 5, 30
    frames = np.resize(talking(1, 50, 16), (count, 16, 16, 3))
    write(tmp_path / "true" / "long.mp4", frames, 5)
    wrong = frames.copy()
    wrong[-last:] = 255 - frames[-last:]
    write(tmp_path / "made" / "long.mp4", wrong, 5)
    assert evaluate(tmp_path, "--size", "16") == 0
    psnr = read(tmp_path / "made-evaluation")["measurements"]["PSNR"]
    assert psnr["counts"] == {"clips": 1, "failed": 0, "frames": 5 * count - 1}
    (found,) = rows(tmp_path / "made-evaluation" / "clips.csv")
    assert (found["frames"], found["cut"]) == (str(5 * count), "0")
    error = ((wrong[-last:].astype(float) - frames[-last:]) ** 2).mean(axis=(1, 2, 3)) / 255**2
    share = last / count
    assert psnr["value"] == pytest.approx((1 - share) * 100 + share * (-10 * np.log10(error)).mean(), abs=0.3)
