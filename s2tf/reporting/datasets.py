"""Data sets of tables: a run counts for a table by the data set of its own test clips."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from s2tf.evaluation.clips_of_run import datasets_of, shards_of
from s2tf.reporting.paper import PaperTable
from s2tf.reporting.read_scores import VIDEOS
from s2tf.reporting.run_scores import RunScores
from s2tf.runs.folder import CONFIG_FILE, read_config


def keep_datasets(
    table: PaperTable, found: Mapping[str, Sequence[RunScores]]
) -> tuple[dict[str, list[RunScores]], list[str]]:
    """Keep the runs whose test clips are of the table's data sets.

    A table that names its data set (`only`) keeps no others. Another keeps others where no run is of its data sets, and
    marks them. The data set of a folder of videos is not always known: such numbers are kept.

    Args:
        table: The table.
        found: Runs by the row's label.

    Returns:
        The runs that are kept, and notes on the others.
    """
    runs = {label: [_with_datasets(one) for one in some] for label, some in found.items()}
    every = [one for some in runs.values() for one in some]
    if not table.datasets or not (table.only or any(one.datasets and _fits(table, one) for one in every)):
        return runs, []
    wanted = " or ".join(table.datasets)
    notes = [
        f"Left out: {one.folder}: its test clips are of {', '.join(one.datasets) or 'an unknown data set'}, expected "
        f"{wanted}."
        for one in every
        if not _fits(table, one)
    ]
    return {label: [one for one in some if _fits(table, one)] for label, some in runs.items()}, notes


def _fits(table: PaperTable, run: RunScores) -> bool:
    if not run.datasets:
        return table.kind == VIDEOS or not table.only
    return not table.other_data(run.datasets)


def _with_datasets(run: RunScores) -> RunScores:
    """Add the data sets to a run that was measured before they were recorded, if its shards are still there."""
    folder = Path(run.folder)
    if run.datasets or not (folder / CONFIG_FILE).is_file():
        return run
    try:
        shards = shards_of(read_config(folder), folder, None)
        # Shards of other data may have been given to the evaluation: their name is in its protocol.
        same = run.protocol.get("shards") == Path(shards.shards).name
        return replace(run, datasets=tuple(datasets_of([shards]))) if same else run
    except (ValueError, OSError, KeyError, TypeError):
        return run
