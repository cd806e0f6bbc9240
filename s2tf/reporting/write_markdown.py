"""A table as Markdown."""

import re
from collections.abc import Sequence

from s2tf.reporting.table import ReportTable

SPECIAL = re.compile(r"[\\|*<`]")
"""Characters that Markdown would read as marks."""


def write_markdown(report: ReportTable) -> str:
    """Return a table with its best numbers in bold and its notes below."""
    best = report.best()
    heads = ["", "", *(column.heading for column in report.table.columns)]
    out = [f"Table {report.table.number}: {report.table.title}", "", _row(heads), _row(["---"] * len(heads))]
    for index, (label, *texts) in enumerate(report.texts()):
        cells = [f"**{text}**" if (index, number - 1) in best else text for number, text in enumerate(texts)]
        out.append(_row([SPECIAL.sub(r"\\\g<0>", " ".join(label.split())), *cells]))
    return "\n".join([*out, "", *(f"- {note}" for note in report.notes)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
