"""Record of a finished run: its experiment, seed, steps, time and code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest
from s2tf.fault_tolerance.attempts import read_attempts
from s2tf.provenance.git_state import last_record
from s2tf.runs.finished import finished_stage
from s2tf.runs.folder import read_config


@dataclass(frozen=True)
class TrainingRecord:
    """Facts of a finished run; None where a fact was not recorded."""

    experiment: str
    stage: str
    """Class of the stage."""
    seed: int | None
    steps: int | None
    seconds: float | None
    """Time of all attempts together, without those that ended without a word."""
    attempts: int
    commit: str | None
    changed: bool
    """True if the code differed from that commit."""
    splits: dict[str, Any]
    """Splits of the data, by the manifest of the first data set; empty where it is not readable any more."""
    crop: dict[str, Any]


def training_record(run: Path) -> TrainingRecord:
    """Read the record of a finished run.

    Raises:
        UserError: The folder is no finished run.
    """
    stage, config = finished_stage(run), read_config(run)
    # Pairs of a start and its end; a killed process leaves a start without an end.
    seconds, started, steps, starts = 0.0, None, None, 0
    for one in read_attempts(run):
        if one["event"] == "start":
            started, starts = one["time"], starts + 1
        elif started is not None:
            seconds, started, steps = seconds + one["time"] - started, None, one.get("step", steps)
    record = last_record(run)
    git = json.loads(record.read_text()) if record else {}
    manifest = _manifest(config)
    return TrainingRecord(
        experiment=run.parent.name,
        stage=stage,
        seed=config.get("seed_everything"),
        steps=steps,
        seconds=seconds or None,
        attempts=starts,
        commit=git.get("commit"),
        changed=bool(git.get("dirty")),
        splits=manifest.get("splits", {}),
        crop=manifest.get("crop_rule", {}),
    )


def _manifest(config: dict[str, Any]) -> dict[str, Any]:
    """Read the manifest of the first data set; nothing if it is gone."""
    chosen = config.get("data", {}).get("init_args", {}).get("shards")
    try:
        return load_manifest(chosen if isinstance(chosen, str) else ShardSource(**chosen[0]))
    except (ValueError, OSError, TypeError):
        return {}
