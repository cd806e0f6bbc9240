"""What an experiment asks of a cluster, by its trainer, and whether what it names is there."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2tf.cluster.script import Request
from s2tf.cluster.settings import Cluster
from s2tf.errors import UserError

NETWORK_KEYS = ("weights", "folder", "face_encoder")
FILE_KEYS = {"model": NETWORK_KEYS, "prior": NETWORK_KEYS, "tracking": ("autoencoder",)}
"""Below each section, what names a file or folder; an empty one names none."""
RANDOM = "random"


def request_of(config: Mapping[str, Any], cluster: Cluster) -> Request:
    """Nodes, processes and GPUs of a composed experiment: `trainer.num_nodes` of `trainer.devices` processes each.

    Raises:
        UserError: they are no numbers, or the cluster has no GPUs for them.
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
    return Request(nodes, devices, devices if on_gpus else 0)


def _number(key: str, value: object) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"trainer.{key} is {value!r}: expected the number that the job is to ask for, such as 8")
    return value


def check_files(config: Mapping[str, Any], promised: Sequence[Path] = ()) -> None:
    """Look for every file of weights and every network's folder that an experiment names.

    Args:
        config: a composed experiment.
        promised: folders that other jobs make before.

    Raises:
        UserError: one is missing; the message names the key.
    """
    for section, keys in FILE_KEYS.items():
        for key, text in _files(section, config.get(section), keys):
            if text != RANDOM and not is_there(Path(text), promised):
                raise UserError(f"{key} is {text!r}: no such file or folder")


def is_there(path: Path, promised: Sequence[Path] = ()) -> bool:
    """Whether a file or folder is there, or lies in a folder that other jobs make before."""
    return path.exists() or is_promised(path, promised)


def is_promised(path: Path, promised: Sequence[Path]) -> bool:
    """Whether a path is, or lies in, a folder that other jobs make before."""
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in promised)


def _files(where: str, tree: Any, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys and values of all that names a file."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if key not in keys or not isinstance(value, str):
            yield from _files(f"{where}.{key}", value, keys)
        elif value:
            yield f"{where}.{key}", value
