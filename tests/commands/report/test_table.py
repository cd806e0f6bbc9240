"""Measurements of any system in the paper's tables, from files."""

import json
import re
from pathlib import Path

import pytest
from written_scores import VIDEO_TRUTHS, video_scores

from s2tf.cli import main


@pytest.fixture
def ours(tmp_path):
    """Two seeds of HRTF among the runs, and another system's videos."""
    for seed in range(2):
        video_scores(tmp_path / "runs" / "hrtf" / str(seed), factor=1.0 + seed)
    video_scores(tmp_path / "other", "aniportrait", 5.0)
    return tmp_path


def report(folder, *results, table="table8", more=()):
    """Exit status; the lines by method and source."""
    given = [word for result in results for word in ("--results", result)]
    out = folder / "t.json"
    status = main(["report", "table", table, "--runs", str(folder / "runs"), *given, "--json", str(out), *more])
    lines = json.loads(out.read_text())["lines"] if status == 0 else []
    return status, {(line["method"], line["source"]): line for line in lines}


def means(line):
    return [cell["mean"] for cell in line["cells"].values()]


def test_runs_and_results_of_other_systems_stand_in_their_rows(ours):
    status, lines = report(ours, f"AniPortrait={ours / 'other'}", f"mine={ours / 'other' / 'metrics.json'}")
    assert status == 0
    assert means(lines["HRTF", "ours"]) == [1.5 * number for number in range(1, 8)]
    assert lines["HRTF", "ours"]["runs"] == 2
    assert means(lines["AniPortrait", "ours"]) == means(lines["mine", "ours"]) == [5.0 * n for n in range(1, 8)]
    assert means(lines["AniPortrait", "paper"])[:2] == [8.04, 6.46]
    assert means(lines["", "source frame copied"]) == [20.0] * 7
    assert means(lines["", "the reference itself"]) == list(VIDEO_TRUTHS.values())
    names = list(lines)
    assert (
        names.index(("HRTF-SCFP", "paper")) < names.index(("mine", "ours")) < names.index(("", "source frame copied"))
    )


def test_several_results_of_a_name_are_its_seeds(ours):
    video_scores(ours / "again", "aniportrait", 7.0)
    _, lines = report(ours, f"AniPortrait={ours / 'other'}", f"AniPortrait={ours / 'again'}")
    cell = lines["AniPortrait", "ours"]["cells"]["LSE-D ↓"]
    assert (cell["mean"], cell["runs"]) == (6.0, 2)
    assert cell["deviation"] == pytest.approx(2**0.5)


def test_a_table_is_written_in_four_forms_with_the_doubts_about_the_papers_numbers(ours, capsys):
    assert report(ours, f"50 % <b>={ours / 'other'}", more=["--out", str(ours / "out")])[0] == 0
    texts = {ending: (ours / "out" / f"table8.{ending}").read_text() for ending in ("md", "csv", "tex", "html")}
    assert r"| 50 % \<b> | ours (1 run) |" in texts["md"]
    assert r"50 \% \textless{}b\textgreater{} & ours (1 run) &" in texts["tex"]
    assert "50 % &lt;b&gt;" in texts["html"]
    assert "VIII,50 % <b>,ours,LSE-D ↓,5.0,,1," in texts["csv"]
    printed = " ".join(capsys.readouterr().out.split())
    for doubt in ("subtracted as uint8", "LSE as relative", "FID falls with the number of frames"):
        assert doubt in printed
    assert "under names that were not checked: 50 % <b>." in printed
    assert "Tables VII to IX all show the same runs of ours, on the data named below: HRTF." in printed


