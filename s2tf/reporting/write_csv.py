"""A table as CSV, for a spreadsheet or a plot."""

from s2tf.reporting.table import ReportTable
from s2tf.tables.write_table import format_table

HEADS = ("table", "method", "source", "column", "mean", "deviation", "runs", "protocol", "clips", "frames")


def write_csv(report: ReportTable) -> str:
    """Return a line for each cell: table, method, source and column, its number, and the runs and clips behind it."""
    rows = []
    for line in report.lines:
        for cell, column in zip(line.cells, report.table.columns, strict=True):
            if cell is not None:
                deviation = "" if cell.deviation is None else cell.deviation
                counts = ("" if one is None else str(one) for one in (cell.clips, cell.frames))
                numbers = (cell.mean, deviation, cell.runs, line.mark, *counts)
                values = [report.table.number, line.label, line.source, column.heading, *numbers]
                rows.append(dict(zip(HEADS, values, strict=True)))
    return format_table(rows, HEADS)
