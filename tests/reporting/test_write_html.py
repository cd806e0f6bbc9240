import pytest
from html_page import Page

from s2tf.reporting.build_table import build_table
from s2tf.reporting.paper import TABLES, Column, PaperTable, Row
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.write_html import Section, write_html, write_page

TABLE = PaperTable(
    "0",
    "made <up>",
    (Column("error ↓", "e"), Column("right ↑", "r", higher_is_better=True)),
    (Row("old", (), (3.0, 1.0)),),
    baseline="without the speech",
    explained="Without the speech: the mean face.",
)


def report(marks=("",)):
    runs = [
        RunScores("x", "", 0, {"e": 2.0, "r": 0.5}, {"e": 9.0}, {}, {"a": mark}, ("net",), mark=mark) for mark in marks
    ]
    return build_table(TABLE, {f'<b>&"{run.mark}': [run] for run in runs}, ["1 < 2"])


def test_a_page_is_well_formed_and_names_are_text():
    page = Page(write_html(report()))
    assert all(len(row) == 4 for row in page.rows)
    assert page.rows[1] == ["old", "paper", "3.00", "1.00"]
    assert page.rows[2] == ['<b>&"', "ours (1 run)", "2.00", "0.50"]
    assert page.rows[3] == ["", "without the speech", "9.00", ""]
    assert not page.all("b")
    assert "1 < 2" in page.words
    assert page.all("title") == [{}]
    assert "Table 0: made <up>" in page.words


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_paper_is_a_page_that_loads_nothing(name):
    text = write_html(build_table(TABLES[name], {}))
    page = Page(text)
    assert {len(row) for row in page.rows} == {2 + len(TABLES[name].columns)}
    assert not {"link", "script", "iframe"} & {tag for tag, _ in page.elements}
    assert "http" not in text
    assert "url(" not in text


def test_the_page_is_for_phones_keys_and_dark_rooms():
    text = write_html(report())
    page = Page(text)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert page.all("html") == [{"lang": "en"}]
    (frame,) = [attributes for attributes in page.all("div") if attributes["class"] == "scroll"]
    assert frame["tabindex"] == "0"
    assert frame["aria-label"] == "Table 0: made <up>"
    assert "prefers-color-scheme: dark" in text
    assert [attributes["scope"] for attributes in page.all("th")[:4]] == ["col"] * 4


def test_warnings_stand_out():
    warnings = [a for a in Page(write_html(report("ab"))).all("li") if a.get("class") == "warning"]
    assert len(warnings) == 2


def test_a_baseline_of_one_rows_clips_names_the_row():
    runs = {
        name: [RunScores("x", "", 0, {"e": 2.0}, {"e": value}, {}, {"clips": 4}, counts={"e": {"failed": 1}})]
        for name, value in (("<i>", 8.0), ("two", 9.0))
    }
    rows = Page(write_html(build_table(TABLE, runs))).rows
    whose = "without the speech (its own 3 of 4 clips)"
    assert rows[-2:] == [["<i>", whose, "8.00", ""], ["two", whose, "9.00", ""]]


def test_several_sections_are_linked():
    page = Page(write_page("t", [Section("one", "<1>", "<p>a</p>"), Section("two", "2", "")]))
    assert [link["href"] for link in page.all("a")] == ["#one", "#two"]
    assert [section["id"] for section in page.all("section")] == ["one", "two"]
    assert not Page(write_html(report())).all("a")
