"""The tables of "See the Speaker" (Wang et al.) as data: columns, rows, printed numbers, and our experiments by row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from s2tf.errors import UserError

PUBLISHED = Path(__file__).parent / "published" / "see_the_speaker.yaml"
"""The tables with the numbers that the paper prints."""
NOT_IN_PAPER = "not in the paper"
PARTS = ("columns", "notes", "kinds", "tables")
"""The keys of such a file: sets of columns, sets of notes and kinds of tables by name, and the tables that use them."""


@dataclass(frozen=True)
class Column:
    """One number of a table."""

    heading: str
    measurement: str
    """Its name in a run's `metrics.json`; empty where it is counted from the network."""
    factor: float = 1.0
    """Factor from our unit to the paper's."""
    digits: int = 2
    higher_is_better: bool = False
    ranked: bool = True
    """True if the best number is marked."""


@dataclass(frozen=True)
class Row:
    """One method of a table."""

    label: str
    runs: tuple[str, ...] = ()
    """Names of our experiments that are this row (the folders below `runs`); empty for other people's methods."""
    paper: tuple[float, ...] = ()
    """The printed numbers in the order of the columns; columns after the last of them are ours alone."""
    optional: bool = False
    """True for a row that we add to the paper's, which is marked so: a table without it is complete."""

    @property
    def shown(self) -> str:
        """Label as it is shown."""
        return f"{self.label} [{NOT_IN_PAPER}]" if self.optional else self.label


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper."""

    number: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    kind: str = "portraits"
    """Kind of `metrics.json` that fills the table, see `s2tf evaluate`."""
    baseline: str = "baseline"
    """Name of the line that shows the runs' baselines."""
    truth: str = "ground truth"
    """Name of the line that shows the reference data's own values."""
    explained: str = ""
    """Explanation of baseline and truth; empty where the table has neither."""
    how: str = ""
    """Words that tell the lines of this kind from those of the other kind, in a table of two."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """Kind of further numbers that fill the table, on lines of their own: its name as `kind`, and its words."""
    own_kind: str = ""
    """Kind of the table's own runs, where it is filled with two kinds; see `kinds`."""
    datasets: tuple[str, ...] = ()
    """Data sets of the paper's numbers; empty where the paper names none."""
    only: bool = False
    """True if a run below a folder of runs counts only by the data set of its test clips."""

    @property
    def kinds(self) -> "tuple[PaperTable, ...]":
        """The table by kind of numbers: those of `also` come first, since they are what the paper's are."""
        own = replace(self, also={}, own_kind=self.kind if self.also else "")
        return (replace(own, **{"how": "", **self.also}), own) if self.also else (own,)

    def other_data(self, datasets: Sequence[str]) -> str:
        """Return the data sets in words if they are known and others than the paper's; else an empty text."""
        return ", ".join(datasets) if self.datasets and not set(datasets) <= set(self.datasets) else ""


def read_tables(path: Path) -> dict[str, PaperTable]:
    """Read the tables of a paper from a YAML file such as `PUBLISHED`.

    Args:
        path: A file with the keys `PARTS`. A table names sets of columns and of notes, which are joined in the order
            given, and its kind, which gives baseline, truth and their explanation.

    Raises:
        UserError: A key is missing or unknown, a named set does not exist, a printed number is none, or a row has more
            numbers than its table has columns; the message names the file and the key.
    """
    parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(parts, Mapping) or sorted(parts) != sorted(PARTS):
        raise UserError(f"{path}: expected the keys {', '.join(PARTS)}")
    columns = {
        name: tuple(_build(Column, entry, f"{path}: columns.{name}") for entry in entries)
        for name, entries in parts["columns"].items()
    }
    return {
        name: _table(entry, columns, parts["notes"], parts["kinds"], f"{path}: tables.{name}")
        for name, entry in parts["tables"].items()
    }


def _table(
    entry: Mapping[str, Any],
    columns: Mapping[str, Sequence[Column]],
    notes: Mapping[str, Sequence[str]],
    kinds: Mapping[str, Mapping[str, str]],
    where: str,
) -> PaperTable:
    """Build one table, in which the names of sets are replaced by the sets; `where` names file and key for messages."""
    kind = _named(kinds, entry.get("kind"), f"{where}.kind")
    entry = {**entry, "datasets": tuple(entry.get("datasets", ()))}
    if "also" in entry:
        entry["also"] = {"kind": entry["also"], **_named(kinds, entry["also"], f"{where}.also")}
    joined = {
        key: tuple(one for name in entry.get(key, ()) for one in _named(sets, name, f"{where}.{key}"))
        for key, sets in (("columns", columns), ("notes", notes))
    }
    rows = tuple(_row(row, len(joined["columns"]), f"{where}.rows") for row in entry.get("rows", ()))
    labels = [row.label for row in rows]
    if len(set(labels)) < len(labels):
        raise UserError(f"{where}.rows: {labels}, expected different labels")
    return _build(PaperTable, {**entry, **kind, **joined, "rows": rows}, where)


def _row(entry: Mapping[str, Any], columns: int, where: str) -> Row:
    row = _build(Row, {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}, where)
    for number in row.paper:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise UserError(f"{where}: {row.label}: {number!r}, expected a number")
    if len(row.paper) > columns:
        raise UserError(f"{where}: {row.label}: {len(row.paper)} numbers, expected one for each of {columns} columns")
    return row


def _named(sets: Mapping[str, Any], name: Any, where: str) -> Any:
    if name not in sets:
        raise UserError(f"{where}: {name!r}, expected one of {', '.join(sets)}")
    return sets[name]


def _build(cls: Any, entry: Mapping[str, Any], where: str) -> Any:
    """Build a dataclass from a mapping whose keys must be exactly its fields."""
    known = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(cls)}
    if unknown := [key for key in entry if key not in known]:
        raise UserError(f"{where}: unknown key {unknown[0]!r}, expected {', '.join(known)}")
    if missing := [key for key, needed in known.items() if needed and key not in entry]:
        raise UserError(f"{where}: {missing[0]} is missing")
    return cls(**entry)


TABLES: Mapping[str, PaperTable] = read_tables(PUBLISHED)
