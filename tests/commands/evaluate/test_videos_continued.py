"""Evaluations of videos in parts, continued, and with other metrics, versions and failures than before."""

from functools import partial

import pytest
from video_folders import FRAMES, evaluate, read, rows, write

from s2tf.media.video import read_video


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
