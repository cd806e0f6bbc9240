"""What `s2tf evaluate` shows: numbers that differ look different, and a log says how far it is."""

import io
import re

import pytest
from rich.console import Console
from video_folders import evaluate, talking, write

from s2tf.evaluation import progress as screen
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.progress import progress, time_left
from s2tf.evaluation.score_table import aligned, heading, score_table, significant
from s2tf.evaluation.scores import Scores

COPY = "source frame copied"


def shown(measurements, width=200, failures=()):
    console = Console(file=io.StringIO(), width=width)
    console.print(score_table(Scores("videos", "mine", measurements, {"clips": 4}, [], failures=failures)))
    return console.file.getvalue()


def measured(name, value, baseline=0.0, baseline_name=COPY, failed=0, higher=False):
    counts = {"clips": 4 - failed, "failed": failed}
    beside = {"baseline": baseline, "baseline_name": baseline_name, "truth": 0.00123456}
    return Measurement(name, value, {"x": 1}, **beside, counts=counts, higher_is_better=higher)


def test_numbers_have_four_significant_digits_whatever_their_size():
    assert [significant(value) for value in (0.0042, 0.00484, 31.2468, 100.0, 12345.6, -0.98765, 0.0)] == [
        *("0.004200", "0.004840", "31.25", "100.0", "12346", "-0.9877", "0")
    ]
    assert (significant(float("nan")), significant(1e-12)) == ("nan", "0.000000000")
    # The paper's best and second best MAD on VoxCeleb and HDTF.
    text = shown([measured("MAD", 0.0042), measured("other", 0.0048)])
    assert "0.004200" in text
    assert "0.004800" in text


def test_points_are_below_each_other():
    assert aligned([31.2468, 0.0042, None, -5.0]) == ["31.25    ", " 0.004200", "         ", "-5.000   "]
    assert aligned([]) == []


def test_which_way_is_better_and_the_unit_are_told():
    assert heading(measured("PSNR", 1, higher=True)) == "PSNR ↑ (dB)"
    assert heading(measured("LSE-D", 1)) == "LSE-D ↓"
    assert heading(measured("AV offset", 1)) == "AV offset ↓ (frames)"
    # Best near the truth.
    assert heading(measured("pose step: roll", 1, higher=None)) == "pose step: roll"


def test_a_baseline_of_one_name_is_named_once_and_failed_clips_are_counted():
    whole = shown([measured("MAD", 0.5), measured("FID", 0.5)])
    assert whole.count(COPY) == 1
    assert "failed" not in whole
    lines = [{"clip": "a", "what": what, "reason": "x"} for what in ("mad", "fid")]
    text = shown([measured("MAD", 0.5, failed=1), measured("FID", 0.5, baseline_name="no motion")], failures=lines)
    assert "mine: 4 test clips, 1 failed" in text
    assert f"0 ({COPY})" in text
    assert "0 (no motion)" in text
    row = next(line for line in text.splitlines() if "MAD" in line)
    assert row.rstrip("│ ").endswith("1")


def test_outside_a_terminal_a_row_is_a_line_and_a_path_is_whole(tmp_path, capsys):
    long = "/".join(["a folder of a long name"] * 6)
    for number, key in enumerate("ab"):
        write(tmp_path / long / "true" / f"{key}.mp4", talking(number))
    write(tmp_path / long / "made" / "a.mp4", talking(5))
    assert evaluate(tmp_path / long) == 3
    lines = capsys.readouterr().out.splitlines()
    assert f"failed: b: all: no generated video for {tmp_path / long / 'true' / 'b.mp4'}" in lines
    assert f"written to {tmp_path / long / 'made-evaluation'}" in lines
    (psnr,) = [line for line in lines if "PSNR" in line]
    assert len(re.findall(r"\d+\.\d+", psnr)) == 3


def test_a_log_says_how_far_it_is_now_and_then(tmp_path, capsys, monkeypatch):
    for number, key in enumerate("abcd"):
        for name in ("true", "made"):
            write(tmp_path / name / f"{key}.mp4", talking(number))
    monkeypatch.setattr(screen, "LINE_INTERVAL", 0)
    assert evaluate(tmp_path) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "clips done" in line]
    assert told[0] == "0 of 4 clips done: a"
    assert re.fullmatch(r"3 of 4 clips done, about \d+ s left: d", told[-1])
    # What is there is not done again, and says nothing of the time.
    (tmp_path / "made-evaluation" / "clips" / "pixels" / "c.safetensors").unlink()
    assert evaluate(tmp_path) == 0
    assert "3 of 4 clips done: c" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("hours", "most"), [(0.05, 5), (10, 70)])
def test_lines_of_progress_are_rare_and_the_log_never_silent_for_long(monkeypatch, hours, most):
    now = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=80)
    times = []
    with progress(console, "measuring") as report:
        assert console.file.getvalue() == "measuring\n"
        for second in range(int(hours * 3600)):
            now[0] = float(second)
            before = console.file.tell()
            report("clip")
            if console.file.tell() > before:
                times.append(second)
    gaps = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert 0 < len(times) <= most
    assert min(gaps) >= 30
    assert all(gap <= max(31, 0.12 * time) for gap, time in zip(gaps, times, strict=True))


def test_time_left_is_in_the_unit_that_suits_it():
    assert [time_left(seconds) for seconds in (40, 119, 150, 7000, 9000)] == [
        *("about 40 s left", "about 119 s left", "about 2 min left", "about 117 min left", "about 2 h left")
    ]
