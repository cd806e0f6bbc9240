"""Reads tables and lists of users: CSV or TSV by any spreadsheet program, in UTF-8 or with a byte order mark."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2tf.errors import UserError
from s2tf.tables.names import FileFinder, listed

DELIMITERS = (",", "\t", ";")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and their encodings."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table with a header."""

    path: Path
    line: int
    cells: Mapping[str, str]
    """Text of each column without spaces around it; empty where the row has none."""

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def where(self) -> str:
        """The row's place, for messages."""
        return f"{self.path}, line {self.line}"


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in the encoding that its byte order mark names; the mark is left out.

    Raises:
        UserError: The file has another encoding; the message names its first such byte and the way to convert it.
        OSError: The file cannot be opened.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    if encoding.startswith("utf-8") and b"\0" in data:
        # In UTF-16 nearly every second byte of a table is zero.
        if data.count(b"\0") < len(data) / 4:
            line = data.count(b"\n", 0, data.index(b"\0")) + 1
            raise UserError(f"{path}, line {line}: a zero byte, expected text in UTF-8: delete it")
        order = "UTF-16BE" if data.startswith(b"\0") else "UTF-16LE"
        raise _not_utf8(path, "it has zero bytes, as UTF-16 has", order)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} in line {line} is no {encoding.removesuffix('-sig').upper()}"
        raise _not_utf8(path, found, "ISO-8859-1") from error


def _not_utf8(path: Path, found: str, likely: str) -> UserError:
    return UserError(
        f"{path}: {found}: expected text in UTF-8: save it as UTF-8 (in a spreadsheet program: CSV UTF-8), or convert "
        f"it by `iconv -f {likely} -t UTF-8`"
    )


def read_rows(path: Path, delimiter: str = ",", comment: str = "") -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a table without a header: number of the line, and its cells without spaces around them.

    Args:
        path: The table.
        delimiter: Character between two cells.
        comment: Beginning of lines that are skipped; empty for none. Blank lines are always skipped.

    Raises:
        UserError: The file is no UTF-8, or a quotation mark is not closed.
        OSError: The file cannot be opened.
    """
    yield from _parsed(path, read_text(path), delimiter, comment)


def _parsed(path: Path, text: str, delimiter: str, comment: str = "") -> Iterator[tuple[int, list[str]]]:
    lines: Iterable[str] = io.StringIO(text, newline="")
    if comment:
        lines = ("\n" if line.lstrip().startswith(comment) else line for line in lines)
    # Strict, since a quotation mark that is not closed would swallow all rows after it.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: cannot be read as CSV: {error}") from error


def read_table(path: Path, required: Sequence[str]) -> list[TableRow]:
    """Read a table with a header, whose columns are separated by commas, tabs or semicolons.

    Args:
        path: The table.
        required: Columns that it must have. Names of columns are read in lower case.

    Raises:
        UserError: The file is no UTF-8 and no CSV, lacks a column, or has a row with more cells than columns.
        OSError: The file cannot be opened.
    """
    text = read_text(path)
    # The delimiter is the one that finds the columns.
    headers = {delimiter: _header(path, text, delimiter) for delimiter in DELIMITERS}
    delimiter = next((one for one, columns in headers.items() if set(required) <= set(columns)), None)
    if delimiter is None:
        found = max(headers.values(), key=len)
        raise UserError(f"{path}: expected the columns {', '.join(required)}, got {', '.join(found) or 'none'}")
    columns = headers[delimiter]
    if twice := sorted({name for name in columns if name and columns.count(name) > 1}):
        raise UserError(f"{path}: several columns are named {', '.join(twice)}, expected different names")
    # The rows below the header.
    rows = []
    parsed = _parsed(path, text, delimiter)
    next(parsed)
    for line, cells in parsed:
        if any(cells[len(columns) :]):
            raise UserError(
                f"{path}, line {line}: {len(cells)} cells, expected {len(columns)} ({', '.join(columns)}): a name "
                f"with {delimiter!r} in it needs quotation marks around it"
            )
        padded = [*cells, *[""] * len(columns)][: len(columns)]
        rows.append(TableRow(path, line, dict(zip(columns, padded, strict=True))))
    return rows


def _header(path: Path, text: str, delimiter: str) -> list[str]:
    try:
        _, columns = next(_parsed(path, text, delimiter), (0, []))
    except UserError:
        # With another delimiter the quotation marks can be right.
        return []
    return [name.lower() for name in columns]


def match_files(rows: Sequence[TableRow], column: str) -> dict[Path, TableRow]:
    """Find the file of each row of a table; the keys are resolved paths.

    Args:
        rows: Rows of one table.
        column: Column with the paths, relative to the table.

    Raises:
        UserError: Rows match no file, or several rows name one file; the message lists them.
    """
    found: dict[Path, TableRow] = {}
    lost, twice = [], []
    finder = FileFinder(rows[0].path.parent) if rows else None
    for row in rows:
        file = finder.find(row[column]) if finder is not None and row[column] else None
        if file is None:
            lost.append(f"{row[column]!r} (line {row.line})")
        elif (first := found.setdefault(file.resolve(), row)) is not row:
            twice.append(f"{row[column]!r} (lines {first.line} and {row.line})")
    refuse_rows(rows, lost, "match no file", "correct or delete these rows")
    refuse_rows(rows, twice, "name a file that another row names", "expected one row for each file")
    return found


def refuse_rows(rows: Sequence[TableRow], wrong: Sequence[str], fault: str, advice: str) -> None:
    """Refuse a table in which some rows are wrong; the message lists them.

    Args:
        rows: All rows of the table.
        wrong: Name of each wrong row.
        fault: Fault of the wrong rows.
        advice: Advice to the user.

    Raises:
        UserError: A row is wrong.
    """
    if wrong:
        raise UserError(f"{rows[0].path}: {len(wrong)} of {len(rows)} rows {fault}: {listed(wrong)}: {advice}")
