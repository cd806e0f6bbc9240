"""Checks of a training or a prior before it is queued: its config, its files and its data."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.cluster.resources import Resources, check_files, is_planned
from s2tf.errors import UserError
from s2tf.precompute.face_prior import PriorSettings
from s2tf.runs.build import build, build_parts


@dataclass(frozen=True)
class Checked:
    """Results of the checks, besides errors."""

    folders: list[str] = field(default_factory=list)
    """Shard folders on a disk, which can be copied to the nodes."""
    notes: list[str] = field(default_factory=list)


def check_training(config: dict[str, Any], resources: Resources, planned_outputs: Sequence[Path] = ()) -> Checked:
    """Check an experiment as far as possible without its GPUs and without building large networks.

    Args:
        config: A composed experiment.
        resources: Processes that will train it.
        planned_outputs: Folders that earlier jobs will create; their contents are not checked.

    Raises:
        UserError: A key, type or class is wrong, a weight file, an earlier run or the data are missing, or there are
            too few data for the ranks.
    """
    build(config, instantiate=False)
    check_files(config, planned_outputs)
    folders = _shards_of(config)
    if _planned(folders, planned_outputs):
        return Checked(folders=folders)
    try:
        return Checked(folders, _check_data(config, resources))
    except (ValueError, OSError) as error:
        raise error if isinstance(error, UserError) else UserError(str(error)) from error


def check_prior(config: dict[str, Any], planned_outputs: Sequence[Path] = ()) -> None:
    """Check a composed experiment of `s2tf prior` in the same way.

    Raises:
        UserError: A key or type is wrong, or the face encoder or the data are missing.
    """
    # A copy, since the parser puts objects into its dictionary.
    data = build_parts(copy.deepcopy(config), prior=PriorSettings).data
    check_files(config, planned_outputs)
    if _planned(_shards_of(config), planned_outputs):
        return
    try:
        data.setup("fit")
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error


def _shards_of(config: dict[str, Any]) -> list[str]:
    return plain_folders(config["data"]["init_args"].get("shards"))


def _planned(folders: Sequence[str], planned_outputs: Sequence[Path]) -> bool:
    return any(is_planned(Path(name), planned_outputs) for name in folders)


def plain_folders(shards: Any) -> list[str]:
    """Select from a datamodule's `shards` the folders on a disk; lists of files and addresses are left out."""
    named = [shards] if isinstance(shards, str) else [one.get("shards", "") for one in shards or []]
    return [name for name in named if not name.endswith(".tar") and ":" not in name]


def _check_data(config: dict[str, Any], resources: Resources) -> list[str]:
    """Open the data, and return a note for every source with fewer shards than readers."""
    data, ranks = build_parts(config).data, resources.nodes * resources.tasks
    data.setup("fit")
    trainer = config.get("trainer", {})
    if trainer.get("limit_val_batches", 1.0) != 0:
        data.check_examples("val", ranks)
    notes, readers = [], ranks * max(1, data.num_workers)
    for source in data.sources:
        shards = len(source.split("train").urls)
        if shards < readers:
            notes.append(
                f"{source.source.shards}: {shards} shards of training data for {readers} readers (ranks × workers), so "
                "that several readers share a shard in turn: `s2tf prepare` with a smaller --samples-per-shard"
            )
    return notes
