"""Writes tables of results as CSV: UTF-8, commas, a header, one line for each row."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.atomic_files import atomic_open


def format_table(rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> str:
    """Format rows as CSV.

    Args:
        rows: Values by column; a column that a row lacks is empty.
        first: First columns, written even without a row; the others follow in the order of the rows.
    """
    names = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_table(rows: Sequence[Mapping[str, Any]], path: Path, first: Sequence[str] = ()) -> None:
    """Write rows as a CSV file by an atomic write, since two processes that end at the same time may both write it.

    Bytes of file names that are no UTF-8 are written as backslash escapes, so that every program can read the table.

    Args:
        rows: See `format_table`.
        path: Path of the file.
        first: See `format_table`.
    """
    with atomic_open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        file.write(format_table(rows, first))
