"""Measurements of any system in the paper's tables, from files."""

import json
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
    status = main(["report", table, "--runs", str(folder / "runs"), *given, "--json", str(out), *more])
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
    assert "| 50 % <b> | ours (1 run) |" in texts["md"]
    assert r"50 \% \textless{}b\textgreater{} & ours (1 run) &" in texts["tex"]
    assert "50 % &lt;b&gt;" in texts["html"]
    assert "VIII,50 % <b>,ours,LSE-D ↓,5.0,,1," in texts["csv"]
    printed = " ".join(capsys.readouterr().out.split())
    for doubt in ("subtracted as uint8", "LSE as relative", "FID falls with the number of frames"):
        assert doubt in printed
    assert "not checked to be what their names say: 50 % <b>." in printed
    assert "Tables VII to IX have the same runs of ours, of the data named below: HRTF." in printed


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
        ("table7:other=other", "of another table than table8"),
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
