import pytest

from s2tf.errors import UserError
from s2tf.tables.read_table import match_files, read_rows, read_table
from s2tf.tables.write_table import write_table

TEXT = "path,identity\nZoë.mp4,zoë\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_every_spreadsheet_program_are_read(tmp_path, encoding, delimiter, end):
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT.replace(",", delimiter).replace("\n", end).encode(encoding))
    (row,) = read_table(path, ("path", "identity"))
    assert dict(row.cells) == {"path": "Zoë.mp4", "identity": "zoë"}
    assert row["age"] == ""
    assert row.where == f"{path}, line 2"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TEXT.encode("latin-1"), r"t\.csv: byte 0xeb in line 2 is no UTF-8: .* `iconv -f ISO-8859-1 -t UTF-8`"),
        (TEXT.encode("utf-16-le"), r"t\.csv: it has zero bytes, as UTF-16 has: .*iconv -f UTF-16LE"),
        (TEXT.encode("utf-16-be"), r"t\.csv: it has zero bytes, as UTF-16 has: .*iconv -f UTF-16BE"),
        (b"", r"t\.csv: expected the columns path, identity, got none"),
        (b"file,who\n", r"t\.csv: expected the columns path, identity, got file, who"),
        (b"path;who\n", r"t\.csv: expected the columns path, identity, got path, who"),
        (b"path,identity,path\n", r"t\.csv: several columns are named path"),
        (b"path,identity\na, b.mp4,zoe\n", r"t\.csv, line 2: 3 cells, expected 2 .*quotation marks"),
        (b'path,identity\n"a.mp4,zoe\nb.mp4,zoe\n', r"t\.csv, line 3: cannot be read as CSV: unexpected end"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_way_out(tmp_path, data, message):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_table(path, ("path", "identity"))


def test_cells_lose_their_spaces_blank_lines_are_skipped_and_short_rows_are_filled(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\n Path , IDENTITY,age\n\n"a, b.mp4" , zoe\n,,\nc.mp4,zoe,7,,\n'.replace('" ,', '",'))
    rows = read_table(path, ("path", "identity"))
    assert [tuple(row.cells.values()) for row in rows] == [("a, b.mp4", "zoe", ""), ("c.mp4", "zoe", "7")]
    assert [row.line for row in rows] == [4, 6]


def test_comments_are_no_rows_whatever_is_in_them(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text('# "not closed\na,1\n  # x\nb,2\n', encoding="utf-8-sig")
    assert list(read_rows(path, comment="#")) == [(2, ["a", "1"]), (4, ["b", "2"])]


def test_rows_that_match_no_file_are_listed_and_so_are_files_with_two_rows(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    path = tmp_path / "index.csv"
    write_table([{"path": "a.mp4"}, *({"path": f"no{number}.mp4"} for number in range(7))], path)
    with pytest.raises(UserError, match=r"7 of 8 rows match no file: 'no0.mp4' \(line 3\), .*'no4.mp4' .* and 2 more"):
        match_files(read_table(path, ("path",)), "path")
    write_table([{"path": "a.mp4"}, {"path": "b.mp4"}, {"path": "./a.mp4"}], path)
    with pytest.raises(UserError, match=r"1 of 3 rows name a file that another row names: './a.mp4' \(lines 2 and 4\)"):
        match_files(read_table(path, ("path",)), "path")


def test_what_is_written_is_read_again(tmp_path):
    rows = [{"name": 'a "b", c; d', "reason": "two\nlines"}, {"name": "真実", "other": 1.5}]
    write_table(rows, tmp_path / "t.csv", ("name",))
    found = read_table(tmp_path / "t.csv", ("name", "other"))
    assert [row["name"] for row in found] == ['a "b", c; d', "真実"]
    assert (found[0]["reason"], found[1]["other"]) == ("two\nlines", "1.5")


def test_a_name_that_is_no_utf8_leaves_the_table_readable(tmp_path):
    write_table([{"name": "caf\udce9"}], tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv", ("name",))[0]["name"] == "caf\\udce9"
