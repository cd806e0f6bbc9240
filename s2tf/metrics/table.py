"""A table of finished runs: means and deviations over seeds, beside the paper's own numbers."""

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from s2tf.metrics.paper import Column, PaperTable, Row
from s2tf.metrics.software import software_notes

SOURCES = ("paper", "ours")


@dataclass(frozen=True)
class RunScores:
    """What a `metrics.json` says, by measurement."""

    experiment: str
    folder: str
    """Where it is from, for messages: the folder of the file, or the name of a W&B run."""
    seed: int
    values: Mapping[str, float]
    baselines: Mapping[str, float]
    truths: Mapping[str, float]
    protocol: Mapping[str, Any]
    random_weights: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What its numbers leave out, and what they are to be taken with."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by package, see `s2tf.metrics.software`."""
    mark: str = ""
    """The letter of its protocol, where the table has several."""


@dataclass(frozen=True)
class Cell:
    """A mean over runs, or a number of the paper; in the column's unit."""

    mean: float
    deviation: float | None = None
    """Of the sample of runs; None for a single one."""
    runs: int = 1

    def text(self, digits: int) -> str:
        """Such as `19.84 ± 1.20`; a dash where there is no number."""
        if math.isnan(self.mean):
            return "–"
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


@dataclass(frozen=True)
class Line:
    """A row as it is shown: whose numbers, of which method, over how many runs."""

    label: str
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
    def whose(self) -> str:
        """Such as `ours (3 seeds), protocol a`."""
        over = f" ({self.runs} {'run' if self.runs == 1 else 'seeds'})" if self.source == "ours" else ""
        return f"{self.source}{over}{self.mark and f', protocol {self.mark}'}"