def test_different_protocols_stand_beside_each_other_only_when_asked_and_marked(ours, capsys):
    video_scores(ours / "cropped", "x", 0.1, crop="mouth", frames=50)
    given = (f"other={ours / 'other'}", f"cropped={ours / 'cropped'}")
    assert report(ours, *given)[0] == 2
    message = capsys.readouterr().err
    assert str(ours / "cropped") in message
    assert "frames: 100 and 50" in message
    assert "--mixed-protocols" in message
    status, lines = report(ours, *given, more=["--mixed-protocols", "--out", str(ours / "out")])
    assert status == 0
    assert [lines[name, "ours"]["protocol"] for name in ("HRTF", "other", "cropped")] == ["a", "a", "b"]
    text = (ours / "out" / "table8.md").read_text()
    assert "- Protocol a: frames: 100; crop: not given\n- Protocol b: frames: 50; crop: mouth\n" in text
    assert "clips: 4; data: 0123456789abcdef" in text
    # The best of each protocol by itself: of the one line of b there is none.
    assert "| HRTF | ours (2 seeds), protocol a | **1.50 ± 0.71** |" in text
    assert "| cropped | ours (1 run), protocol b | 0.10 |" in text
    for mark in "ab":
        assert f"|  | the reference itself, protocol {mark} | 7.00 |" in text


def markdown(folder, *results, more=()):
    """The lines of the table, without the paper's."""
    given = [word for result in results for word in ("--results", result)]
    out = folder / "out"
    assert main(["report", "table", "table8", "--runs", str(folder / "none"), *given, "--out", str(out), *more]) == 0
    return [line for line in (out / "table8.md").read_text().splitlines() if "| paper |" not in line]


def of_clips(measured, failed, **more):
    return {"clips": measured, "failed": failed, **more}


def test_leaving_out_a_hard_clip_makes_no_row_the_best_and_is_said_in_it(tmp_path):
    video_scores(tmp_path / "whole", factor=2.0, counts={"every": of_clips(4, 0)}, copy=22.8)
    video_scores(tmp_path / "worse", factor=3.0, counts={"every": of_clips(4, 0)}, copy=22.8)
    video_scores(tmp_path / "lacking", factor=1.0, counts={"every": of_clips(3, 1)}, copy=24.1)
    names = ("whole", "worse", "lacking")
    lines = markdown(tmp_path, *(f"{name}={tmp_path / name}" for name in names))
    assert "| whole | ours (1 run) | **2.00** | 4.00 | **6.00** | 8.00 | 10.00 | **12.00** | **14.0000** |" in lines
    assert "| lacking | ours (1 run, 3 of 4 clips) | 1.00 | 2.00 | 3.00 | 4.00 | 5.00 | 6.00 | 7.0000 |" in lines
    # Not the mean with a baseline of fewer clips.
    assert f"|  | source frame copied |{' 22.80 |' * 6} 22.8000 |" in lines
    assert any("Clips of some rows failed" in line for line in lines)
    lines = markdown(tmp_path, *(f"{name}={tmp_path / name}" for name in ("whole", "lacking")))
    assert not any("**" in line for line in lines)


def test_where_metrics_have_failed_on_different_clips_each_number_says_of_how_many_it_is(tmp_path):
    video_scores(tmp_path / "faceless", factor=0.5, counts={"every": of_clips(4, 0), "LSE-D": of_clips(3, 1)})
    video_scores(tmp_path / "whole", factor=1.0, counts={"every": of_clips(4, 0)})
    lines = markdown(tmp_path, *(f"{name}={tmp_path / name}" for name in ("faceless", "whole")))
    assert any(line.startswith("| faceless | ours (1 run) | 0.50 (3 of 4 clips) | 1.00 | **1.50** |") for line in lines)
    assert any(line.startswith("| whole | ours (1 run) | 1.00 | **2.00** | 3.00 |") for line in lines)


