"""Result files of an evaluation: tables of rows, and the deletion of earlier results."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.evaluation.scores import METRICS_FILE, Scores
from s2tf.fault_tolerance.atomic_files import atomic_open

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
    write_rows(rows, out / CLIPS_FILE, columns)
    write_rows(scores.failures, out / FAILURES_FILE, FAILURE_COLUMNS)
    scores.write(out)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, first: Sequence[str] = ()) -> None:
    """Write a CSV in UTF-8 by an atomic write.

    Args:
        rows: Values by column; a column that a row lacks is empty.
        path: Path of the file.
        first: First columns, written even without a row; the others follow in the order of the rows.
    """
    names = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    # An atomic write, since two processes that end at the same time both merge.
    with atomic_open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
