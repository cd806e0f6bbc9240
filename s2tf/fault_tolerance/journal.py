"""Journal of a run: every logged row once, in a file that stays readable if its process is killed."""

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
    """Values that were logged together."""

    row: int
    """Number of the row, from 0."""
    step: int
    time: float
    """Seconds since 1970."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    """Pictures, videos and sounds as files, relative to the run folder."""


class Journal:
    """Rows in the file `history.jsonl` of a run folder, and the functions that follow them.

    A checkpoint holds the number of rows before it. A run that resumes from it cuts off later rows, since it does those
    steps again, and continues the numbers from there: every row exists once, at whatever moment the run was killed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_FILE
        self.rows = 0
        """Number of the next row."""
        self.followers: list[Callable[[Row], None]] = []
        """Functions that are called with each row, and in a resumed run with the earlier rows first."""
        self._waiting: list[Row] = []
        """Rows that wait for room on the disk."""

    def write(self, step: int, metrics: Mapping[str, float], media: Mapping[str, str] | None = None) -> None:
        """Append a row; on a full disk the row waits for the next one, a message says so, and the training goes on."""
        row = Row(self.rows, step, time.time(), dict(metrics), dict(media or {}))
        self.rows += 1
        self._waiting.append(row)
        self.to_disk(sync=False)
        self._tell(row)

    def to_disk(self, sync: bool = True) -> None:
        """Append the rows that wait; with `sync` they survive a crash of this machine, too."""
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
        """Keep the first `rows` rows, and hand them to the followers."""
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
    """Read the rows of a run folder, without the broken lines that a killed process or machine leaves."""
    rows = []
    for tree in read_lines(folder / JOURNAL_FILE):
        with contextlib.suppress(TypeError):
            rows.append(Row(**tree))
    return rows