@dataclass(frozen=True)
class ReportTable:
    """The paper's table with our lines in it."""

    table: PaperTable
    lines: Sequence[Line]
    notes: Sequence[str] = field(default=())

    def best(self) -> set[tuple[int, int]]:
        """Line and column of the best number of each source and protocol, where there is more than one number."""
        found = set()
        groups = {(line.source, line.mark) for line in self.lines if not line.is_reference}
        for number, column in enumerate(self.table.columns):
            for group in groups:
                values = [
                    (cell.mean, index)
                    for index, line in enumerate(self.lines)
                    if (line.source, line.mark) == group
                    and (cell := line.cells[number]) is not None
                    and cell.mean == cell.mean
                ]
                if column.ranked and len(values) > 1:
                    best = (max if column.higher_is_better else min)(values)[0]
                    found |= {(index, number) for value, index in values if value == best}
        return found

    def texts(self) -> list[list[str]]:
        """The lines as text, a cell for each column after label and source."""
        rows = []
        for line in self.lines:
            cells = [
                "" if cell is None else cell.text(column.digits)
                for cell, column in zip(line.cells, self.table.columns, strict=True)
            ]
            rows.append([line.label, line.whose, *cells])
        return rows

    def markdown(self) -> str:
        """With the best numbers in bold and the notes below."""
        best = self.best()
        heads = ["", "", *(column.heading for column in self.table.columns)]
        out = [f"Table {self.table.number}: {self.table.title}", "", _row(heads), _row(["---"] * len(heads))]
        for index, texts in enumerate(self.texts()):
            cells = [f"**{text}**" if (index, number - 2) in best else text for number, text in enumerate(texts)]
            out.append(_row(cells))
        return "\n".join([*out, "", *(f"- {note}" for note in self.notes)]) + "\n"

    def latex(self) -> str:
        """A `table*`, as `s2tf.metrics.table_latex.write_latex` says."""
        from s2tf.metrics.table_latex import write_latex

        return write_latex(self)

    def html(self) -> str:
        """A page of its own."""
        from s2tf.metrics.table_html import write_page, write_table

        return write_page("See the Speaker", [write_table(self)])

    def csv(self) -> str:
        """A line for each cell: method, source, column, mean, deviation, runs, and the protocol's letter."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["table", "method", "source", "column", "mean", "deviation", "runs", "protocol"])
        for line in self.lines:
            for cell, column in zip(line.cells, self.table.columns, strict=True):
                if cell is not None:
                    deviation = "" if cell.deviation is None else cell.deviation
                    numbers = (cell.mean, deviation, cell.runs)
                    writer.writerow([self.table.number, line.label, line.source, column.heading, *numbers, line.mark])
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
                    column.heading: None if cell is None or math.isnan(cell.mean) else asdict(cell)
                    for cell, column in zip(line.cells, self.table.columns, strict=True)
                },
            }
            for line in self.lines
        ]
        return {"table": self.table.number, "title": self.table.title, "lines": lines, "notes": list(self.notes)}


def build_table(table: PaperTable, scores: Mapping[str, Sequence[RunScores]], notes: Sequence[str] = ()) -> ReportTable:
    """Put runs into the paper's table.

    Args:
        table: The paper's.
        scores: The runs of each row, by its label, all of one mark; rows without runs show the paper's numbers alone.
            What is no row of the paper's becomes one, below them.
        notes: What else is to be said below.
    """
    others = (Row(label, (), ()) for label in scores if label not in {row.label for row in table.rows})
    lines: list[Line] = []
    for row in (*table.rows, *others):
        if row.paper:
            cells: list[Cell | None] = [Cell(value) for value in row.paper]
            cells += [None] * (len(table.columns) - len(row.paper))
            lines.append(Line(row.label, "paper", cells))
        if runs := scores.get(row.label):
            ours = [_mean(runs, column, "values") for column in table.columns]
            lines.append(Line(row.label, "ours", ours, len(runs), runs[0].mark))
    every = [run for runs in scores.values() for run in runs]
    lines += _references(table, every)
    present = _present(table.rows, scores)
    return ReportTable(table, lines, [*table.notes, *notes, *_notes(every, table, present)])


def _references(table: PaperTable, every: Sequence[RunScores]) -> list[Line]:
    """The lines of baseline and truth, of each protocol its own."""
    lines = []
    for mark in sorted({run.mark for run in every}):
        runs = [run for run in every if run.mark == mark]
        for source, name in ((table.baseline, "baselines"), (table.truth, "truths")):
            cells = [_alone(runs, column, name) for column in table.columns]
            if any(cell is not None for cell in cells):
                lines.append(Line("", source, cells, len(runs), mark))
    return lines


def _present(rows: Sequence[Row], scores: Mapping[str, Sequence[RunScores]]) -> list[str]:
    missing = [row.label for row in rows if row.runs and not row.beside and not scores.get(row.label)]
    return [f"No finished run yet: {', '.join(missing)}."] if missing else []


def _alone(runs: Sequence[RunScores], column: Column, name: str) -> Cell | None:
    """The mean over all runs of all rows, whose spread says nothing."""
    cell = _mean(runs, column, name)
    return None if cell is None else replace(cell, deviation=None)


def _mean(runs: Sequence[RunScores], column: Column, name: str) -> Cell | None:
    values = [
        column.factor * getattr(run, name)[column.measurement]
        for run in runs
        if column.measurement in getattr(run, name)
    ]
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Cell(statistics.fmean(values), deviation, len(values))


def _notes(runs: Sequence[RunScores], table: PaperTable, first: list[str]) -> list[str]:
    if not runs:
        return first
    several = "mean ± standard deviation over seeds. " if table.explained else ""
    how, *apart = _protocols(runs)
    notes = [*first, *([table.explained] if table.explained else []), f"Ours: {several}{how}", *apart]
    notes += software_notes({run.folder: run.software for run in runs})
    notes += [f"{run.folder}: {remark}" for run in runs for remark in run.remarks]
    if random := sorted({name for run in runs for name in run.random_weights}):
        notes.append(f"RANDOM WEIGHTS in {', '.join(random)}: these numbers are no result.")
    return notes


def _protocols(runs: Sequence[RunScores]) -> list[str]:
    """What all protocols of a table say, then for each of several what it alone says."""
    of_mark = {run.mark: run.protocol for run in sorted(runs, key=lambda run: run.mark, reverse=True)}
    protocols = dict(sorted(of_mark.items()))
    keys = list(dict.fromkeys(key for protocol in protocols.values() for key in protocol))
    # JSON, where these are from, has no value that is not equal to itself.
    shared = [key for key in keys if all(one.get(key) == runs[0].protocol.get(key) for one in protocols.values())]
    lines = ["; ".join(f"{key}: {_plain(runs[0].protocol[key])}" for key in shared)]
    if len(protocols) > 1:
        lines.append(
            "MIXED PROTOCOLS: lines of different letters do not compare; each letter has its own best numbers."
        )
        for mark, protocol in protocols.items():
            own = (f"{key}: {_plain(protocol.get(key, 'not given'))}" for key in keys if key not in shared)
            lines.append(f"Protocol {mark}: {'; '.join(own)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    return str(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
