"""What is looked at before a training is queued: its config, its files, its data; and as much before a prior is."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2tf.cluster.request import check_files, is_promised
from s2tf.cluster.script import Request
from s2tf.errors import UserError
from s2tf.precompute.face_prior import PriorSettings
from s2tf.runs.build import build
from s2tf.runs.build_data import build_parts


@dataclass(frozen=True)
class Checked:
    """What the checks have found that is no error."""

    folders: list[str] = field(default_factory=list)
    """Of shards on a disk, which can be staged."""
    notes: list[str] = field(default_factory=list)


def check_training(config: dict[str, Any], request: "Request", promised: Sequence[Path] = ()) -> Checked:
    """Check an experiment as far as it goes without its GPUs and without building networks of the paper's size.

    Args:
        config: a composed experiment.
        request: the processes that will train it.
        promised: folders that other jobs make before; what lies in them is not looked for.

    Raises:
        UserError: a key, type or class is wrong, a file of weights or a run before it is missing, the data are not
            there, or do not suffice for the ranks.
    """
    build(config, instantiate=False)
    check_files(config, promised)
    named = _shards_of(config)
    if _made_before(named, promised):
        return Checked(folders=named)
    try:
        return Checked(named, _check_data(config, request))
    except (ValueError, OSError) as error:
        raise error if isinstance(error, UserError) else UserError(str(error)) from error


def check_prior(config: dict[str, Any], promised: Sequence[Path] = ()) -> None:
    """Check a composed experiment of `s2tf prior` as far.

    Raises:
        UserError: a key or type is wrong, the face encoder is missing, or the data are not there.
    """
    # The parser puts objects into the dictionary that it is given.
    data = build_parts(copy.deepcopy(config), prior=PriorSettings).data
    check_files(config, promised)
    if _made_before(_shards_of(config), promised):
        return
    try:
        data.setup("fit")
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error


def _shards_of(config: dict[str, Any]) -> list[str]:
    return plain_folders(config["data"]["init_args"].get("shards"))


def _made_before(folders: Sequence[str], promised: Sequence[Path]) -> bool:
    return any(is_promised(Path(name), promised) for name in folders)


def plain_folders(shards: Any) -> list[str]:
    """Of a datamodule's `shards`, those on a disk; not lists of files, nor addresses."""
    named = [shards] if isinstance(shards, str) else [one.get("shards", "") for one in shards or []]
    return [name for name in named if not name.endswith(".tar") and ":" not in name]


def _check_data(config: dict[str, Any], request: "Request") -> list[str]:
    data, ranks = build_parts(config).data, request.nodes * request.tasks
    data.setup("fit")
    trainer = config.get("trainer", {})
    if trainer.get("limit_val_batches", 1.0) != 0:
        data.check_examples("val", ranks)
    notes, readers = [], ranks * max(1, data.num_workers)
    for source in data.sources:
        shards = len(source.split("train").urls)
        if shards < readers:
            notes.append(
                f"{source.source.shards}: {shards} shards of training data for {readers} readers (ranks × workers), of "
                "which several read the same one at a time: `s2tf prepare` with a smaller --samples-per-shard"
            )
    return notes