def test_seeds_of_different_clips_say_so_and_the_baseline_is_of_the_whole_one(tmp_path):
    video_scores(tmp_path / "one", factor=1.0, counts={"every": of_clips(4, 0)}, copy=22.8)
    video_scores(tmp_path / "two", factor=2.0, counts={"every": of_clips(3, 1)}, copy=24.1)
    lines = markdown(tmp_path, f"mine={tmp_path / 'one'}", f"mine={tmp_path / 'two'}")
    assert any(line.startswith("| mine | ours (2 seeds, 3 to 4 of 4 clips) | 1.50 ± 0.71 |") for line in lines)
    assert any(line.startswith("|  | source frame copied | 22.80 |") for line in lines)
    _, found = report(tmp_path, f"mine={tmp_path / 'one'}", f"mine={tmp_path / 'two'}")
    assert found["mine", "ours"]["cells"]["PSNR ↑"]["clips"] == {"least": 3, "most": 4, "of": 4}


def test_a_seed_without_a_number_is_missed_in_its_mean(tmp_path):
    video_scores(tmp_path / "one")
    video_scores(tmp_path / "two", own={"LSE-D": None})
    lines = markdown(tmp_path, f"mine={tmp_path / 'one'}", f"mine={tmp_path / 'two'}")
    assert any(line.startswith("| mine | ours (2 seeds) | 1.00 (1 of 2 seeds) | 2.00 ± 0.00 |") for line in lines)


def test_where_no_row_is_whole_each_has_its_own_baseline_and_other_clips_do_not_compare(tmp_path):
    counts = {"every": of_clips(4, 0), "LSE-D": of_clips(3, 1)}
    for name, factor, copy in (("first", 1.0, 12.0), ("second", 2.0, 13.0)):
        video_scores(tmp_path / name, factor=factor, counts=counts, copy=copy)
    lines = markdown(tmp_path, *(f"{name}={tmp_path / name}" for name in ("first", "second")))
    assert any(line.startswith("| first | ours (1 run) | 1.00 (3 of 4 clips) | 2.00 | **3.00** |") for line in lines)
    assert "|  | source frame copied |  | 12.50 | 12.50 | 12.50 | 12.50 | 12.50 | 12.5000 |" in lines
    assert f"| first | source frame copied (its own 3 of 4 clips) | 12.00 |{'  |' * 6}" in lines
    assert f"| second | source frame copied (its own 3 of 4 clips) | 13.00 |{'  |' * 6}" in lines
    assert any(line.startswith("- No row has measured all clips for LSE-D ↓: each row") for line in lines)
    # The same baseline tells of the same clips.
    video_scores(tmp_path / "second", factor=2.0, counts=counts, copy=12.0)
    lines = markdown(tmp_path, *(f"{name}={tmp_path / name}" for name in ("first", "second")))
    assert any(line.startswith("| first | ours (1 run) | **1.00 (3 of 4 clips)** |") for line in lines)
    assert any(line.startswith("|  | source frame copied | 12.00 (3 of 4 clips) | 12.00 |") for line in lines)
    assert not any("its own" in line for line in lines)


def test_fid_tells_its_frames_and_is_best_only_beside_equally_many(tmp_path):
    for name, factor, frames in (("one", 1.0, 90), ("two", 2.0, 90), ("three", 3.0, 80)):
        video_scores(tmp_path / name, factor=factor, counts={"FID": of_clips(4, 0, frames=frames)})
    given = {name: f"{name}={tmp_path / name}" for name in ("one", "two", "three")}
    lines = markdown(tmp_path, given["one"], given["two"])
    assert "- FID ↓: over 90 frames." in lines
    assert any("| **6.00** | **7.0000** |" in line for line in lines)
    lines = markdown(tmp_path, *given.values())
    assert any("| 6.00 (90 frames) | **7.0000** |" in line for line in lines)
    assert any("| 18.00 (80 frames) | 21.0000 |" in line for line in lines)
    assert any(line.startswith("- FID ↓: over different numbers of frames, not to be compared") for line in lines)


