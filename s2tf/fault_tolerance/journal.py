"""The journal of a run: every logged row once, in a file that a killed process leaves whole."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.fault_tolerance.json_lines import append_line, read_lines
from s2tf.fault_tolerance.messages import say

JOURNAL_FILE = "history.jsonl"


@dataclass(frozen=True)
class Row:
    """What was logged at once."""

    row: int
    """Its number, from 0."""
    step: int
    time: float
    """In seconds since 1970."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    """Pictures, videos and sounds as files, relative to the run folder."""


class Journal:
    """Rows in the file `history.jsonl` of a run folder, and whoever follows them.

    A checkpoint holds how many rows there were. A run that goes on from it cuts off what was written afterwards, since
    it will do those steps again, and numbers its rows on from there: each row is there once, whenever the run was
    killed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_FILE
        self.rows = 0
        """The number of the next row."""
        self.followers: list[Callable[[Row], None]] = []
        """Called with each row, and, where a run goes on, with those that it begins with."""
        self._waiting: list[Row] = []
        """Rows for which the disk has no room."""

    def write(self, step: int, metrics: Mapping[str, float], media: Mapping[str, str] | None = None) -> None:
        """Append a row; where the disk is full it waits for the next one, which is said, and the training goes on."""
        row = Row(self.rows, step, time.time(), dict(metrics), dict(media or {}))
        self.rows += 1
        self._waiting.append(row)
        self.to_disk(sync=False)
        self._tell(row)

    def to_disk(self, sync: bool = True) -> None:
        """Append the rows that wait; with `sync` they outlive this machine's fall, too."""
        waited = len(self._waiting) > 1
        try:
            while self._waiting:
                append_line(self.path, json.dumps(asdict(self._waiting[0])))
                self._waiting.pop(0)
            if sync and self.path.is_file():
                _sync(self.path)
        except OSError as error:
            if not waited:
                say(f"{self.path}: {error.strerror}: rows wait for room")

    def go_on(self, rows: int) -> None:
        """Keep the first `rows` rows, and tell them to the followers."""
        by_number = {row.row: row for row in read_journal(self.path.parent)}
        kept = [by_number[number] for number in range(rows) if number in by_number]
        if len(kept) < rows:
            say(f"{self.path}: {rows - len(kept)} of {rows} rows were lost")
        atomic_write(self.path, "".join(json.dumps(asdict(row)) + "\n" for row in kept))
        self.rows = rows
        for row in kept:
            self._tell(row)

    def _tell(self, row: Row) -> None:
        for follow in self.followers:
            follow(row)


def _sync(path: Path) -> None:
    with open(path, "a") as file:
        os.fsync(file.fileno())


def read_journal(folder: Path) -> list[Row]:
    """The rows of a run folder; without lines that are no rows, as a killed process or machine leaves them."""
    rows = []
    for tree in read_lines(folder / JOURNAL_FILE):
        with contextlib.suppress(TypeError):
            rows.append(Row(**tree))
    return rows
