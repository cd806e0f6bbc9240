"""Folders of the package transformers: checks of their files before it loads them, and its errors in one line."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2tf.nn.file_kinds import read_json
from s2tf.nn.weight_files import check_weight_file, one_line

CONFIG = "config.json"
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""Patterns of the weight files; the first that a folder has is read."""


def check_folder(folder: Path, model_type: str | None = None) -> None:
    """Check the config and the weight files of a folder.

    Args:
        folder: Folder with a `config.json`.
        model_type: Type of the network that is wanted, such as `hubert`, or None for any.

    Raises:
        ValueError: A file is missing, something else or not whole, or the config describes another network.
    """
    config = read_json(folder / CONFIG)
    if not isinstance(config, Mapping):
        raise ValueError(f"{folder / CONFIG} holds a {type(config).__name__}, expected the config of a network")
    own = _own_word(config)
    if model_type is not None and own not in ("", model_type):
        raise ValueError(f"{folder / CONFIG} describes a network {own!r}, expected {model_type!r}")
    files = next((files for pattern in WEIGHTS if (files := sorted(folder.glob(pattern)))), [])
    if not files:
        raise ValueError(f"{folder} has no weights that can be read: expected model.safetensors or pytorch_model.bin")
    for file in files:
        check_weight_file(file)


def _own_word(config: Mapping[str, Any]) -> str:
    """The type of network that a config names, by its type or its class; empty if it names none."""
    if config.get("model_type"):
        return str(config["model_type"])
    architectures = config.get("architectures") or [""]
    name = architectures[0] if isinstance(architectures, list) else architectures
    return re.split("For|Model", str(name))[0].lower()


@contextmanager
def one_line_errors(folder: Any) -> Iterator[None]:
    """Turn an exception of transformers into a ValueError that names the folder.

    The package loads files by several others, each with exceptions of its own.
    """
    try:
        yield
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{folder} cannot be loaded by transformers: {type(error).__name__} {one_line(error)}"
        ) from error
