"""What W&B has written to disk, read with its own reader."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

QUIET = 3.0
"""Seconds."""


def records(path: Path) -> Iterator[Any]:
    """The records (`wandb.proto`'s `Record`) of a `run-*.wandb` file, up to its end.

    Raises:
        Exception: the file is cut off or damaged there; W&B's reader asserts what it expects, and raises bare ones.
    """
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    messages: Any = wandb_internal_pb2
    store = DataStore()
    try:
        store.open_for_scan(str(path))
        while (data := store.scan_data()) is not None:
            yield messages.Record.FromString(data)
    finally:
        store.close()


def find_files(folder: Path, run_id: str = "*") -> list[Path]:
    """The files of W&B below a folder, of one run or of all, in the order in which they were begun."""
    # Their folders' names hold the time: offline-run-20261125_180527-ID.
    paths = folder.rglob(f"run-{run_id}.wandb")
    return sorted(paths, key=lambda path: path.parent.name.rpartition("run-")[2])


def last_step(folder: Path, run_id: str) -> int:
    """The number of the last row of history that stands in the files of a run; -1: there is none."""
    last = -1
    for path in find_files(folder, run_id):
        try:
            for record in records(path):
                if record.HasField("history"):
                    last = max(last, history_step(record))
        except Exception:
            # Its end is missing where the process was killed.
            continue
    return last


def wait_until_quiet(paths: Sequence[Path], seconds: float = QUIET) -> None:
    """Wait until files have not been written to for some time: W&B's own process outlives the one that has logged."""
    for path in paths:
        while (left := seconds - (time.time() - path.stat().st_mtime)) > 0:
            time.sleep(left)


def history_step(record: Any) -> int:
    """The number of a record's row of history."""
    return int(record.history.step.num)


def history(record: Any) -> dict[str, Any]:
    """The values of a record's row of history."""
    items = record.history.item
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
