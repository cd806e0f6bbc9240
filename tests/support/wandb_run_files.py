"""What W&B has written of a run on disk, by its own reader."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from s2tf.loggers.wandb_files import find_files, records


@dataclass
class WandbRun:
    """A run; of several files, what all of them say."""

    group: str = ""
    job_type: str = ""
    name: str = ""
    tags: tuple = ()
    config: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    media: list = field(default_factory=list)
    artifacts: list = field(default_factory=list)


def read_run(folder: Path) -> WandbRun:
    """The run whose files lie below a folder."""
    run = WandbRun()
    for path in find_files(folder):
        for record in _finished(path):
            _add(run, record, path.parent)
    return run


def _finished(path):
    """The records of a finished run: W&B's own process may still write them when `finish` has returned."""
    for _ in range(300):
        try:
            found = list(records(path))
        except Exception:
            # A record that is half there.
            found = []
        if found and found[-1].HasField("exit"):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{path} has no end")


def _add(run, record, folder):
    if record.HasField("run"):
        run.group, run.job_type = record.run.run_group, record.run.job_type
        run.name, run.tags = record.run.display_name, tuple(record.run.tags)
    elif record.HasField("config"):
        run.config |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.config.update}
    elif record.HasField("history"):
        run.history.append(_row(record.history.item))
    elif record.HasField("artifact"):
        run.artifacts.append(record.artifact)
    elif record.HasField("files"):
        run.media += [folder / "files" / file.path for file in record.files.files if file.path.startswith("media/")]


def _row(items):
    row = {}
    for item in items:
        *parents, last = [item.key] if item.key else item.nested_key
        place = row
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = json.loads(item.value_json)
    return row
