"""One page of all that there is."""

import base64
import io
import json

import numpy as np
import pytest
from html_page import Page
from PIL import Image
from written_scores import video_scores

from s2tf.cli import main


def write_picture(path, height=24):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(height).integers(0, 255, (height, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def pictures(page):
    """What the pictures of a page show, as bytes are their own."""
    found = []
    for image in page.all("img"):
        kind, _, data = image["src"].partition(";base64,")
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert kind == f"data:image/{picture.format.lower()}"
            assert picture.size == (int(image["width"]), int(image["height"]))
        found.append(image["alt"])
    return found


@pytest.fixture
def study(tmp_path):
    """Videos of our own and of another system, portraits of two variants, and a figure that was drawn before."""
    video_scores(tmp_path / "runs" / "hrtf" / "1234", random_weights=["denoiser"])
    write_picture(tmp_path / "runs" / "hrtf" / "1234" / "samples" / "clip<1>.png")
    write_picture(tmp_path / "other" / "samples" / "one.png")
    video_scores(tmp_path / "other", crop="mouth")
    for name in ("table3-both", "table3-conre"):
        for key in "abc":
            for suffix in ("portrait", "true"):
                write_picture(tmp_path / "drawn" / name / "1234" / "samples" / f"{key}.{suffix}.png")
        record = {"random_weights": [], "kind": "portraits"}
        (tmp_path / "drawn" / name / "1234" / "metrics.json").write_text(json.dumps(record))
    write_picture(tmp_path / "out" / "figure10.png", 40)
    return tmp_path


def report(study, *more, runs="runs"):
    return main(["report", "page", "--runs", str(study / runs), "--out", str(study / "out"), *more])


def test_everything_that_there_is_is_on_the_page(study, capsys):
    name = "A&B <i>"
    assert report(study, "--results", f"table8:{name}={study / 'other'}", "--mixed-protocols") == 0
    text = (study / "out" / "report.html").read_text()
    page = Page(text)
    assert pictures(page) == ["Figure 10: the face prior and the number of its faces", "clip<1>", "one"]
    anchors = [section["id"] for section in page.all("section")]
    assert anchors == ["table-VII", "table-VIII", "table-IX", "figure10", "pictures-0", "pictures-1", "left-out"]
    assert [link["href"] for link in page.all("a")] == [f"#{anchor}" for anchor in anchors]
    assert [row[:2] for row in page.rows if row[0] == name] == [[name, "ours (1 run), protocol b"]]
    assert not page.all("i")
    words = "".join(page.words)
    assert "RANDOM WEIGHTS in denoiser: these numbers are no result." in words
    assert "Pictures of hrtf — RANDOM WEIGHTS: denoiser" in words
    assert f"Pictures of {name}" in words
    assert "table3: nothing measured yet" in words
    assert "http" not in text
    printed = capsys.readouterr().out
    assert "not shown: table3: nothing measured yet" in printed


def test_a_table_that_cannot_be_made_is_named_with_its_reason(study, capsys):
    assert report(study, "--results", f"table8:other={study / 'other'}") == 0
    page = Page((study / "out" / "report.html").read_text())
    assert "table-VIII" not in [section["id"] for section in page.all("section")]
    assert "table8: " in "".join(page.words)
    assert "measured by different protocols: crop: None and mouth" in capsys.readouterr().out


def test_portraits_are_drawn_as_a_sheet_and_shown_in_pairs(study, tmp_path):
    write_picture(study / "out" / "portraits.png", 8)
    assert report(study, "--clips", "2", runs="drawn") == 0
    page = Page((study / "out" / "report.html").read_text())
    shown = pictures(page)
    assert shown[:2] == [
        "Figure 10: the face prior and the number of its faces",
        "Test speakers by variant: the reference face, and the portrait by each variant",
    ]
    assert shown[2:] == ["a.portrait", "a.true", "b.portrait", "b.true"] * 2
    assert int(page.all("img")[1]["height"]) > 8
    assert "4 of 6 pictures in" in "".join(page.words)


def test_a_sheet_of_before_is_not_shown_for_runs_that_have_none(study):
    write_picture(study / "out" / "portraits.png", 8)
    assert report(study) == 0
    assert len(pictures(Page((study / "out" / "report.html").read_text()))) == 2


def test_what_the_page_needs_is_said(study, capsys):
    assert report(study, "--results", f"other={study / 'other'}") == 2
    assert "expected its table too: table8:other=..." in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["report", "page", "--runs", str(study / "runs")])
    assert "required: --out" in capsys.readouterr().err
    assert main(["report", "page", "--runs", str(study / "nothing"), "--out", str(study / "empty")]) == 2
    assert "nothing to report" in capsys.readouterr().err


def test_a_seed_without_numbers_does_not_cost_its_table_the_others(study, capsys):
    words = ["--results", f"table8:mine={study / 'other'}", "--results", f"table8:mine={study / 'gone'}"]
    assert report(study, *words, "--mixed-protocols") == 0
    printed = capsys.readouterr().out
    assert f"not shown: table8:mine={study / 'gone'}: missing, as one of several seeds" in printed
    rows = Page((study / "out" / "report.html").read_text()).rows
    assert [row[:2] for row in rows if row[0] == "mine"] == [["mine", "ours (1 run), protocol b"]]
    # Without any seed's numbers the table says what is missing, as before.
    assert report(study, *words[2:], "--mixed-protocols") == 0
    assert f"not shown: table8: {study / 'gone'} is missing" in capsys.readouterr().out
