"""The paper's tables with measurements from our runs, from other systems and from W&B."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from s2tf.errors import UserError
from s2tf.reporting.build_table import build_table, join_kinds
from s2tf.reporting.datasets import keep_datasets
from s2tf.reporting.find_runs import check_system, reject_duplicate_seeds, runs_of_row, with_flops
from s2tf.reporting.paper import TABLES, PaperTable, Row
from s2tf.reporting.protocols import mark_protocols
from s2tf.reporting.read_scores import VIDEOS, kind_of, read_scores, scores_of
from s2tf.reporting.run_scores import RunScores
from s2tf.reporting.sources import Result, Sources
from s2tf.reporting.table import ReportTable
from s2tf.reporting.write_markdown import write_markdown


class NothingMeasuredError(UserError):
    """Nothing was measured for any row of a table."""


def report_table(name: str, sources: Sources) -> ReportTable:
    """Fill a table of the paper with the measurements of its rows.

    Raises:
        NothingMeasuredError: Nothing was measured for any row.
        UserError: A run's config is not its row's, runs of one row differ in more than their seed or share it, or rows
            were measured by different protocols; the message names them.
    """
    table = TABLES[name]
    results = [
        replace(one, name=_label_of(table, name, one.name)) for one in sources.results if one.table in (None, name)
    ]
    # A table of two kinds of numbers is filled by kind, since each has its own protocol, baseline and truth.
    reports, left_out = [], []
    for number, part in enumerate(table.kinds):
        report, others = _report_kind(part, sources, _of_kind(results, table, part, first=number == 0))
        reports += [] if report is None else [report]
        left_out += others
    if not reports:
        wanted = ", ".join(experiment for row in table.rows for experiment in row.runs)
        unmeasured = f"; not measured in W&B: {', '.join(sources.logged.unmeasured)}" * bool(sources.logged.unmeasured)
        raise NothingMeasuredError(
            f"{sources.runs or 'W&B'}: no run with a metrics.json of `s2tf evaluate` of any of: {wanted}{unmeasured}"
            f"{''.join(f'; {note}' for note in left_out)}"
        )
    return join_kinds(reports)


def _report_kind(
    table: PaperTable, sources: Sources, results: Sequence[Result]
) -> tuple[ReportTable | None, list[str]]:
    """Fill a table with the numbers of one kind, None where there are none; with notes on runs that are left out."""
    # Collect runs by row; a result of another name becomes a row of its own.
    labels = {row.label for row in table.rows}
    found = {row.label: _of_row(table, row, sources) for row in table.rows}
    kept, left_out = keep_datasets(table, found)
    given = {row.label: _given_row(table, row, kept[row.label], results) for row in table.rows}
    scores = {label: [*runs, *given[label]] for label, runs in kept.items()}
    scores |= {one.name: _given(table, one.name, results) for one in results if one.name not in labels}
    if not any(scores.values()):
        return None, left_out
    # Compare protocols, and build the table.
    marked = mark_protocols(scores, [column.measurement for column in table.columns], sources.mixed)
    return build_table(table, marked, [*_notes(table, scores, sources, results), *left_out]), left_out


def _label_of(table: PaperTable, name: str, given: str) -> str:
    """Return the label of the row that is meant by its label, or by the name of one of its experiments.

    Args:
        table: The table.
        name: Name of the table, such as `table10`; the row of `table10-both` may be called `both`.
        given: Name that is given.
    """
    by_experiment = {one.casefold(): row.label for row in table.rows for one in row.runs}
    labels = {row.label.casefold(): row.label for row in table.rows}
    wanted = given.casefold()
    return labels.get(wanted) or by_experiment.get(f"{name}-{wanted}") or by_experiment.get(wanted) or given


def _of_kind(results: Sequence[Result], table: PaperTable, part: PaperTable, first: bool) -> list[Result]:
    """Return the results whose numbers are of a part's kind; those of no part go to the first, which refuses them."""
    known = [one.kind for one in table.kinds]
    kinds = {one.path: kind_of(one.path) for one in results}
    return [one for one in results if kinds[one.path] == part.kind or (first and kinds[one.path] not in known)]


def table_markdown(name: str, runs: Path | None) -> str:
    """Return a table of the paper as Markdown, with our finished runs below a folder where there are any."""
    if runs is not None:
        try:
            return write_markdown(report_table(name, Sources(runs)))
        except NothingMeasuredError:
            pass
    return write_markdown(build_table(TABLES[name], {}))


def _of_row(table: PaperTable, row: Row, sources: Sources) -> list[RunScores]:
    """Return our runs of a row, from folders and from W&B."""
    # Folders of runs hold the table's own kind of numbers: the other kind is given as arms.
    own = table.own_kind in ("", table.kind)
    runs = runs_of_row(row, sources.runs, table.kind) if own and sources.runs is not None else []
    if any(column.measurement == "" for column in table.columns):
        runs = [with_flops(one) for one in runs]
    logged = [
        scores_of(one.record, table.kind, one.seed, one.name, one.name)
        for one in sources.logged.runs
        if one.record.get("experiment") in row.runs and (not table.own_kind or one.record.get("kind") == table.kind)
    ]
    reject_duplicate_seeds(row.label, [*runs, *logged])
    return [*runs, *logged]


def _given_row(table: PaperTable, row: Row, runs: Sequence[RunScores], results: Sequence[Result]) -> list[RunScores]:
    """Return the results that are given under a row's name.

    Raises:
        UserError: One is among the row's runs already, or its system is that of another row.
    """
    given = _given(table, row.label, results)
    for one in given:
        if any(Path(one.folder).resolve() == Path(run.folder).resolve() for run in runs):
            raise UserError(f"--results {row.label}={one.folder}: is among the runs already: leave it out")
        check_system(row, table.own_kind or table.kind, one)
    return given


def _given(table: PaperTable, name: str, results: Sequence[Result]) -> list[RunScores]:
    """Return the results that are given under a name, numbered in their order."""
    paths = [one.path for one in results if one.name == name]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise UserError(f"--results {name}={path}: given twice: the folders of one name are its seeds")
    return [read_scores(path, table.kind, number) for number, path in enumerate(paths)]


def _notes(
    table: PaperTable, scores: Mapping[str, list[RunScores]], sources: Sources, results: Sequence[Result]
) -> list[str]:
    """Return notes on numbers that are not checked, and on runs in W&B without measurements."""
    notes = []
    # Our own runs.
    given = Counter(one.name for one in results)
    found = [label for label, runs in scores.items() if sum(not one.datasets for one in runs) > given[label]]
    if table.kind == VIDEOS and found:
        notes.append(f"Tables VII to IX all show the same runs of ours, on the data named below: {', '.join(found)}.")
    if given:
        notes.append(f"Given as results, under names that were not checked: {', '.join(given)}.")
    # Runs from W&B.
    experiments = {name for row in table.rows for name in row.runs}
    logged = [one.name for one in sources.logged.runs if one.record.get("experiment") in experiments]
    if logged:
        notes.append(f"From W&B, without comparing a run's config with its row's: {', '.join(logged)}.")
    if sources.logged.unmeasured:
        notes.append(f"Left out, since W&B has no measurements of them: {', '.join(sources.logged.unmeasured)}.")
    return notes
