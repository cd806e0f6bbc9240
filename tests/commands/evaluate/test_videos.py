"""`s2tf evaluate videos GENERATED REFERENCE` on real video files."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
from video_folders import FRAMES, evaluate, read, rows, status, talking, write

from s2tf.cli import main
from s2tf.media.video import read_video


def noisy(frames: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, strength, frames.shape)
    return (frames + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Three clips, one in a folder of its own."""
    for number, key in enumerate(("a", "b", "deep/c")):
        frames = talking(number, FRAMES + number)
        write(tmp_path / "true" / f"{key}.mp4", frames)
        write(tmp_path / "made" / f"{key}.mp4", noisy(frames, 10.0))
    return tmp_path


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


def test_parts_merge_to_the_same_numbers_bit_by_bit(folders, capsys):
    assert evaluate(folders, "--out", str(folders / "whole")) == 0
    out = ("--out", str(folders / "parts"))
    assert evaluate(folders, *out, "--part", "2/2") == 0
    assert "part 2 of 2 is done; clips of other parts are still missing" in capsys.readouterr().out
    assert not (folders / "parts" / "metrics.json").exists()
    assert evaluate(folders, *out, "--part", "1/2") == 0
    assert read(folders / "parts") == read(folders / "whole")
    assert rows(folders / "parts" / "clips.csv") == rows(folders / "whole" / "clips.csv")


def test_fid_merges_bit_by_bit_though_long_clips_are_folded(folders, monkeypatch):
    from s2tf.evaluation.videos import open_measures

    monkeypatch.setattr(open_measures, "InceptionFeatures", lambda *_, **__: Columns())
    # 11 to 13 frames a clip.
    folding = partial(open_measures.FrechetMeasure, block=4)
    found = []
    for name, measure in (("folded", folding), ("held", open_measures.FrechetMeasure)):
        monkeypatch.setattr(open_measures, "FrechetMeasure", measure)
        fid = ("--metrics", "fid", "--allow-random", "--out")
        assert evaluate(folders, *fid, str(folders / name)) == 0
        for part in ("2/2", "1/2"):
            assert evaluate(folders, *fid, str(folders / f"{name}-parts"), "--part", part) == 0
        assert read(folders / f"{name}-parts") == read(folders / name)
        found.append(read(folders / name)["measurements"]["FID"])
    assert found[0]["counts"]["frames"] == 3 * FRAMES + 3 - 3
    assert found[0]["value"] == pytest.approx(found[1]["value"], rel=1e-9)
    assert found[0]["baseline"] == pytest.approx(found[1]["baseline"], rel=1e-9)


class Columns:
    """In Inception's place: the mean colours of four columns."""

    features, protocol = 12, {"network": "columns"}

    def read(self, frames):
        return frames.float().unflatten(3, (4, -1)).mean((2, 4)).flatten(1)


def test_it_goes_on_where_it_stopped_and_sees_what_has_changed(folders):
    assert evaluate(folders) == 0
    out = folders / "made-evaluation"
    records = sorted((out / "clips" / "pixels").iterdir())
    before = {path.name: path.stat().st_mtime_ns for path in records}
    # One was lost, one cut off, one clip made anew.
    records[0].unlink()
    records[1].write_bytes(records[1].read_bytes()[:40])
    write(folders / "made" / "deep" / "c.mp4", read_video(folders / "true" / "deep" / "c.mp4").frames)
    first = read(out)
    assert evaluate(folders) == 0
    after = {path.name: path.stat().st_mtime_ns for path in (out / "clips" / "pixels").iterdir()}
    assert all(after[name] != before[name] for name in before)
    assert read(out)["measurements"]["PSNR"]["value"] > first["measurements"]["PSNR"]["value"] + 1
    again = dict(after)
    assert evaluate(folders) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (out / "clips" / "pixels").iterdir()} == again
    # Another size is another measurement.
    assert evaluate(folders, "--size", "32") == 0
    assert all(path.stat().st_mtime_ns != again[path.name] for path in (out / "clips" / "pixels").iterdir())


def test_another_metric_is_measured_alone_and_stands_beside_the_others(folders):
    assert evaluate(folders) == 0
    out = folders / "made-evaluation"
    kept = {path: path.stat().st_mtime_ns for path in (out / "clips" / "pixels").iterdir()}
    assert len(kept) == 3
    first = read(out)["measurements"]
    assert evaluate(folders, "--metrics", "pixels,sharpness") == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    both = read(out)["measurements"]
    assert list(both) == ["PSNR", "SSIM", "CPBD", "gradient energy"]
    assert {name: both[name] for name in first} == first
    # As if all had been asked for at once.
    assert evaluate(folders, "--metrics", "pixels,sharpness", "--out", str(folders / "at-once")) == 0
    assert read(folders / "at-once") == read(out)
    assert evaluate(folders) == 0
    assert read(out)["measurements"] == first


