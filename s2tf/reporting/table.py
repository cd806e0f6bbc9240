"""A table of finished runs: means and deviations over seeds, beside the paper's own numbers."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from s2tf.reporting.paper import PaperTable

SOURCES = ("paper", "ours")
"""Sources of the lines that are results; other lines are baselines and truths."""


@dataclass(frozen=True)
class Count:
    """Number of clips or frames behind a number."""

    least: int
    """Count of the run with the fewest."""
    most: int
    of: int | None = None
    """Number of those given, where some may have failed."""

    @property
    def partial(self) -> bool:
        """True if some are left out."""
        return self.of is not None and self.least < self.of

    def __str__(self) -> str:
        """Return a text such as `3 of 4`, or `3 to 4 of 4`."""
        span = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return span if self.of is None else f"{span} of {self.of}"


@dataclass(frozen=True)
class Cell:
    """A mean over runs, or a number of the paper; in the column's unit."""

    mean: float
    deviation: float | None = None
    """Deviation of the sample of runs; None for a single run."""
    runs: int = 1
    clips: Count | None = None
    """Clips that were measured; None where their number is unknown."""
    frames: Count | None = None
    """Frames behind the number, where it depends on how many there are; else None."""
    mark: str = ""
    """Letter of this number's protocol where there are several: numbers of equal letters can be compared."""
    references: tuple[float | None, float | None] = (None, None)
    """Baseline and truth of the same runs: where clips are left out, equal ones show that the clips are the same."""

    def text(self, digits: int) -> str:
        """Return a text such as `19.84 ± 1.20`; a dash where there is no number."""
        if math.isnan(self.mean):
            return "–"
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"

    def to_json(self) -> dict[str, Any]:
        """Return its number, and the counts that are known."""
        counts = {name: asdict(one) for name in ("clips", "frames") if (one := getattr(self, name)) is not None}
        return {"mean": self.mean, "deviation": self.deviation, "runs": self.runs, **counts}


@dataclass(frozen=True)
class Line:
    """A row as it is shown: the numbers of one method from one source."""

    label: str
    """The method; for a baseline or truth the row whose clips it covers, empty where it covers all clips."""
    source: str
    cells: Sequence[Cell | None]
    runs: int = 0
    mark: str = ""
    """Letter of the protocol where the table has several."""
    how: str = ""
    """Words for the kind of its numbers, in a table of two kinds."""
    data: str = ""
    """Data sets of its clips, if they are others than those of the paper's numbers."""

    @property
    def is_reference(self) -> bool:
        """True for a baseline or a truth."""
        return self.source not in SOURCES

    @property
    def clips(self) -> Count | None:
        """Number of clips behind all of its numbers, if they leave out equally many; else None."""
        counts = {cell.clips for cell in self.cells if cell is not None}
        alike = counts.pop() if len(counts) == 1 else None
        return alike if alike is not None and alike.partial else None

    @property
    def whose(self) -> str:
        """The source in words, such as `ours (3 seeds, 3 of 4 clips), protocol a`."""
        over = [f"{self.runs} {'run' if self.runs == 1 else 'seeds'}"] if self.source == "ours" else []
        if self.is_reference and self.label:
            over.append("its own clips" if self.clips is None else f"its own {self.clips} clips")
        elif self.clips is not None:
            over.append(f"{self.clips} clips")
        how, mark, data = self.how and f", {self.how}", self.mark and f", protocol {self.mark}", self.data
        return f"{self.source}{how}{_in_brackets(over)}{mark}{data and f', on {data}'}"

    def text(self, cell: Cell | None, digits: int, tells_frames: bool) -> str:
        """Return a cell's number with its seeds, clips and frames, unless the whole line shares them."""
        if cell is None:
            return ""
        about = []
        if self.source == "ours" and cell.runs < self.runs:
            about.append(f"{cell.runs} of {self.runs} seeds")
        if cell.clips is not None and cell.clips.partial and self.clips is None:
            about.append(f"{cell.clips} clips")
        if cell.frames is not None and tells_frames:
            about.append(f"{cell.frames} frames")
        return f"{cell.text(digits)}{_in_brackets(about)}"


@dataclass(frozen=True)
class ReportTable:
    """The paper's table with our lines in it."""

    table: PaperTable
    lines: Sequence[Line]
    notes: Sequence[str] = field(default=())

    def best(self) -> set[tuple[int, int]]:
        """Return line and column of the best of the numbers that can be compared, where there are at least two."""
        found = set()
        for number, column in enumerate(self.table.columns):
            for group in self._comparable(number) if column.ranked else ():
                if len(group) > 1:
                    best = (max if column.higher_is_better else min)(group.values())
                    found |= {(index, number) for index, value in group.items() if value == best}
        return found

    def _comparable(self, number: int) -> Iterator[dict[int, float]]:
        """Yield a column's numbers by line, in groups of one source, protocol, number of clips and of frames."""
        groups: dict[tuple[str, ...], dict[int, Cell]] = {}
        for index, line in enumerate(self.lines):
            cell = line.cells[number]
            if not line.is_reference and cell is not None and not math.isnan(cell.mean):
                groups.setdefault((line.source, line.how, cell.mark), {})[index] = cell
        for group in groups.values():
            most = max(map(_measured, group.values()))
            # Leaving out a hard clip must not make a row the best.
            kept = {index: cell for index, cell in group.items() if _measured(cell) == most}
            same_clips = most == math.inf or len({cell.references for cell in kept.values()}) == 1
            if same_clips and len(_frames(kept.values())) < 2:
                yield {index: cell.mean for index, cell in kept.items()}

    def frames(self, number: int) -> list[int]:
        """Return the numbers of frames behind a column's numbers, where these depend on it."""
        return sorted(_frames(cell for line in self.lines if (cell := line.cells[number]) is not None))

    def texts(self) -> list[list[str]]:
        """Return the lines as text: label, source, and a cell for each column."""
        tells_frames = [len(self.frames(number)) > 1 for number in range(len(self.table.columns))]
        rows = []
        for line in self.lines:
            cells = [
                line.text(cell, column.digits, told)
                for cell, column, told in zip(line.cells, self.table.columns, tells_frames, strict=True)
            ]
            rows.append([line.label, line.whose, *cells])
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return the table as a JSON object."""
        lines = [
            {
                "method": line.label,
                "source": line.source,
                "runs": line.runs,
                "protocol": line.mark,
                **{key: value for key, value in (("how", line.how), ("data", line.data)) if value},
                "cells": {
                    column.heading: None if cell is None or math.isnan(cell.mean) else cell.to_json()
                    for cell, column in zip(line.cells, self.table.columns, strict=True)
                },
            }
            for line in self.lines
        ]
        return {"table": self.table.number, "title": self.table.title, "lines": lines, "notes": list(self.notes)}


def _measured(cell: Cell) -> float:
    """Return the number of clips that all runs of a cell have measured; infinity where none is left out."""
    return cell.clips.least if cell.clips is not None and cell.clips.partial else math.inf


def _frames(cells: Iterable[Cell]) -> set[int]:
    return {count for cell in cells if cell.frames is not None for count in (cell.frames.least, cell.frames.most)}


def _in_brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""
