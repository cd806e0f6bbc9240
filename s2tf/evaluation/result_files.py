"""Result files of an evaluation, and the deletion of earlier ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.evaluation.scores import METRICS_FILE, Scores
from s2tf.tables.write_table import write_table

CLIPS_FILE, FAILURES_FILE = "clips.csv", "failures.csv"
FAILURE_COLUMNS = ("clip", "what", "reason")


def discard_results(out: Path, json_file: Path | None) -> None:
    """Delete the results of an earlier evaluation so that they cannot be mistaken for this one's.

    Every process deletes them when it begins, and merges at its end if no clip is missing. A process that deletes the
    results of another process's merge therefore merges again itself.

    Args:
        out: Folder of the results.
        json_file: Second file with the numbers; it is not deleted if it is a device or a link.
    """
    for path in results_of(out, json_file):
        if path != json_file or (path.is_file() and not path.is_symlink()):
            path.unlink(missing_ok=True)


def results_of(out: Path, json_file: Path | None) -> list[Path]:
    """List the files that an evaluation writes at its end; see `discard_results`."""
    return [out / METRICS_FILE, out / CLIPS_FILE, out / FAILURES_FILE, *([json_file] if json_file else ())]


def write_results(scores: Scores, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], out: Path) -> None:
    """Write `clips.csv`, `failures.csv` and, last, `metrics.json`.

    Args:
        scores: Scores and failures.
        rows: One row for each clip.
        columns: First columns of `clips.csv`, written even without a row.
        out: Folder of the results.
    """
    write_table(rows, out / CLIPS_FILE, columns)
    write_table(scores.failures, out / FAILURES_FILE, FAILURE_COLUMNS)
    scores.write(out)