def test_each_number_names_the_versions_that_computed_it_and_others_measure_anew(folders, monkeypatch):
    import av
    import cv2

    from s2tf.evaluation import software

    assert evaluate(folders, "--metrics", "pixels,sharpness") == 0
    out = folders / "made-evaluation"
    before = read(out)
    about = {name: one["software"] for name, one in before["measurements"].items()}
    assert set(about["PSNR"]) == {"av", "opencv", "torch", "torchmetrics"}
    assert set(about["CPBD"]) == {"av", "opencv", "torch"}
    assert (about["CPBD"]["av"], about["CPBD"]["opencv"]) == (av.__version__, cv2.__version__)
    kept = {path: path.stat().st_mtime_ns for path in (out / "clips").rglob("*.safetensors")}
    monkeypatch.setattr(cv2, "__version__", "0.1")
    assert software.versions(["opencv", "no-such-package"]) == {"opencv": "0.1", "no-such-package": "not installed"}
    assert evaluate(folders, "--metrics", "pixels,sharpness") == 0
    assert all(path.stat().st_mtime_ns != time for path, time in kept.items())
    after = read(out)
    assert after["measurements"]["PSNR"]["software"]["opencv"] == "0.1"
    # It is told, and no part of what makes results comparable.
    assert after["protocol"] == before["protocol"]


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
        ([folders / "empty", folders / "true"], "empty contains no videos, expected files with .mp4"),
        ([folders / "bad.csv"], "bad.csv: expected the columns generated, reference, got made, true"),
        ([folders / "made", folders / "true", "--metrics", "pixels,psnr"], "unknown metric 'psnr', expected names of"),
        ([folders / "made", folders / "true", "--part", "3/2"], "argument --part: '3/2', expected I/N"),
        ([folders / "made", folders / "true", "--size", "0"], "argument --size: '0', expected at least 16 pixels"),
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
        ([folders / "made", folders / "true", "--landmarks", "none"], "leave landmarks out of --metrics instead"),
    ):
        assert status(["evaluate", "videos", *arguments]) == 2
        assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_all_metrics_run_with_random_networks_and_say_so(folders, capsys):
    (folders / "weights").mkdir()
    arguments = [str(folders / "made"), str(folders / "true"), "--size", "64", "--clips", "2"]
    wanted = ["--metrics", "lpips,pixels,fid,sharpness", "--weights", str(folders / "weights")]
    assert main(["evaluate", "videos", *arguments, *wanted, "--out", str(folders / "without")]) == 3
    record = read(folders / "without")
    assert sorted(record["not_computed"]) == ["fid", "lpips"]
    assert "alexnet-owt-7be5be79.pth" in record["not_computed"]["lpips"]
    assert "LPIPS" not in record["measurements"]
    assert record["random_weights"] == []
    assert "not computed: lpips: no alexnet" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "videos", *arguments, *wanted, "--out", str(folders / "with"), "--allow-random"]) == 0
    record = read(folders / "with")
    assert record["random_weights"] == ["lpips", "fid"]
    for name in ("LPIPS", "FID"):
        one = record["measurements"][name]
        assert "RANDOM WEIGHTS" in one["protocol"].values()
        assert one["value"] > 0
        assert one["truth"] == 0
    assert record["measurements"]["FID"]["counts"]["frames"] == 2 * FRAMES + 1 - 2
    assert "their covariance is singular" in record["warnings"][0]
    shown = " ".join(capsys.readouterr().out.split())
    assert "RANDOM WEIGHTS: lpips, fid" in shown
    assert "warning: FID of" in shown
    assert f"│ FID of {2 * FRAMES + 1 - 2} frames ↓ │" in shown


def test_where_nothing_can_be_computed_the_json_says_why(folders, capsys):
    (folders / "weights").mkdir()
    (folders / "made" / "b.mp4").unlink()
    wanted = ["--metrics", "sync,lpips,fid,mad,identity", "--weights", str(folders / "weights")]
    assert evaluate(folders, *wanted, "--json", str(folders / "copy.json")) == 3
    record = read(folders / "made-evaluation")
    assert record == json.loads((folders / "copy.json").read_text())
    assert record["measurements"] == {}
    assert [one["clip"] for one in record["failures"]] == ["b"]
    # The file, its content, and where it is available.
    ways = {
        "sync": ("syncnet_v2.model", "https://github.com/joonson/syncnet_python"),
        "lpips": ("alexnet-owt-7be5be79.pth", "https://github.com/pytorch/vision"),
        "fid": ("weights-inception-2015-12-05-6726825d.pth", "https://github.com/toshas/torch-fidelity"),
        "mad": ("raft_large_C_T_SKHT_V2-ff5fadd5.pth", "https://github.com/pytorch/vision"),
        "identity": ("vgg_face_dag.pth", "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html"),
    }
    assert set(record["not_computed"]) == set(ways)
    for name, (file, page) in ways.items():
        reason = record["not_computed"][name]
        assert f"no {file} in {folders / 'weights'}" in reason
        assert page in reason
    assert [row["clip"] for row in rows(folders / "made-evaluation" / "clips.csv")] == ["a", "b", "deep/c"]
    assert "not computed: lpips: no alexnet" in capsys.readouterr().out