def test_metrics_that_a_table_does_not_show_or_a_result_has_not_are_no_difference(tmp_path):
    sync, pixels = {"crop": "mouth"}, {"window": 11}
    video_scores(tmp_path / "one", factor=1.0, own={"LSE-D": sync, "PSNR": pixels, "landmarks": {"by": "dlib"}})
    video_scores(tmp_path / "two", factor=2.0, own={"LSE-D": None, "PSNR": pixels})
    lines = markdown(tmp_path, f"one={tmp_path / 'one'}", f"two={tmp_path / 'two'}")
    assert any(line.startswith("| two | ours (1 run) |  | **4.00** | 6.00 |") for line in lines)
    assert sum("source frame copied |" in line for line in lines) == 1
    (how,) = [line for line in lines if line.startswith("- Ours")]
    assert "LSE-D: crop: mouth" in how
    assert "PSNR: window: 11" in how
    assert "dlib" not in how


def test_columns_that_were_measured_alike_compare_across_letters(tmp_path, capsys):
    for name, factor, crop in (("one", 1.0, "mouth"), ("two", 2.0, "whole frame")):
        video_scores(tmp_path / name, factor=factor, own={"LSE-D": {"crop": crop}}, copy=10 * factor)
    given = (f"one={tmp_path / 'one'}", f"two={tmp_path / 'two'}")
    assert report(tmp_path, *given)[0] == 2
    assert "LSE-D.crop: mouth and whole frame" in capsys.readouterr().err
    lines = markdown(tmp_path, *given, more=["--mixed-protocols"])
    assert any(line.startswith("| one | ours (1 run), protocol a | 1.00 | 2.00 | **3.00** |") for line in lines)
    assert any(line.startswith("| two | ours (1 run), protocol b | 2.00 | **4.00** | 6.00 |") for line in lines)
    assert any(line.startswith("|  | source frame copied, protocol a | 10.00 | 15.00 |") for line in lines)
    assert any(line.startswith("|  | source frame copied, protocol b | 20.00 | 15.00 |") for line in lines)
    assert "- Protocol a: LSE-D: crop: mouth" in lines


def test_rows_that_each_have_another_metric_are_still_compared_with_all_others(tmp_path, capsys):
    """The first has none of what the others disagree in."""
    video_scores(tmp_path / "none", own={"LSE-D": None})
    for crop in ("mouth", "face"):
        video_scores(tmp_path / crop, own={"LSE-D": {"crop": crop}})
    given = [f"{name}={tmp_path / name}" for name in ("none", "mouth", "face")]
    assert report(tmp_path, *given)[0] == 2
    assert "LSE-D.crop: mouth and face" in capsys.readouterr().err
    _, lines = report(tmp_path, *given, more=["--mixed-protocols"])
    assert [lines[name, "ours"]["protocol"] for name in ("none", "mouth", "face")] == ["a", "a", "b"]
    assert report(tmp_path, *(f"x={one.partition('=')[2]}" for one in given))[0] == 2


def test_a_rows_name_breaks_no_table(ours):
    name = "a|b\\|c *d*"
    assert report(ours, f"{name}={ours / 'other'}", more=["--out", str(ours / "out")])[0] == 0
    (line,) = [line for line in (ours / "out" / "table8.md").read_text().splitlines() if line.startswith("| a")]
    assert line.startswith(r"| a\|b\\\|c \*d\* | ours (1 run) |")
    assert len(re.split(r"(?<!\\)\|", re.sub(r"\\.", "", line))) == 2 + 9


@pytest.mark.parametrize("path", ["nowhere/x.json", "runs"])
def test_a_file_of_numbers_that_cannot_be_written_is_refused_before_the_work(ours, capsys, monkeypatch, path):
    monkeypatch.chdir(ours)
    monkeypatch.setattr("s2tf.reporting.paper_tables.report_table", None)
    assert main(["report", "table", "table8", "--json", path, "--out", "out"]) == 2
    assert f"--json {path}: " in capsys.readouterr().err
    assert not (ours / "out").exists()


def test_the_file_of_numbers_may_lie_in_the_folder_that_is_made(ours):
    out = ours / "new"
    given = ["--results", f"x={ours / 'other'}", "--out", str(out), "--json", str(out / "x.json")]
    assert main(["report", "table", "table8", *given]) == 0
    assert json.loads((out / "x.json").read_text())["table"] == "VIII"


