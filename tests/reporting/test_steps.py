"""The page names what the steps of a chain lack."""

import pytest

from s2tf.cli import main
from s2tf.reporting.steps import read_step, steps_sections

LEDGER = "clip,step,reason\na,read,cannot read a\nb,read,cannot read b\nc,size,too small\n"


@pytest.fixture
def step(tmp_path):
    """Writes a step's folder with files of these names and texts; returns it."""

    def write(name, **files):
        folder = tmp_path / f"{name}-0123abcd"
        folder.mkdir()
        for file, text in files.items():
            (folder / file.replace("_", ".")).write_text(text)
        return folder

    return write


def test_a_whole_result_has_nothing_to_say(step):
    end = read_step(step("conre-seed0", done_json="{}", log_txt="$ s2tf fit\nfailed: not really\n"))
    assert (end.name, end.state, end.lacks) == ("conre-seed0", "done", False)
    assert steps_sections([end]) == []


def test_recordings_that_were_left_out_are_counted_by_reason(step):
    end = read_step(step("clips", done_json="{}", failures_csv=LEDGER, absent_csv="clip,step,reason\nd,absent,no d\n"))
    assert end.state == "done"
    assert end.reasons == [
        "1 left out, absent: d: no d",
        "2 left out, read: a: cannot read a; b: cannot read b",
        "1 left out, size: c: too small",
    ]
    assert "cannot read b" in steps_sections([end])[0].body


def test_clips_that_a_training_passed_over_are_named_once(step):
    line = "skipped broken sample 1 of at most 10: x.tar: sample 'a': no JPEG\n"
    end = read_step(step("conre", done_json="{}", log_txt=f"$ s2tf fit\n{line}{line}"))
    assert end.reasons == ["1 damaged, passed over: x.tar: sample 'a': no JPEG"]


def test_a_partial_result_says_what_is_missing_by_its_last_attempt(step):
    log = "$ s2tf evaluate\nfailed: old: pixels: gone\n$ s2tf evaluate\nfailed: b: pixels: no video\nwritten to x\n"
    end = read_step(step("videos", partial_json="{}", log_txt=log))
    assert (end.state, end.reasons) == ("partial", ["failed: b: pixels: no video"])
    inherited = read_step(step("compare", partial_json="{}", log_txt="$ s2tf compare\nwritten\n"))
    assert inherited.reasons == ["a step that it needs has no whole result"]


def test_a_failed_step_and_one_that_did_not_run_are_told_apart(step, tmp_path):
    failed = read_step(step("bad", log_txt="$ s2tf fit\nSeed set to 0\ns2tf fit: no folder 'x'\n"))
    assert (failed.state, failed.reasons) == ("failed", ["s2tf fit: no folder 'x'"])
    assert read_step(tmp_path / "waits-89abcdef").state == "not run"


def test_the_page_has_them(step, tmp_path, capsys):
    folder = step("talking", done_json="{}", failures_csv=LEDGER)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure10.png").write_bytes(_png())
    words = ["--runs", str(tmp_path), "--steps", str(folder), "--figures", str(tmp_path / "figures")]
    assert main(["report", "page", *words, "--out", str(tmp_path / "page")]) == 0
    said = capsys.readouterr().out
    assert "shown: figure10" in said
    assert "not shown: figure11: not drawn" in said
    assert "2 left out, read: a: cannot read a" in (tmp_path / "page" / "report.html").read_text()


def _png():
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG")
    return out.getvalue()