def test_results_say_of_which_references_they_are(folders):
    """So that two systems are not compared on different clips; what a system left out does not change it."""
    assert evaluate(folders) == 0
    whole = read(folders / "made-evaluation")["protocol"]
    (folders / "made" / "a.mp4").unlink()
    assert evaluate(folders) == 3
    assert read(folders / "made-evaluation")["protocol"] == whole
    write(folders / "true" / "a.mp4", talking(5))
    assert evaluate(folders) == 3
    assert read(folders / "made-evaluation")["protocol"]["references"] != whole["references"]


def test_a_report_does_not_prefer_the_system_that_left_out_its_hard_clip(folders, tmp_path):
    hard = read_video(folders / "true" / "b.mp4").frames
    write(folders / "made" / "b.mp4", noisy(hard, 60.0))
    shutil.copytree(folders / "made", folders / "lacking")
    (folders / "lacking" / "b.mp4").unlink()
    assert evaluate(folders, "--metrics", "pixels,sharpness") == 0
    assert evaluate(folders, made="lacking") == 3
    whole, lacking = (read(folders / f"{name}-evaluation")["measurements"]["PSNR"] for name in ("made", "lacking"))
    assert lacking["value"] > whole["value"]
    given = [f"--results={name}={folders / name}-evaluation" for name in ("made", "lacking")]
    assert (
        main(["report", "table", "table8", "--runs", str(tmp_path / "no"), *given, "--out", str(tmp_path / "report")])
        == 0
    )
    text = (tmp_path / "report" / "table8.md").read_text()
    assert "| lacking | ours (1 run, 2 of 3 clips) |" in text
    assert not [line for line in text.splitlines() if "ours (1 run" in line and "**" in line]
    (copied,) = [line for line in text.splitlines() if "| source frame copied |" in line]
    assert f"| {whole['baseline']:.2f} |" in copied


def test_the_numbers_come_back_from_wandbs_files(folders):
    from s2tf.reporting.wandb_records import read_offline

    assert evaluate(folders, "--wandb", "talking", "--seed", "7") == 0
    (run,) = read_offline(folders / "made-evaluation").runs
    assert run.record == read(folders / "made-evaluation")
    assert run.seed == 7


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


class Failing:
    """Fails on the clip `b` with an error that is none of the clip's, once."""

    def __init__(self, measure, error):
        self.measure, self.error = measure, error

    def __getattr__(self, name):
        return getattr(self.measure, name)

    def update(self, run):
        if self.error is not None and run.start == 0 and self.pair.key == "b":
            error, self.error = self.error, None
            raise error
        self.measure.update(run)

    def begin(self, pair):
        self.pair = pair
        self.measure.begin(pair)


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), OSError(5, "Input/output error")])
def test_what_was_the_machines_fault_is_measured_again(folders, error):
    from s2tf.evaluation.videos.evaluate import evaluate_videos
    from s2tf.evaluation.videos.find_pairs import find_pairs
    from s2tf.evaluation.videos.open_measures import OpenedMeasures
    from s2tf.evaluation.videos.pixel_measures import PixelMeasure
    from s2tf.evaluation.videos.request import VideoEvaluation

    def measured(measure):
        pairs = find_pairs(folders / "made", folders / "true").pairs
        return evaluate_videos(VideoEvaluation("made", pairs, OpenedMeasures([measure]), folders / "out", 64), str)

    first = measured(Failing(PixelMeasure(), error))
    (failure,) = first.failures
    assert (failure["clip"], failure["reason"]) == ("b", str(error))
    again = measured(PixelMeasure())
    assert again.complete
    assert again.measurements[0].counts["clips"] == 3


def test_a_metric_without_any_clip_is_not_computed_and_why(folders):
    write(folders / "one" / "a.mp4", talking(0, 1))
    write(folders / "one-true" / "a.mp4", talking(0, 1))
    assert evaluate(folders, made="one", true="one-true") == 3
    record = read(folders / "one-evaluation")
    assert record["measurements"] == {}
    assert record["not_computed"] == {"pixels": "no clip of 1 could be measured"}


def test_previews_beside_videos_are_no_clips(folders):
    from PIL import Image

    for name in ("made", "true"):
        Image.new("RGB", (8, 8)).save(folders / name / "a.png")
    assert evaluate(folders) == 0
    assert read(folders / "made-evaluation")["kind"] == "videos"
