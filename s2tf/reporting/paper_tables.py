"""The paper's tables with what was measured: by our runs, by other systems, and as W&B has kept it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.reporting.build_table import build_table
from s2tf.reporting.find_runs import refuse_same_seed, runs_of_row, with_flops
from s2tf.reporting.paper import TABLES, PaperTable, Row
from s2tf.reporting.read_scores import VIDEOS, mark_protocols, read_scores, scores_of
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.table import ReportTable
from s2tf.reporting.wandb_records import LoggedRuns


class NothingMeasuredError(UserError):
    """There is nothing of any row of a table."""


@dataclass(frozen=True)
class Result:
    """A `metrics.json` of any system, and the row that it belongs to."""

    name: str
    """A row's label, or a new one."""
    path: Path
    """The file."""
    table: str | None = None
    """Such as `table8`; None where the command makes one table."""

    @classmethod
    def parse(cls, text: str) -> "Result":
        """From `NAME=PATH` or `TABLE:NAME=PATH`, where the path is the file or its folder.

        Raises:
            UserError: it is written otherwise.
        """
        table, _, rest = text.partition(":")
        left, equals, path = (rest if table in TABLES else text).partition("=")
        if not (left.strip() and equals and path):
            raise UserError(f"--results {text}: expected NAME=PATH or TABLE:NAME=PATH, such as table8:HRTF=results")
        file = Path(path) / METRICS_FILE if Path(path).is_dir() else Path(path)
        return cls(left.strip(), file, table if table in TABLES else None)


@dataclass(frozen=True)
class Sources:
    """Where a report's numbers are from."""

    runs: Path | None
    """A folder of run folders."""
    results: Sequence[Result] = ()
    logged: LoggedRuns = field(default_factory=LoggedRuns)
    """What W&B has."""
    mixed: bool = False
    """Whether rows of different protocols may stand in one table."""


def report_table(name: str, sources: Sources) -> "ReportTable":
    """A table of the paper with what there is of its rows.

    Raises:
        NothingMeasuredError: there is nothing of any row.
        UserError: a run is not what its row says, runs of one row differ in more than their seed or have the same, or
            rows were measured by different protocols; the message names them.
    """
    table = TABLES[name]
    results = [one for one in sources.results if one.table in (None, name)]
    labels = {row.label for row in table.rows}
    scores = {row.label: _of_row(table, row, sources, results) for row in table.rows}
    scores |= {one.name: _given(table, one.name, results) for one in results if one.name not in labels}
    if not any(scores.values()):
        wanted = ", ".join(experiment for row in table.rows for experiment in row.runs)
        unmeasured = f"; not measured in W&B: {', '.join(sources.logged.unmeasured)}" * bool(sources.logged.unmeasured)
        raise NothingMeasuredError(
            f"{sources.runs or 'W&B'}: no run with a metrics.json of `s2tf evaluate` of any of: {wanted}{unmeasured}"
        )
    marked = mark_protocols(scores, [column.measurement for column in table.columns], sources.mixed)
    return build_table(table, marked, _notes(table, scores, sources, results))


def _of_row(table: "PaperTable", row: "Row", sources: Sources, results: Sequence[Result]) -> "list[RunScores]":
    """Our runs of a row, and what was given by its name."""
    runs = runs_of_row(row, sources.runs, table.kind) if sources.runs is not None else []
    if any(column.measurement == "" for column in table.columns):
        runs = [with_flops(one) for one in runs]
    logged = [
        scores_of(one.record, table.kind, one.seed, one.name, one.name)
        for one in sources.logged.runs
        if one.record.get("experiment") in row.runs
    ]
    refuse_same_seed(row.label, [*runs, *logged])
    given = _given(table, row.label, results)
    for one in given:
        if any(Path(one.folder).resolve() == Path(run.folder).resolve() for run in runs):
            raise UserError(f"--results {row.label}={one.folder}: is among the runs already: leave it out")
    return [*runs, *logged, *given]


def _given(table: "PaperTable", name: str, results: Sequence[Result]) -> "list[RunScores]":
    """What was given by a name, numbered in its order."""
    paths = [one.path for one in results if one.name == name]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise UserError(f"--results {name}={path}: given twice: the folders of one name are its seeds")
    return [read_scores(path, table.kind, number) for number, path in enumerate(paths)]


def _notes(
    table: "PaperTable", scores: "Mapping[str, list[RunScores]]", sources: Sources, results: Sequence[Result]
) -> list[str]:
    """What was taken on trust, and what W&B has not."""
    notes = []
    given = Counter(one.name for one in results)
    found = [label for label, runs in scores.items() if len(runs) > given[label]]
    if table.kind == VIDEOS and found:
        notes.append(f"Tables VII to IX have the same runs of ours, of the data named below: {', '.join(found)}.")
    if given:
        notes.append(f"Given as results, not checked to be what their names say: {', '.join(given)}.")
    experiments = {name for row in table.rows for name in row.runs}
    logged = [one.name for one in sources.logged.runs if one.record.get("experiment") in experiments]
    if logged:
        notes.append(f"From W&B, where a run's config is not compared with its row's: {', '.join(logged)}.")
    if sources.logged.unmeasured:
        notes.append(f"In W&B without measurements, and left out: {', '.join(sources.logged.unmeasured)}.")
    return notes
