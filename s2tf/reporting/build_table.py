"""Builds a table of the paper with finished runs: the mean of each row, and baseline and truth below them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from s2tf.evaluation.measurement import POOLED
from s2tf.reporting.notes import count_notes, run_notes
from s2tf.reporting.paper import Column, PaperTable, Row
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.table import Cell, Count, Line, ReportTable


def build_table(table: PaperTable, scores: Mapping[str, Sequence[RunScores]], notes: Sequence[str] = ()) -> ReportTable:
    """Put runs into the paper's table.

    Args:
        table: The paper's table.
        scores: The runs of each row, by its label, all of one mark; rows without runs show the paper's numbers alone.
            A label that the paper's table lacks becomes a row below its rows.
        notes: Further notes for the foot of the table.
    """
    others = (Row(label) for label in scores if label not in {row.label for row in table.rows})
    lines: list[Line] = []
    for row in (*table.rows, *others):
        if row.paper:
            cells: list[Cell | None] = [Cell(value) for value in row.paper]
            cells += [None] * (len(table.columns) - len(row.paper))
            lines.append(Line(row.label, "paper", cells))
        if runs := scores.get(row.label):
            ours = [_mean(runs, column, "values") for column in table.columns]
            data = table.other_data(sorted({one for run in runs for one in run.datasets}))
            lines.append(Line(row.shown, "ours", ours, len(runs), runs[0].mark, table.how, data))
    lines += _references(table, scores)
    every = [run for runs in scores.values() for run in runs]
    present = _present(table.rows, scores)
    report = ReportTable(table, lines)
    return replace(report, notes=[*table.notes, *notes, *count_notes(report), *run_notes(every, table, present)])


def join_kinds(reports: Sequence[ReportTable]) -> ReportTable:
    """Join the reports of one table by kind of numbers: below a row of the paper stand its lines of every kind."""
    first, *others = reports
    labels = list(dict.fromkeys(line.label for one in reports for line in one.lines if not line.is_reference))
    lines = [
        line
        for label in labels
        for number, one in enumerate(reports)
        for line in one.lines
        if line.label == label and not line.is_reference and (number == 0 or line.source != "paper")
    ]
    lines += [line for one in reports for line in one.lines if line.is_reference]
    notes = dict.fromkeys(note for one in reports for note in one.notes)
    return replace(first, lines=lines, notes=list(notes)) if others else first


def _references(table: PaperTable, scores: Mapping[str, Sequence[RunScores]]) -> Iterator[Line]:
    """Yield the lines of baseline and truth, for each protocol its own.

    The first lines cover all clips. Where a column has no number there, since no row has measured all clips, each row
    has its own line of baseline and truth.
    """
    every = [run for runs in scores.values() for run in runs]
    for mark in sorted({run.mark for run in every}):
        # Lines that cover all clips; columns without a number there stay open.
        open_columns: dict[str, list[Column]] = {}
        for source, name in ((table.baseline, "baselines"), (table.truth, "truths")):
            cells = [_of_all_clips(_alike(every, mark, column, name), column, name) for column in table.columns]
            open_columns[name] = [column for column, cell in zip(table.columns, cells, strict=True) if cell is None]
            if any(cell is not None for cell in cells):
                yield Line("", source, cells, len(every), mark, table.how)
        # Lines of single rows, for the open columns.
        for label, runs in scores.items():
            for source, name in ((table.baseline, "baselines"), (table.truth, "truths")):
                own = [_alone(runs, one, name) if one in open_columns[name] else None for one in table.columns]
                if runs and runs[0].mark == mark and any(cell is not None for cell in own):
                    yield Line(label, source, own, len(runs), mark, table.how)


def _alike(every: Sequence[RunScores], mark: str, column: Column, name: str) -> list[RunScores]:
    """Return the runs that have measured a column as the rows of a letter have."""
    having = [run for run in every if column.measurement in getattr(run, name)]
    marks = {run.mark_of(column.measurement) for run in having if run.mark == mark}
    return [run for run in having if run.mark_of(column.measurement) in marks]


def _of_all_clips(runs: Sequence[RunScores], column: Column, name: str) -> Cell | None:
    """Return the mean of the runs that have measured all clips; if none has, of all if they agree; else None."""
    whole = [run for run in runs if run.is_whole(column.measurement)]
    if whole or len({getattr(run, name)[column.measurement] for run in runs}) == 1:
        return _alone(whole or runs, column, name)
    return None


def _present(rows: Sequence[Row], scores: Mapping[str, Sequence[RunScores]]) -> list[str]:
    missing = [row.label for row in rows if row.runs and not row.optional and not scores.get(row.label)]
    return [f"No finished run yet: {', '.join(missing)}."] if missing else []


def _alone(runs: Sequence[RunScores], column: Column, name: str) -> Cell | None:
    """Return the mean over runs without their spread, which means nothing for a baseline or truth."""
    cell = _mean(runs, column, name)
    return None if cell is None else replace(cell, deviation=None)


def _mean(runs: Sequence[RunScores], column: Column, name: str) -> Cell | None:
    runs = [run for run in runs if column.measurement in getattr(run, name)]
    if not runs:
        return None
    values = _values(runs, column, name)
    baseline, truth = (_values(runs, column, other) for other in ("baselines", "truths"))
    return Cell(
        statistics.fmean(values),
        statistics.stdev(values) if len(values) > 1 else None,
        len(values),
        _clips(runs, column.measurement),
        _frames(runs, column.measurement),
        runs[0].mark_of(column.measurement),
        (statistics.fmean(baseline) if baseline else None, statistics.fmean(truth) if truth else None),
    )


def _values(runs: Sequence[RunScores], column: Column, name: str) -> list[float]:
    every = (getattr(run, name) for run in runs)
    return [column.factor * one[column.measurement] for one in every if column.measurement in one]


def _clips(runs: Sequence[RunScores], measurement: str) -> Count | None:
    """Return the number of clips that runs have measured; None unless it is known for all of them."""
    counts = [clips for run in runs if (clips := run.clips(measurement)) is not None]
    if len(counts) < len(runs):
        return None
    measured = [clips for clips, _ in counts]
    return Count(min(measured), max(measured), max(of for _, of in counts))


def _frames(runs: Sequence[RunScores], measurement: str) -> Count | None:
    """Return the number of frames behind a measurement that depends on it; None where it is unknown."""
    found = [run.counts.get(measurement, {}).get("frames") for run in runs] if measurement in POOLED else []
    known = [count for count in found if count is not None]
    return Count(min(known), max(known)) if known else None
