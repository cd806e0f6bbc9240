"""What is looked at before a training is queued: its config, its files, its data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.errors import UserError

if TYPE_CHECKING:
    from s2tf.cluster.script import Request


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
    from s2tf.building import build
    from s2tf.cluster.request import check_files

    build(config, instantiate=False)
    check_files(config, promised)
    named = _folders(config["data"]["init_args"].get("shards"))
    made = [name for name in named if any(Path(name).resolve().is_relative_to(one.resolve()) for one in promised)]
    if made:
        return Checked(folders=named)
    try:
        return _check_data(config, request)
    except (ValueError, OSError) as error:
        raise error if isinstance(error, UserError) else UserError(str(error)) from error


def _folders(shards: Any) -> list[str]:
    """Of a datamodule's `shards`, the plain folders."""
    named = [shards] if isinstance(shards, str) else [one.get("shards", "") for one in shards or []]
    return [name for name in named if not name.endswith(".tar") and ":" not in name]


def _check_data(config: dict[str, Any], request: "Request") -> Checked:
    from s2tf.commands.data_module import build_parts

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
    return Checked(_folders(config["data"]["init_args"].get("shards")), notes)
