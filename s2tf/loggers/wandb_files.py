"""W&B's files on disk, read with its own reader."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

QUIET, MOST_WAITS = 3.0, 20
"""Seconds without growth that mark a file as left by a killed process, and the greatest number of such waits."""


def records(path: Path) -> Iterator[Any]:
    """The records (`wandb.proto`'s `Record`) of a `run-*.wandb` file, up to its end.

    Raises:
        Exception: the file is cut off or damaged; W&B's reader raises bare exceptions and assertions.
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
    """W&B's files below a folder, of one run or of all, in the order of their beginning."""
    # Their folders' names hold the time: offline-run-20261125_180527-ID.
    paths = folder.rglob(f"run-{run_id}.wandb")
    return sorted(paths, key=lambda path: path.parent.name.rpartition("run-")[2])


def last_step(paths: Sequence[Path]) -> int:
    """The number of the last row of history in the files of a run; -1: there is none.

    W&B's own process may still write after a run's process has ended, so this waits for the newest file.

    Args:
        paths: files as returned by `find_files`.
    """
    if paths:
        wait_until_quiet(paths[-1])
    return max((_read_steps(path)[0] for path in paths), default=-1)


def wait_until_quiet(path: Path) -> None:
    """Wait until a file is complete, or has stopped growing because its process was killed."""
    for _ in range(MOST_WAITS):
        size = path.stat().st_size
        if _read_steps(path)[1]:
            return
        time.sleep(QUIET)
        if path.stat().st_size == size:
            return


def _read_steps(path: Path) -> tuple[int, bool]:
    """The number of the last row in a file, and True if the file is complete."""
    last, ended = -1, False
    try:
        for record in records(path):
            ended = record.HasField("exit")
            if record.HasField("history"):
                last = max(last, history_step(record))
    except Exception:
        # The end is missing if the process was killed.
        return last, False
    return last, ended


def history_step(record: Any) -> int:
    """The number of a record's row of history."""
    return int(record.history.step.num)


def history(record: Any) -> dict[str, Any]:
    """The values of a record's row of history."""
    items = record.history.item
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
