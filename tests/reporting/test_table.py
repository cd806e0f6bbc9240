import csv
import io
import math

import pytest

from s2tf.reporting.build_table import build_table
from s2tf.reporting.paper import TABLES, Column, PaperTable, Row
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.write_csv import write_csv
from s2tf.reporting.write_markdown import write_markdown

COLUMNS = (Column("error ↓", "e"), Column("right ↑ (%)", "r", 100, 1, higher_is_better=True))
TABLE = PaperTable(
    "0",
    "made up",
    COLUMNS,
    (Row("old", ("old",), (3.0, 50.0)), Row("new", ("new",), (2.0, 60.0))),
    baseline="without the speech",
    truth="another frame",
    explained="Without the speech: the mean face.",
)
VIDEO_COLUMNS = TABLES["table8"].columns


def scores(experiment, seed, error, right):
    values = {"e": error, "r": right}
    return RunScores(experiment, "", seed, values, {"e": 9.0}, {"e": 0.0, "r": 1.0}, {"clips": 4})


@pytest.fixture
def report():
    old = [scores("old", seed, error, 0.5) for seed, error in enumerate((1.0, 2.0, 3.0))]
    return build_table(TABLE, {"old": old, "new": [scores("new", 0, 2.5, 0.75)]})


def test_runs_are_averaged_in_the_papers_unit_beside_its_numbers(report):
    lines = {(line.label, line.source): line.cells for line in report.lines}
    cell = lines["old", "ours"][0]
    assert (cell.mean, cell.deviation, cell.runs) == (2.0, 1.0, 3)
    assert lines["new", "ours"][1].text(1) == "75.0"
    assert lines["new", "paper"][1].mean == 60.0
    assert lines["", "without the speech"][1] is None
    assert lines["", "another frame"][1].mean == 100.0


def test_the_best_of_the_paper_and_the_best_of_ours_are_bold(report):
    text = write_markdown(report)
    assert "| old | ours (3 seeds) | **2.00 ± 1.00** | 50.0 ± 0.0 |" in text
    assert "| new | ours (1 run) | 2.50 | **75.0** |" in text
    assert "| new | paper | **2.00** | **60.0** |" in text
    assert "clips: 4" in text


def test_rows_without_runs_are_named():
    report = build_table(TABLE, {"new": [scores("new", 0, 2.5, 0.75)]})
    assert any("No finished run yet: old" in note for note in report.notes)


def test_random_weights_are_said():
    run = scores("new", 0, 1.0, 1.0)
    marked = RunScores(**{**vars(run), "random_weights": ("speech_encoder",)})
    assert "RANDOM WEIGHTS in speech_encoder" in write_markdown(build_table(TABLE, {"new": [marked]}))


def test_portraits_that_failed_are_missed_like_clips():
    of_portraits = {name: {"portraits": 3, "failed": 1} for name in ("e", "r")}
    lacking = RunScores(**{**vars(scores("new", 0, 0.5, 0.25)), "counts": of_portraits, "baselines": {"e": 5.0}})
    text = write_markdown(build_table(TABLE, {"old": [scores("old", 0, 2.0, 0.5)], "new": [lacking]}))
    assert "| new | ours (1 run, 3 of 4 clips) | 0.50 | 25.0 |" in text
    assert "|  | without the speech | 9.00 |" in text


def test_csv_and_json_hold_every_number(report):
    rows = list(csv.DictReader(io.StringIO(write_csv(report))))
    ours = [row for row in rows if row["method"] == "old" and row["source"] == "ours"]
    assert [float(row["mean"]) for row in ours] == [2.0, 50.0]
    assert report.to_json()["lines"][1]["cells"]["error ↓"] == {"mean": 2.0, "deviation": 1.0, "runs": 3}
    unknown = build_table(TABLE, {"new": [scores("new", 0, math.nan, 1.0)]})
    assert unknown.to_json()["lines"][2]["cells"]["error ↓"] is None


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_rows_have_a_number_for_each_column(name):
    for row in TABLES[name].rows:
        # Columns of ours alone come last.
        of_paper = len(VIDEO_COLUMNS) if TABLES[name].columns[0] in VIDEO_COLUMNS else len(TABLES[name].columns)
        assert len(row.paper) in (0, of_paper)


@pytest.mark.parametrize("name", ["table7", "table8", "table9"])
def test_the_paper_prints_hrtf_as_the_best_in_every_column_of_its_comparisons(name):
    report = build_table(TABLES[name], {})
    rows = {report.lines[row].label for row, _ in report.best()}
    assert (rows, len(report.best())) == ({"HRTF"}, len(VIDEO_COLUMNS))


def test_attention_costs_four_times_the_linear_maps_in_the_paper():
    linear, attention = (row.paper[-1] for row in TABLES["table5"].rows if not row.optional)
    assert attention / linear == pytest.approx(4.0)


def test_a_row_that_is_not_in_the_paper_says_so():
    table = PaperTable("0", "made up", COLUMNS, (Row("new", ("new",)), Row("control", ("control",), optional=True)))
    text = write_markdown(build_table(table, {"control": [scores("control", 0, 2.5, 0.75)]}))
    assert r"| control [not in the paper] | ours (1 run) |" in text.replace("\\", "")