def test_a_mean_over_different_protocols_is_never_made(ours, capsys):
    video_scores(ours / "cropped", "x", crop="mouth")
    given = (f"other={ours / 'other'}", f"other={ours / 'cropped'}")
    assert report(ours, *given, more=["--mixed-protocols"])[0] == 2
    assert "a mean over seeds needs one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("other", "expected NAME=PATH"),
        ("=other", "expected NAME=PATH"),
        ("other=", "expected NAME=PATH"),
        ("other=nothing/at/all", "nothing/at/all is missing"),
        ("table7:other=other", "belongs to table7, but the report is table8"),
        ("other=broken.json", "broken.json: not written by `s2tf evaluate`"),
        ("other=half.json", "half.json: not written by `s2tf evaluate`"),
        ("other=portraits.json", "portraits.json: numbers of portraits, expected those of videos"),
        ("HRTF=runs/hrtf/0", "is among the runs already"),
    ],
)
def test_what_is_wrong_with_a_result_is_said(ours, capsys, monkeypatch, given, message):
    monkeypatch.chdir(ours)
    Path("broken.json").write_text("{")
    Path("half.json").write_text('{"kind": "videos"}')
    Path("portraits.json").write_text('{"kind": "portraits"}')
    assert report(ours, given)[0] == 2
    assert message in capsys.readouterr().err


def test_what_a_result_leaves_out_is_said_below_it(ours, capsys):
    failures = [{"clip": clip, "what": "LSE", "reason": "no face"} for clip in "ab"]
    left_out = {"failures": failures, "not_computed": {"FID": "no weights"}, "warnings": ["few frames"]}
    video_scores(ours / "other", left_out=left_out)
    assert report(ours, f"other={ours / 'other'}", more=["--out", str(ours / "out")])[0] == 0
    text = (ours / "out" / "table8.md").read_text()
    for remark in ("clips that failed: LSE: 2", "FID not computed: no weights", "few frames"):
        assert f"- {ours / 'other'}: {remark}\n" in text


def test_other_versions_of_the_same_networks_are_told_and_refuse_nothing(ours):
    given = f"other={ours / 'other'}"

    def notes():
        assert report(ours, given, more=["--out", str(ours / "out")])[0] == 0
        return [line for line in (ours / "out" / "table8.md").read_text().splitlines() if "oftware" in line]

    # Records of before versions were noted say nothing.
    for folder in (ours / "runs" / "hrtf" / "0", ours / "runs" / "hrtf" / "1", ours / "other"):
        measured_with(folder, {})
    assert notes() == []
    for folder in (ours / "runs" / "hrtf" / "0", ours / "other"):
        measured_with(folder, {"opencv": "4.1", "torch": "2.15.0"})
    assert notes() == ["- Software: opencv 4.1, torch 2.15.0."]
    measured_with(ours / "other", {"dlib": "20.0", "opencv": "4.2", "torch": "2.15.0"})
    assert notes() == [
        f"- Software of {ours / 'runs' / 'hrtf' / '0'}: opencv 4.1, torch 2.15.0.",
        f"- Software of {ours / 'other'}: dlib 20.0, opencv 4.2, torch 2.15.0.",
    ]


def measured_with(folder, software):
    """Note the versions in a result's numbers, each of which may have its own."""
    record = json.loads((folder / "metrics.json").read_text())
    for index, one in enumerate(record["measurements"].values()):
        one["software"] = software if index == 0 else dict(list(software.items())[-1:])
    (folder / "metrics.json").write_text(json.dumps(record))


def test_one_result_is_not_counted_twice(ours, capsys):
    assert report(ours, f"x={ours / 'other'}", f"x={ours / 'other' / 'metrics.json'}")[0] == 2
    assert "given twice" in capsys.readouterr().err


def test_nothing_at_all_is_said(tmp_path, capsys):
    assert report(tmp_path)[0] == 2
    assert "of any of: hrtf, hrtf-scfp" in capsys.readouterr().err
