import csv
import json
import shutil

import numpy as np
import pytest
import torch
from packaged_files import judges_stand_in
from PIL import Image
from video_folders import status

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.cli import main
from s2tf.evaluation.compare.draw import FRAME_HEIGHT
from s2tf.faces.lips import POSE, canonical_face, to_picture_units
from s2tf.faces.motion import FaceMotion
from s2tf.faces.tracking import FaceSettings, follow_face
from s2tf.faces.tracks import whole_frames
from s2tf.figures import labels
from s2tf.figures.video_grid import VideoGrid
from s2tf.figures.zoom import ORANGE, RED, zoom_size
from s2tf.media.sound import read_audio
from s2tf.media.video import read_video
from s2tf.media.video_writer import VideoWriter
from s2tf.metrics.lip_sync import LipSyncReader
from s2tf.models.syncnet import SyncNet
from s2tf.nn.lips import mouth_opening

SPEAKER = render_clip(make_speaker(3, 0), 2.0, 160, 0)
OTHER = render_clip(make_speaker(3, 2), 1.2, 128, 1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """The truth of 50 frames, another speaker's 30, and 40 frames of another aspect without a face or sound."""
    folder = tmp_path_factory.mktemp("videos")
    empty = np.zeros((40, 96, 128, 3), np.uint8)
    empty[:, 20:40] = np.arange(40, dtype=np.uint8)[:, None, None, None] * 5
    for name, frames, sound in (
        ("truth", SPEAKER.frames, SPEAKER.waveform),
        ("other", OTHER.frames, OTHER.waveform),
        ("empty", empty, None),
    ):
        with VideoWriter(folder / f"{name}.mp4", frames.shape[1:3], waveform=sound) as writer:
            for frame in frames:
                writer.write(frame)
    return folder


@pytest.fixture(scope="module")
def compared(videos):
    """The folder of a comparison of all three, and what it printed."""
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    out = videos / "compared"
    assert compare(videos, out, "--times", "0.2,1", "--json", videos / "record.json") == 0
    return out


def compare(videos, out, *more, names=("truth", "other", "empty")):
    paths = [videos / f"{name}.mp4" for name in names]
    return status(["compare", *paths, "--out", out, *more])


def rows_of(folder, system):
    with open(folder / "curves.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["system"] == system]


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def has(picture, colour):
    return (picture == colour).all(axis=-1).any()


def test_the_record_says_what_was_compared(compared, videos):
    record = json.loads((videos / "record.json").read_text())
    found = {video["name"]: video for video in record["videos"]}
    assert list(found) == ["truth", "other", "empty"]
    assert [video["frames"] for video in found.values()] == [50, 30, 40]
    assert [(video["width"], video["height"]) for video in found.values()] == [(160, 160), (128, 128), (128, 96)]
    assert [video["frames_without_face"] for video in found.values()] == [0, 0, 40]
    assert found["truth"]["source_fps"] == 25
    assert (record["times"], record["sound"], record["landmarks"]) == ([0.2, 1.0], "truth", "mediapipe")
    assert sorted(compared.iterdir()) == sorted(compared / name.split("/")[-1] for name in record["written"])
    assert record["notes"] == ["empty: no face read, the regions are those of truth scaled to it"]


def test_names_of_any_script_are_legible_or_told_on_the_screen(videos, tmp_path, capsys, monkeypatch):
    """Composed and decomposed letters are one name, for --sound too, and brackets are no markup."""
    monkeypatch.setattr(labels, "system_fonts", list)
    labels.find_font.cache_clear()
    names = ("\u771f\u5b9f", "\u041d\u0430\u0448", "Zoe\u0308", "[red]x")
    for name in names:
        shutil.copy(videos / "other.mp4", tmp_path / f"{name}.mp4")
    out = tmp_path / "out"
    assert compare(tmp_path, out, "--landmarks", "none", "--sound", "Zoe\u0308", names=names) == 0
    shown = capsys.readouterr().out
    assert "on the pictures 1 = \u771f\u5b9f: no font on this machine has these letters" in shown
    assert "sound: Zo\u00eb" in shown
    assert "[red]x: 30 frames" in shown
    labels.find_font.cache_clear()


def test_the_curves_are_those_of_the_faces_motion(compared, videos):
    frames = read_video(videos / "truth.mp4").frames
    motion = FaceMotion.of_landmarks(follow_face(frames, FaceSettings()), 160)
    rows = rows_of(compared, "truth")
    assert [float(row["seconds"]) for row in rows] == [index / 25 for index in range(50)]
    poses = zip(POSE, motion.pose.T, strict=True)
    for name, values in (("mouth opening", motion.mouth), ("eye opening", motion.eyes), *poses):
        assert [float(row[name]) for row in rows] == pytest.approx(values.tolist(), abs=1e-6)
    # And those of what was drawn.
    true = mouth_opening(canonical_face(to_picture_units(SPEAKER.landmarks, 160)).lips)
    assert np.corrcoef([float(row["mouth opening"]) for row in rows], true)[0, 1] > 0.9


def test_a_face_that_is_not_read_leaves_empty_cells_and_the_sound_is_told_all_the_same(compared):
    rows = rows_of(compared, "empty")
    assert len(rows) == 40
    assert len(rows_of(compared, "other")) == 30
    assert {row[name] for row in rows for name in ("mouth opening", "eye opening", *POSE)} == {""}
    truth = rows_of(compared, "truth")
    assert [row["loudness (dB)"] for row in rows] == [row["loudness (dB)"] for row in truth[:40]]


def test_the_grid_holds_all_videos_to_the_end_of_the_longest_and_marks_those_that_ended(compared):
    grid = VideoGrid(["truth", "other", "empty"], [(160, 160), (128, 128), (96, 128)])
    frames = read_video(compared / "grid.mp4").frames
    assert frames.shape == (50, *grid.size, 3)
    parts = np.array_split(frames.astype(int), 3, axis=2)
    levels = [part.mean(axis=(1, 2, 3)) for part in parts]
    assert np.ptp(levels[0]) < 10
    assert np.abs(np.diff(levels[1])).argmax() == 29
    assert levels[1][30:].max() < levels[1][:30].min() - 20
    # The picture that is held is always the same one, but for what the codec leaves.
    assert np.abs(parts[1][32:] - parts[1][49]).mean() < 1


@pytest.mark.parametrize(("more", "clip"), [((), SPEAKER), (("--sound", "other"), OTHER)])
def test_the_grid_has_the_sound_that_was_asked_for(videos, tmp_path, capsys, more, clip):
    assert compare(videos, tmp_path, "--landmarks", "none", *more, names=("empty", "truth", "other")) == 0
    # Why the first one's is not heard is said unless another was asked for.
    assert ("empty.mp4 has no sound track" in capsys.readouterr().out) == (not more)
    sound = read_audio(tmp_path / "grid.mp4")
    assert abs(len(sound) - 32000) < 640
    length = min(len(clip.waveform), len(sound))
    assert np.corrcoef(sound[:length], clip.waveform[:length])[0, 1] > 0.95


def test_the_sheet_shows_the_frames_of_the_times_asked_for(videos, tmp_path):
    assert compare(videos, tmp_path, "--landmarks", "none", "--times", "0.2,1", names=("truth", "other")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.png", "grid.mp4"]
    sheet = picture(tmp_path / "frames.png")
    cells = [sheet[:, -10 - (2 - column) * 262 + 6 :][:, :256] for column in range(2)]
    for row, name in enumerate(("truth", "other")):
        frames = read_video(videos / f"{name}.mp4").frames
        for column, index in enumerate((5, 25)):
            bottom = len(sheet) - 10 - (1 - row) * 262
            shown = cells[column][bottom - 256 : bottom]
            wanted = [
                np.asarray(Image.fromarray(frame).resize((256, 256), Image.Resampling.BICUBIC)) for frame in frames
            ]
            errors = [np.abs(shown - frame).mean() for frame in wanted]
            assert np.argmin(errors) == index
            assert errors[index] == 0


def test_names_and_times_are_written_on_the_sheet(videos, tmp_path):
    sheets = []
    for names in ("alpha,beta", "gamma,beta"):
        compare(videos, tmp_path, "--landmarks", "none", "--names", names, "--frames", 2, names=("truth", "other"))
        sheets.append(picture(tmp_path / "frames.png"))
    assert (sheets[0][10:23, -400:-262] < 128).any()
    middle = min(sheet.shape[1] for sheet in sheets) - 2 * 262 - 10
    assert (sheets[0][150:170, :middle] < 128).any()
    assert not np.array_equal(sheets[0][30:280, :middle], sheets[1][30:280, :middle])
    assert np.array_equal(sheets[0][300:, -500:], sheets[1][300:, -500:])


def test_eyes_and_lips_are_boxed_and_enlarged_in_every_row(compared):
    sheet = picture(compared / "frames.png")
    # The widest video decides the place of all.
    height, _ = zoom_size(FRAME_HEIGHT, round(FRAME_HEIGHT * 128 / 96))
    rows = [sheet[len(sheet) - 10 - (3 - row) * (height + 6) + 6 :][:height] for row in range(3)]
    for row in rows:
        for colour in (ORANGE, RED):
            assert has(row[:FRAME_HEIGHT], colour)
            assert has(row[FRAME_HEIGHT:], colour)


def test_traces_and_curves_are_pictures(compared):
    for name in ("traces.png", "curves.png"):
        drawn = picture(compared / name)
        assert min(drawn.shape[:2]) > 500
        assert (np.ptp(drawn, axis=2) > 40).sum() > 1000


def test_judges_read_square_crops_of_synthetic_faces(videos, tmp_path, monkeypatch, capsys):
    for name, value in judges_stand_in(tmp_path / "packaged").items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "out"
    assert compare(videos, out, "--landmarks", "judges", names=("truth", "other")) == 0
    assert "fixed places" in capsys.readouterr().out
    assert has(picture(out / "frames.png"), ORANGE)
    assert len(rows_of(out, "truth")) == 50
    assert compare(videos, out, "--landmarks", "judges") == 2
    assert "128x96" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--names", "a,b"), "2 names, expected one for each of the 3 videos"),
        (("--names", "a,b,a"), "several videos have the name a"),
        (("--times", "0.2,1.2"), "1.2 s is beyond the end of other, whose last frame is at 1.16 s"),
        (("--times", "0.2,soon"), "expected seconds such as"),
        (("--times=-1",), "of 0 or more"),
        (("--frames", "0"), "argument --frames: '0', expected a whole number from 1 to 100"),
        (("--sound", "nobody"), "--sound nobody: expected one of truth, other, empty"),
        (("--sound", "empty"), "empty.mp4 has no sound track"),
        (("--json", "nowhere/x.json"), "--json nowhere/x.json: its folder nowhere does not exist"),
        (("--landmarks", "guess"), "--landmarks guess: expected judges, mediapipe"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error_and_writes_nothing(videos, tmp_path, capsys, more, message):
    assert compare(videos, tmp_path / "out", "--landmarks", "none", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_video_that_cannot_be_read_is_named(videos, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"not a video" * 100)
    truth = str(videos / "truth.mp4")
    more = ["--out", str(tmp_path / "out"), "--landmarks", "none"]
    assert main(["compare", truth, str(tmp_path / "broken.mp4"), *more]) == 2
    assert "broken.mp4" in capsys.readouterr().err
    assert main(["compare", truth, str(tmp_path / "absent.mp4"), *more]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["compare", truth, truth, *more]) == 2
    assert "--names" in capsys.readouterr().err


def test_where_nothing_can_be_written_is_said_before_anything_is_read(videos, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    for more, message in (
        (["--out", file], f"--out {file}: {file} is a file, expected a folder"),
        (["--out", file / "x"], f"--out {file / 'x'}: {file} is a file, expected a folder"),
        (["--out", tmp_path / "out", "--json", tmp_path], f"--json {tmp_path}: a folder, expected a file"),
    ):
        words = ["compare", videos / "truth.mp4", *more, "--landmarks", "none"]
        assert main([str(word) for word in words]) == 2
        shown = capsys.readouterr()
        assert message in shown.err
        assert shown.out == ""
    assert list(tmp_path.iterdir()) == [file]


def test_a_video_is_not_overwritten_by_the_grid(videos, tmp_path, capsys):
    (tmp_path / "grid.mp4").write_bytes((videos / "other.mp4").read_bytes())
    assert main(["compare", str(tmp_path / "grid.mp4"), "--out", str(tmp_path), "--landmarks", "none"]) == 2
    assert "one of the videos" in capsys.readouterr().err
    assert (tmp_path / "grid.mp4").read_bytes() == (videos / "other.mp4").read_bytes()


def test_files_named_alike_are_told_apart_by_their_folders(videos, tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.mp4").write_bytes((videos / "other.mp4").read_bytes())
    paths = [str(tmp_path / folder / "clip.mp4") for folder in ("first", "second")]
    record = tmp_path / "record.json"
    main(["compare", *paths, "--out", str(tmp_path), "--landmarks", "none", "--json", str(record)])
    assert [video["name"] for video in json.loads(record.read_text())["videos"]] == ["first/clip", "second/clip"]


def test_real_recordings_are_compared(clips_folder, tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks of real faces need the extra `mediapipe`")
    clips = [clips_folder / "video" / name for name in ("LRS2_demo--demo.mp4", "GRID_lbbc2a--lbbc2a.mpg")]
    record = tmp_path / "record.json"
    arguments = ["--out", str(tmp_path), "--names", "a,b", "--frames", "2", "--json", str(record)]
    assert main(["compare", *map(str, clips), *arguments]) == 0
    videos = json.loads(record.read_text())["videos"]
    assert [video["frames_without_face"] for video in videos] == [0, 0]
    assert videos[0]["frames"] < videos[1]["frames"]
    # Both speak: the mouth opens and closes.
    for name in ("a", "b"):
        assert np.ptp([float(row["mouth opening"]) for row in rows_of(tmp_path, name)]) > 0.05


def test_sync_curves_are_the_scores_of_each_video(videos, tmp_path, capsys):
    torch.manual_seed(1)
    network = SyncNet(80, 0.1, 16).eval()
    network.save_pretrained(tmp_path / "random")
    network.mark_trained()
    network.save_pretrained(tmp_path / "syncnet")
    arguments = ["--landmarks", "none", "--syncnet", tmp_path / "syncnet", "--protocol", "frame"]
    assert compare(videos, tmp_path / "out", *arguments) == 0
    with open(tmp_path / "out" / "sync.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    # The video without sound of its own is heard with the truth's.
    assert {row["system"] for row in rows} == {"truth", "other", "empty"}
    reader = LipSyncReader(network, read_audio(videos / "truth.mp4"))
    for piece in whole_frames(read_video(videos / "truth.mp4").frames, 80):
        reader.update(piece.crops)
    score = reader.score()
    of_truth = [row for row in rows if row["system"] == "truth"]
    assert [int(row["offset"]) for row in of_truth] == list(range(15, -16, -1))
    assert [float(row["distance"]) for row in of_truth] == pytest.approx(score.distances, rel=1e-5)
    least = min(of_truth, key=lambda row: float(row["distance"]))
    assert int(least["offset"]) == score.offset
    assert picture(tmp_path / "out" / "sync.png").shape[0] > 100
    for folder, note in (("random", True), ("syncnet", False)):
        capsys.readouterr()
        assert compare(videos, tmp_path / folder, *arguments[:2], "--syncnet", tmp_path / folder, *arguments[4:]) == 0
        assert ("RANDOM WEIGHTS" in capsys.readouterr().out) == note
    assert compare(videos, tmp_path / "bad", "--landmarks", "none", "--syncnet", tmp_path) == 2
    assert "config.json" in capsys.readouterr().err
