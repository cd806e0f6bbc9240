"""The numbers of `s2tf evaluate` in a W&B run's summary: written there, and read back online and from disk."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from s2tf.errors import UserError
from s2tf.loggers.wandb_files import find_files, records
from s2tf.runs.folder import WANDB_ID_FILE, read_config

PREFIX = "metrics"
RECORD, SEED = f"{PREFIX}/record", f"{PREFIX}/seed"
"""Keys of the whole `metrics.json` as text, which is all that is read back, and of the run's seed."""


@dataclass(frozen=True)
class LoggedRun:
    """A W&B run that holds measurements."""

    name: str
    """Name for messages."""
    record: Mapping[str, Any]
    """Content of the `metrics.json`."""
    seed: int


@dataclass(frozen=True)
class LoggedRuns:
    """Runs found in W&B."""

    runs: tuple[LoggedRun, ...] = ()
    unmeasured: tuple[str, ...] = ()
    """Names of the runs without measurements."""

    def __add__(self, other: "LoggedRuns") -> "LoggedRuns":
        """Join both."""
        return LoggedRuns(self.runs + other.runs, self.unmeasured + other.unmeasured)


def to_summary(record: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return a `metrics.json` as values of a W&B summary: `run.summary.update(to_summary(...))`.

    Args:
        record: Record as `Scores.to_json` returns it.
        seed: The `seed_everything` of the run.

    Returns:
        `metrics/<measurement>/value`, `baseline` and `truth` where they are known, `metrics/record`, `metrics/seed`.
    """
    flat = {
        f"{PREFIX}/{name}/{part}": measurement[part]
        for name, measurement in record["measurements"].items()
        for part in ("value", "baseline", "truth")
        if measurement[part] is not None
    }
    return {**flat, RECORD: json.dumps(record), SEED: seed}


def log_record(record: Mapping[str, Any], seed: int, project: str, folder: Path, run_id: str | None) -> None:
    """Write a `metrics.json` into the summary of a W&B run, and wait until it is there.

    Args:
        record: Record as `Scores.to_json` returns it.
        seed: Seed of the run that was measured.
        project: Project at W&B.
        folder: Folder in which W&B keeps its files.
        run_id: Id of the W&B run of the training, which is resumed; None for a new run.
    """
    import wandb

    # Begin a new W&B process: one that another program has left in the environment may have ended.
    os.environ.pop(wandb.env.SERVICE, None)
    name = None if run_id else f"{record['experiment']}-evaluation"
    job = None if run_id else "evaluate"
    with wandb.init(
        project=project, dir=str(folder), id=run_id, resume="allow" if run_id else None, name=name, job_type=job
    ) as run:
        run.summary.update(to_summary(record, seed))
    # A finished run is only announced to W&B's service, which writes the run's file later. Ending the service waits
    # for that.
    wandb.teardown()


def log_scores(record: Mapping[str, Any], project: str, out: Path, seed: int, run: Path | None) -> None:
    """Write a `metrics.json` into the W&B run of a finished run, or into a new W&B run.

    Args:
        record: Record as `Scores.to_json` returns it.
        project: Project at W&B.
        out: Folder of the results.
        seed: Seed of the system, if it is no run of ours.
        run: Finished run, whose config holds its seed; None for a new W&B run.
    """
    if run is None:
        log_record(record, seed, project, out, None)
        return
    id_file = run / WANDB_ID_FILE
    run_id = id_file.read_text().strip() if id_file.is_file() else None
    log_record(record, read_config(run)["seed_everything"], project, run, run_id)


def from_summary(summary: Mapping[str, Any], name: str) -> LoggedRun | None:
    """Read back the values of `to_summary` from a summary; None where it has none.

    Raises:
        UserError: The record is no JSON object, or its seed no number.
    """
    if summary.get(RECORD) is None:
        return None
    try:
        record, seed = json.loads(summary[RECORD]), int(summary[SEED])
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{name}: its summary's {RECORD} and {SEED} are not of `s2tf evaluate`: {error!r}") from error
    if not isinstance(record, dict):
        raise UserError(f"{name}: its summary's {RECORD} is {record!r}, expected a JSON object")
    return LoggedRun(name, record, seed)


def read_offline(folder: Path) -> LoggedRuns:
    """Read all runs that W&B has written to disk below a folder, such as `.../wandb/offline-run-*/run-*.wandb`.

    A run that was resumed has several folders there; values of later ones win. A file whose end is missing, as a killed
    run leaves it, is read up to there.

    Raises:
        UserError: There is none.
    """
    paths = find_files(folder)
    if not paths:
        raise UserError(f"--wandb-offline {folder}: no run-*.wandb below it")
    found: dict[str, _File] = {}
    for path in paths:
        file = _File(path.stem)
        file.read(path)
        before = found.setdefault(file.name, file)
        found[file.name] = _File(file.name, before.summary | file.summary, file.damage or before.damage)
    return _found((f"{file.name}{file.damage}", file.summary) for file in found.values())


def read_project(project: str) -> LoggedRuns:
    """Read the finished runs of a project at W&B.

    Args:
        project: `ENTITY/PROJECT`.

    Raises:
        UserError: W&B cannot be reached, the user is not logged in, or there is no such project.
    """
    import wandb

    try:
        runs = wandb.Api().runs(project, filters={"state": "finished"})
        summaries = [(f"{run.name} ({run.id})", dict(run.summary)) for run in runs]
    except (wandb.errors.Error, requests.exceptions.RequestException, ValueError) as error:
        raise UserError(f"--wandb {project}: {error}") from error
    return _found(summaries)


def _found(summaries: Iterable[tuple[str, Mapping[str, Any]]]) -> LoggedRuns:
    runs, unmeasured = [], []
    for name, summary in summaries:
        run = from_summary(summary, f"W&B run {name}")
        if run is None:
            unmeasured.append(name)
        else:
            runs.append(run)
    return LoggedRuns(tuple(runs), tuple(unmeasured))


@dataclass
class _File:
    """A file in which W&B keeps a run."""

    name: str
    """Name of the run, with its id."""
    summary: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    def read(self, path: Path) -> None:
        """Read up to the end, or to the first damage."""
        try:
            for record in records(path):
                if record.HasField("run"):
                    self.name = f"{record.run.display_name} ({record.run.run_id})"
                for item in record.summary.update:
                    self.summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        # W&B's reader asserts what it expects, and raises bare exceptions.
        except Exception as error:
            self.damage = f", whose {path.name} is damaged: {error}"
