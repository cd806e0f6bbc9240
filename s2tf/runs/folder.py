"""Run folders, `runs/<experiment>/<hash>/`: the same config finds the same folder."""

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2tf.config import compose, find_experiment, identity_hash, read_yaml, values, with_new_names, write_yaml
from s2tf.errors import UserError
from s2tf.fault_tolerance.atomic_files import atomic_write, part_name
from s2tf.fault_tolerance.checkpoints import find_checkpoint
from s2tf.provenance.facts import tags

CONFIG_FILE = "config.yaml"
"""Config of the last fit."""
QUEUED_FILE = "train.yaml"
"""Config that a queued job trains; only `s2tf submit` writes it, since a fit with other devices has the same folder."""
TAGS_FILE = "tags.json"
WANDB_ID_FILE = "wandb_id"


@dataclass(frozen=True)
class Run:
    """An experiment's resolved config and the folder that belongs to it."""

    experiment: str
    config: dict[str, Any]
    folder: Path
    tags: tuple[str, ...] = ()
    """Tags in W&B."""

    @property
    def checkpoints(self) -> Path:
        """Folder of Lightning's checkpoints."""
        return self.folder / "checkpoints"

    @property
    def networks(self) -> Path:
        """Folder of the trained networks, written when a fit ends."""
        return self.folder / "networks"

    @property
    def last_checkpoint(self) -> Path | None:
        """Checkpoint to resume from, or None before the first.

        Raises:
            UserError: There are checkpoints, but none is complete.
        """
        return find_checkpoint(self.checkpoints).path


def find_run(experiment: str | Path, overrides: Sequence[str] = (), runs: str | Path = "runs") -> Run:
    """Compose `experiment` and name its run folder, which is not created.

    Args:
        experiment: Its file or short name (`find_experiment`).
        overrides: `key=value` and `+FILE.yaml`, as for `compose`.
        runs: Folder of run folders.
    """
    path = find_experiment(experiment)
    config = compose(path, overrides)
    run = run_of(path, config, runs)
    return run if run.tags else replace(run, tags=tags(path, overrides, config))


def run_of(experiment: str | Path, config: dict[str, Any], runs: str | Path) -> Run:
    """Name the run folder of a composed experiment.

    The `config.yaml` and `train.yaml` of a run folder belong to that folder, wherever it is, unless an override changes
    the identity of the run.
    """
    path, identity = find_experiment(experiment).resolve(), identity_hash(config)
    if path.name in (CONFIG_FILE, QUEUED_FILE) and path.parent.name == identity:
        return Run(experiment=path.parents[1].name, config=config, folder=path.parent, tags=_read_tags(path.parent))
    # The folder distinguishes experiments/conre.yaml from demo/conre.yaml.
    name = path.stem if path.parent.name == "experiments" else f"{path.parent.name}-{path.stem}"
    return Run(experiment=name, config=config, folder=Path(runs) / name / identity)


def write_config(run: Run, name: str = CONFIG_FILE) -> None:
    """Create a run's folder and write its resolved config there, which is a complete experiment."""
    run.folder.mkdir(parents=True, exist_ok=True)
    atomic_write(run.folder / name, write_yaml(run.config))
    atomic_write(run.folder / TAGS_FILE, json.dumps(run.tags) + "\n")


def _read_tags(folder: Path) -> tuple[str, ...]:
    """Read the tags stored in the folder, since its `config.yaml` does not name the ablation from which it came."""
    path = folder / TAGS_FILE
    return tuple(json.loads(path.read_text())) if path.is_file() else ()


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read the resolved config of a run folder: of the last fit, or before the first fit of the queued job.

    Raises:
        UserError: The folder has no config.
    """
    path = find_config(Path(folder))
    if path is None:
        raise UserError(f"{Path(folder) / CONFIG_FILE} is missing: expected the folder of a run")
    config = values(read_yaml(path))
    return with_new_names(config, str(path)) if isinstance(config, dict) else config


def find_config(folder: Path) -> Path | None:
    """Find the file that `read_config` reads, or return None."""
    return next((folder / name for name in (CONFIG_FILE, QUEUED_FILE) if (folder / name).is_file()), None)


def wandb_id(folder: Path) -> str:
    """Read the id of a run in W&B, or choose an id: that of the trial if a sweep's agent has started it."""
    path = folder / WANDB_ID_FILE
    if not path.is_file():
        part = part_name(path)
        part.write_text((os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)) + "\n")
        # All ranks get here at the same time: the id of the first rank counts.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    return path.read_text().strip()
