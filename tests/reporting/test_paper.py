import math

import pytest
import yaml

from s2tf.errors import UserError
from s2tf.reporting.paper import TABLES, read_tables


def test_printed_numbers_stand_in_their_rows_and_columns():
    table = TABLES["table8"]
    hrtf = next(row for row in table.rows if row.label == "HRTF")
    printed = dict(zip((column.measurement for column in table.columns), hrtf.paper, strict=True))
    assert (printed["LSE-D"], printed["FID"], printed["MAD"]) == (5.41, 26.34, 0.0048)
    assert hrtf.runs == ("hrtf",)


def test_every_published_table_has_rows_and_numbers_for_its_first_columns():
    for table in TABLES.values():
        assert table.rows
        assert all(math.isfinite(number) for row in table.rows for number in row.paper)
        assert all(row.paper or row.runs for row in table.rows)
        assert (table.explained == "") == (table.kind == "efficiency")


def table(**more):
    rows = [{"label": "one", "runs": ["one"], "paper": [1, 2.5]}]
    return {"number": "I", "title": "t", "kind": "k", "columns": ["c", "c"], "notes": [], "rows": rows, **more}


def written(folder, **more):
    parts = {
        "columns": {"c": [{"heading": "C", "measurement": "c"}]},
        "notes": {},
        "kinds": {"k": {"baseline": "b", "truth": "t", "explained": ""}},
        "tables": {"table1": table()},
    }
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump({**parts, **more}))
    return path


def test_a_file_of_tables_is_read_with_its_named_sets_joined(tmp_path):
    one = read_tables(written(tmp_path))["table1"]
    assert [column.heading for column in one.columns] == ["C", "C"]
    assert (one.rows[0].paper, one.baseline) == ((1, 2.5), "b")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tables": {"table1": table(columns=["d"])}}, "tables.table1.columns: 'd', expected one of c"),
        ({"tables": {"table1": table(kind="no")}}, "tables.table1.kind: 'no', expected one of k"),
        ({"tables": {"table1": table(colour=1)}}, "tables.table1: unknown key 'colour'"),
        ({"tables": {"table1": table(rows=[{"runs": ["one"]}])}}, "label is missing"),
        ({"tables": {"table1": table(rows=[{"label": "A", "paper": ["1,5"]}])}}, "A: '1,5', expected a number"),
        ({"tables": {"table1": table(rows=[{"label": "A", "paper": [1, 2, 3]}])}}, "A: 3 numbers, expected one for"),
        ({"tables": {"table1": table(rows=[{"label": "A"}, {"label": "A"}])}}, "expected different labels"),
        ({"columns": {"c": [{"heading": "C"}]}}, "columns.c: measurement is missing"),
        ({"more": {}}, "expected the keys columns, notes, kinds, tables"),
    ],
)
def test_a_mistake_in_a_file_of_tables_is_named_with_file_and_key(tmp_path, wrong, message):
    with pytest.raises(UserError, match="paper.yaml: ") as error:
        read_tables(written(tmp_path, **wrong))
    assert message in str(error.value)
