"""A table of finished runs: means and deviations over seeds, beside the paper's own numbers."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from s2tf.reporting.paper import PaperTable

SOURCES = ("paper", "ours")
MARKDOWN = re.compile(r"[\\|*<`]")
"""What a cell of Markdown would read instead of show."""


@dataclass(frozen=True)
class Count:
    """Of how many clips or frames a number is."""

    least: int
    """Of the run with the fewest."""
    most: int
    of: int | None = None
    """How many there were, where some may have failed."""

    @property
    def partial(self) -> bool:
        """Whether some are left out."""
        return self.of is not None and self.least < self.of

    def __str__(self) -> str:
        """Such as `3 of 4`, or `3 to 4 of 4`."""
        span = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return span if self.of is None else f"{span} of {self.of}"


@dataclass(frozen=True)
class Cell:
    """A mean over runs, or a number of the paper; in the column's unit."""

    mean: float
    deviation: float | None = None
    """Of the sample of runs; None for a single one."""
    runs: int = 1
    clips: Count | None = None
    """That were measured; None where it is not known."""
    frames: Count | None = None
    """Where the number depends on how many there are; else None."""
    mark: str = ""
    """The letter of the protocol of this number, where there are several: those of equal letters compare."""
    beside: tuple[float | None, float | None] = (None, None)
    """Baseline and truth of the same runs: where clips are left out, others of these tell that other clips are."""

    def text(self, digits: int) -> str:
        """Such as `19.84 ± 1.20`; a dash where there is no number."""
        if math.isnan(self.mean):
            return "–"
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"

    def to_json(self) -> dict[str, Any]:
        """Its number, and the counts that are known."""
        counts = {name: asdict(one) for name in ("clips", "frames") if (one := getattr(self, name)) is not None}
        return {"mean": self.mean, "deviation": self.deviation, "runs": self.runs, **counts}


@dataclass(frozen=True)
class Line:
    """A row as it is shown: whose numbers, of which method, over how many runs."""

    label: str
    """Of a baseline or truth: the row whose clips alone it is of; empty where it is of all clips."""
    source: str
    cells: Sequence[Cell | None]
    runs: int = 0
    mark: str = ""
    """The letter of the protocol, where the table has several."""

    @property
    def is_reference(self) -> bool:
        """Whether it is a baseline or a truth, nobody's result."""
        return self.source not in SOURCES

    @property
    def clips(self) -> Count | None:
        """What clips all of its numbers are of, if all leave out equally many; else None."""
        counts = {cell.clips for cell in self.cells if cell is not None}
        alike = counts.pop() if len(counts) == 1 else None
        return alike if alike is not None and alike.partial else None

    @property
    def whose(self) -> str:
        """Such as `ours (3 seeds, 3 of 4 clips), protocol a`."""
        over = [f"{self.runs} {'run' if self.runs == 1 else 'seeds'}"] if self.source == "ours" else []
        if self.is_reference and self.label:
            over.append("its own clips" if self.clips is None else f"its own {self.clips} clips")
        elif self.clips is not None:
            over.append(f"{self.clips} clips")
        return f"{self.source}{_in_brackets(over)}{self.mark and f', protocol {self.mark}'}"

    def text(self, cell: Cell | None, digits: int, tells_frames: bool) -> str:
        """A cell with what its number leaves out, as far as the line does not say it of all."""
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
        """Line and column of the best of the numbers that compare, where there is more than one."""
        found = set()
        for number, column in enumerate(self.table.columns):
            for group in self._comparable(number) if column.ranked else ():
                if len(group) > 1:
                    best = (max if column.higher_is_better else min)(group.values())
                    found |= {(index, number) for index, value in group.items() if value == best}
        return found

    def _comparable(self, number: int) -> Iterator[dict[int, float]]:
        """The numbers of a column by line: of one source and protocol, of the most clips, of equally many frames."""
        groups: dict[tuple[str, str], dict[int, Cell]] = {}
        for index, line in enumerate(self.lines):
            cell = line.cells[number]
            if not line.is_reference and cell is not None and not math.isnan(cell.mean):
                groups.setdefault((line.source, cell.mark), {})[index] = cell
        for group in groups.values():
            most = max(map(_measured, group.values()))
            # A hard clip that a row leaves out does not make it the best.
            kept = {index: cell for index, cell in group.items() if _measured(cell) == most}
            same_clips = most == math.inf or len({cell.beside for cell in kept.values()}) == 1
            if same_clips and len(_frames(kept.values())) < 2:
                yield {index: cell.mean for index, cell in kept.items()}

    def frames(self, number: int) -> list[int]:
        """The numbers of frames that a column's numbers are of, where these depend on it."""
        return sorted(_frames(cell for line in self.lines if (cell := line.cells[number]) is not None))

    def texts(self) -> list[list[str]]:
        """The lines as text, a cell for each column after label and source."""
        tells_frames = [len(self.frames(number)) > 1 for number in range(len(self.table.columns))]
        rows = []
        for line in self.lines:
            cells = [
                line.text(cell, column.digits, told)
                for cell, column, told in zip(line.cells, self.table.columns, tells_frames, strict=True)
            ]
            rows.append([line.label, line.whose, *cells])
        return rows

    def markdown(self) -> str:
        """With the best numbers in bold and the notes below."""
        best = self.best()
        heads = ["", "", *(column.heading for column in self.table.columns)]
        out = [f"Table {self.table.number}: {self.table.title}", "", _row(heads), _row(["---"] * len(heads))]
        for index, (label, *texts) in enumerate(self.texts()):
            cells = [f"**{text}**" if (index, number - 1) in best else text for number, text in enumerate(texts)]
            out.append(_row([MARKDOWN.sub(r"\\\g<0>", " ".join(label.split())), *cells]))
        return "\n".join([*out, "", *(f"- {note}" for note in self.notes)]) + "\n"

    def csv(self) -> str:
        """A line for each cell: what it is of, its number, and of how many runs, clips and frames that is."""
        out = io.StringIO()
        writer = csv.writer(out)
        heads = ["mean", "deviation", "runs", "protocol", "clips", "frames"]
        writer.writerow(["table", "method", "source", "column", *heads])
        for line in self.lines:
            for cell, column in zip(line.cells, self.table.columns, strict=True):
                if cell is not None:
                    deviation = "" if cell.deviation is None else cell.deviation
                    counts = ("" if one is None else str(one) for one in (cell.clips, cell.frames))
                    numbers = (cell.mean, deviation, cell.runs, line.mark, *counts)
                    writer.writerow([self.table.number, line.label, line.source, column.heading, *numbers])
        return out.getvalue()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        lines = [
            {
                "method": line.label,
                "source": line.source,
                "runs": line.runs,
                "protocol": line.mark,
                "cells": {
                    column.heading: None if cell is None or math.isnan(cell.mean) else cell.to_json()
                    for cell, column in zip(line.cells, self.table.columns, strict=True)
                },
            }
            for line in self.lines
        ]
        return {"table": self.table.number, "title": self.table.title, "lines": lines, "notes": list(self.notes)}


def _measured(cell: Cell) -> float:
    """How many clips all runs of a number have measured at least; more than any number where none is left out."""
    return cell.clips.least if cell.clips is not None and cell.clips.partial else math.inf


def _frames(cells: Iterable[Cell]) -> set[int]:
    return {count for cell in cells if cell.frames is not None for count in (cell.frames.least, cell.frames.most)}


def _in_brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
