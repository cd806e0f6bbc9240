"""`s2tf evaluate videos GENERATED REFERENCE` on real video files."""

import json
import shutil

import numpy as np
import pytest
from video_folders import FRAMES, evaluate, noisy, read, rows, status, talking, write

from s2tf.media.video import read_video


def test_every_clip_is_compared_frame_by_frame_without_the_source(folders, capsys):
    assert evaluate(folders, "--json", str(folders / "copy.json")) == 0
    out = folders / "made-evaluation"
    record = read(out)
    assert record == json.loads((folders / "copy.json").read_text())
    assert record["kind"] == "videos"
    assert record["experiment"] == "made"
    psnr = record["measurements"]["PSNR"]
    assert psnr["counts"] == {"clips": 3, "failed": 0, "frames": 3 * FRAMES + 3 - 3}
    # By hand, from the files as they are read.
    errors = []
    for key in ("a", "b", "deep/c"):
        made, true = (read_video(folders / name / f"{key}.mp4").frames[1:].astype(float) for name in ("made", "true"))
        errors += [-10 * np.log10(((one - other) ** 2).mean() / 255**2) for one, other in zip(made, true, strict=True)]
    assert psnr["value"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert psnr["baseline"] < psnr["truth"] == 100
    assert psnr["baseline_name"] == "source frame copied"
    clips = rows(out / "clips.csv")
    assert [row["clip"] for row in clips] == ["a", "b", "deep/c"]
    assert float(clips[0]["PSNR"]) == pytest.approx(np.mean(errors[: FRAMES - 1]), abs=1e-6)
    assert "source frame copied" in capsys.readouterr().out


def test_more_noise_is_worse(folders):
    values = []
    for strength in (2.0, 10.0, 40.0):
        for key in ("a", "b", "deep/c"):
            write(
                folders / f"n{strength}" / f"{key}.mp4",
                noisy(read_video(folders / "true" / f"{key}.mp4").frames, strength),
            )
        assert evaluate(folders, made=f"n{strength}") == 0
        found = read(folders / f"n{strength}-evaluation")["measurements"]
        values.append((found["PSNR"]["value"], found["SSIM"]["value"]))
    assert values == sorted(values, reverse=True)


def test_what_cannot_be_measured_is_counted_and_listed(folders, capsys):
    made = folders / "made"
    (made / "a.mp4").write_bytes(b"no video")
    (made / "b.mp4").unlink()
    write(made / "extra.mp4", talking(7))
    write(made / "short.mp4", talking(8, FRAMES - 2))
    write(folders / "true" / "short.mp4", talking(8))
    write(made / "one.mp4", talking(9, 1))
    write(folders / "true" / "one.mp4", talking(9, 1))
    write(made / "wide.mp4", talking(9)[:, :32])
    write(folders / "true" / "wide.mp4", talking(9))
    assert evaluate(folders) == 3
    record = read(folders / "made-evaluation")
    reasons = {one["clip"]: one["reason"] for one in record["failures"]}
    assert sorted(reasons) == ["a", "b", "extra", "one", "short", "wide"]
    assert "a.mp4" in reasons["a"]
    assert reasons["b"].startswith("no generated video for")
    assert reasons["extra"].startswith("no reference for")
    assert "is 2 frames longer than" in reasons["short"]
    assert "no frame after the first" in reasons["one"]
    assert "64x32 pixels" in reasons["wide"]
    assert record["measurements"]["PSNR"]["counts"] == {"clips": 1, "failed": 6, "frames": FRAMES + 1}
    assert len(rows(folders / "made-evaluation" / "failures.csv")) == 6
    clips = {row["clip"]: row for row in rows(folders / "made-evaluation" / "clips.csv")}
    assert list(clips) == ["a", "b", "deep/c", "extra", "one", "short", "wide"]
    assert clips["b"] == {"clip": "b", "frames": "", "cut": "", "PSNR": "", "SSIM": ""}
    assert "failed: short: pixels" in capsys.readouterr().out


def test_a_frame_more_at_the_end_is_left_out_and_said(folders):
    write(folders / "made" / "a.mp4", talking(0, FRAMES + 1))
    assert evaluate(folders) == 0
    found = {row["clip"]: row for row in rows(folders / "made-evaluation" / "clips.csv")}
    assert (found["a"]["frames"], found["a"]["cut"]) == (str(FRAMES), "1")
    assert found["b"]["cut"] == "0"
    frames = 3 * FRAMES + 3
    wanted = {"in both videos": frames, "left out as the source": 3, "left out at the end": 1}
    assert read(folders / "made-evaluation")["frames"] == wanted


def test_another_frame_rate_is_read_at_25(folders):
    """30 frames a second of the same seconds have as many frames at 25."""
    frames = talking(3, 25)
    write(folders / "true" / "d.mp4", frames)
    write(folders / "made" / "d.mp4", talking(3, 30), fps=30)
    assert evaluate(folders) == 0
    found = {row["clip"]: row for row in rows(folders / "made-evaluation" / "clips.csv")}
    assert abs(int(found["d"]["frames"]) - 25) <= 1


def test_pairs_of_a_table_and_two_single_files(folders):
    table = folders / "pairs.csv"
    # As spreadsheets write it.
    table.write_text("\ufeffgenerated,reference,name\nmade/a.mp4,true/a.mp4,first\nmade/gone.mp4,true/b.mp4,second\n")
    assert evaluate(folders, made="pairs.csv", true=None) == 3
    record = read(folders / "pairs-evaluation")
    assert [one["clip"] for one in record["failures"]] == ["second"]
    assert evaluate(folders, "--name", "mine", made="made/a.mp4", true="true/a.mp4") == 0
    single = read(folders / "made" / "a-evaluation")
    assert single["measurements"]["PSNR"]["value"] == record["measurements"]["PSNR"]["value"]
    assert single["experiment"] == "mine"


def test_wrong_arguments_are_named(folders, capsys):
    shutil.copytree(folders / "true", folders / "other")
    (folders / "empty").mkdir()
    for path in list((folders / "other").glob("*.mp4")):
        path.rename(path.with_name(f"x{path.name}"))
    shutil.rmtree(folders / "other" / "deep")
    (folders / "short.csv").write_text("generated,reference\nmade/a.mp4,true/a.mp4\nmade/b.mp4\n")
    (folders / "bad.csv").write_text("made,true\na,b\n")
    (folders / "latin.csv").write_text("generated,reference\nmade/é.mp4,true/é.mp4\n", encoding="latin-1")
    for arguments, message in (
        ([], "the following arguments are required: generated"),
        ([folders / "made"], "expected a second argument"),
        ([folders / "made", folders / "gone"], "gone does not exist, expected a file or folder"),
        ([folders / "made", folders / "true" / "a.mp4"], "expected two folders or two videos"),
        ([folders / "made", folders / "other"], "none of the 3 videos"),
        ([folders / "empty", folders / "true"], "empty contains no videos, expected files with .3gp, .asf, .avi"),
        ([folders / "bad.csv"], "bad.csv: expected the columns generated, reference, got made, true"),
        ([folders / "made", folders / "true", "--metrics", "pixels,psnr"], "unknown metric 'psnr', expected names of"),
        ([folders / "made", folders / "true", "--part", "3/2"], "argument --part: '3/2', expected I/N"),
        ([folders / "made", folders / "true", "--size", "0"], "'0', expected a whole number from 16 to 8192"),
        ([folders / "made", folders / "true", "--part", "0", "0.5"], "s2tf evaluate run --span FROM TO"),
        (
            [folders / "made", folders / "true", "--clips", "0"],
            "argument --clips: '0', expected a whole number of at least 1",
        ),
        ([folders / "made", folders / "true", "--json", folders / "no" / "x.json"], "does not exist"),
        ([folders / "made", folders / "true", "--json", folders], "a folder, expected a file"),
        ([folders / "made", folders / "true", "--out", folders / "bad.csv"], "bad.csv is a file, expected a folder"),
        ([folders / "made", folders / "true", "--out", folders / "bad.csv" / "x"], "bad.csv is a file, expected a"),
        (
            [folders / "latin.csv"],
            "latin.csv: byte 0xe9 in line 2 is no UTF-8: expected text in UTF-8: save it as UTF-8",
        ),
        ([folders / "short.csv"], "line 3: expected a generated video and a reference"),
        ([folders / "made", folders / "true", "--weights", folders / "gone"], "gone: the folder does not exist"),
        ([folders / "made", folders / "true", "--seed", "1"], "--seed 1 has no effect without --wandb"),
        ([folders / "made", folders / "true", "--landmarks", "none"], "leave landmarks out of the metrics instead"),
    ):
        assert status(["evaluate", "videos", *arguments]) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_names_of_any_kind(folders, capsys):
    """Brackets are no markup, and nothing is too long for a file's name."""
    for name in ("[/odd]", "half[1]", "\u53e3\u578b", "long" * 40):
        write(folders / "[made]" / f"{name}.mp4", talking(1))
        write(folders / "true2" / f"{name}.mp4", talking(2))
    write(folders / "true2" / "lost[x].mp4", talking(2))
    assert evaluate(folders, "--metrics", "pixels,pixels", made="[made]", true="true2") == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "[made]: 5 test clips" in shown
    assert "failed: lost[x]: all" in shown
    assert len(rows(folders / "[made]-evaluation" / "clips.csv")) == 5


def test_previews_beside_videos_are_no_clips(folders):
    from PIL import Image

    for name in ("made", "true"):
        Image.new("RGB", (8, 8)).save(folders / name / "a.png")
    assert evaluate(folders) == 0
    assert read(folders / "made-evaluation")["kind"] == "videos"
