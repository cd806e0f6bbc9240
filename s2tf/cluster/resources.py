"""Resources that an experiment needs on a cluster, and the files that it names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.cluster.settings import Cluster
from s2tf.errors import UserError

NETWORK_KEYS = ("weights", "folder", "face_encoder")
FILE_KEYS = {"model": NETWORK_KEYS, "prior": NETWORK_KEYS, "tracking": ("autoencoder",)}
"""Section -> keys, at any depth below it, that name a file or folder; an empty value names nothing."""
RANDOM = "random"


@dataclass(frozen=True)
class Resources:
    """Size of a job."""

    nodes: int = 1
    tasks: int = 1
    """Processes on each node."""
    gpus: int = 0
    """GPUs on each node."""


def resources_of(config: Mapping[str, Any], cluster: Cluster) -> Resources:
    """Read the size of an experiment's job: `trainer.num_nodes` nodes of `trainer.devices` processes each.

    Raises:
        UserError: A value is not a number, or the cluster has no GPUs for it.
    """
    trainer = config.get("trainer", {})
    devices = _number("devices", trainer.get("devices", 1))
    nodes = _number("num_nodes", trainer.get("num_nodes", 1))
    accelerator = trainer.get("accelerator", "auto")
    if accelerator in ("gpu", "cuda") and not cluster.gpus:
        raise UserError(
            f"trainer.accelerator is {accelerator}, but {cluster.name} has no GPUs (no `gpus` in its settings): "
            "expected trainer.accelerator=cpu, or another --cluster"
        )
    on_gpus = bool(cluster.gpus) and accelerator != "cpu"
    return Resources(nodes, devices, devices if on_gpus else 0)


def _number(key: str, value: object) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"trainer.{key} is {value!r}, expected the number that the job asks for, such as 8")
    return value


def check_files(config: Mapping[str, Any], planned_outputs: Sequence[Path] = ()) -> None:
    """Check that every weight file and every network folder that an experiment names exists.

    Args:
        config: A composed experiment.
        planned_outputs: Folders that earlier jobs will create.

    Raises:
        UserError: A file or folder is missing; the message names the key.
    """
    for section, keys in FILE_KEYS.items():
        for key, text in _files(section, config.get(section), keys):
            if text != RANDOM and not is_there(Path(text), planned_outputs):
                raise UserError(f"{key} is {text!r}, which does not exist")


def is_there(path: Path, planned_outputs: Sequence[Path] = ()) -> bool:
    """Return True if a file or folder exists, or lies in a folder that earlier jobs will create."""
    return path.exists() or is_planned(path, planned_outputs)


def is_planned(path: Path, planned_outputs: Sequence[Path]) -> bool:
    """Return True if a path is, or lies in, a folder that earlier jobs will create."""
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in planned_outputs)


def _files(where: str, tree: Any, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the full key and the value of every entry that names a file."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if key not in keys or not isinstance(value, str):
            yield from _files(f"{where}.{key}", value, keys)
        elif value:
            yield f"{where}.{key}", value
