"""Files of an evaluation's results: discarding old ones, fingerprints, tables of rows."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.evaluation.scores import METRICS_FILE
from s2tf.evaluation.videos.sources import SourceFile, VideoSource
from s2tf.fault_tolerance.atomic_files import atomic_open

CLIPS_FILE, FAILURES_FILE = "clips.csv", "failures.csv"


def discard_results(out: Path, json_file: Path | None) -> None:
    """Take away what an evaluation before has found: until this one has ended, nobody is to take it for its result.

    Every process does so when it begins, and merges at its end if no clip is missing then: one that takes away what
    another has just merged merges again.

    Args:
        out: Folder of the results.
        json_file: Where the numbers are written too; a device or a link is left as it is.
    """
    for path in results_of(out, json_file):
        if path != json_file or (path.is_file() and not path.is_symlink()):
            path.unlink(missing_ok=True)


def results_of(out: Path, json_file: Path | None) -> list[Path]:
    """The files that an evaluation writes at its end; see `discard_results`."""
    return [out / METRICS_FILE, out / CLIPS_FILE, out / FAILURES_FILE, *([json_file] if json_file else ())]


def fingerprint(true: "Mapping[str, VideoSource | SourceFile]") -> str:
    """Of all that results were measured against, by its names and contents."""
    found = hashlib.blake2b(digest_size=8)
    for key in sorted(true):
        found.update(f"{key} {_digest(true[key])}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _digest(source: "VideoSource | SourceFile") -> str:
    try:
        return source.digest()
    except OSError:
        return "gone"


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, first: Sequence[str]) -> None:
    """With the columns `first` and whatever else the rows have."""
    names = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    # Two processes that end together both merge.
    with atomic_open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
