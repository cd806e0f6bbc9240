"""The index of a pipeline folder: its class, components and settings; read without torch."""

from pathlib import Path
from typing import Any

from s2tf.nn.file_kinds import read_json

INDEX_FILE = "model_index.json"


def read_index(folder: Path) -> dict[str, Any]:
    """Read the index of a pipeline folder, and check that its entries exist.

    Raises:
        FileNotFoundError: There is no index; the message names it.
        ValueError: The file is not JSON, or lacks an entry of an index.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a pipeline folder written by `save_pretrained`")
    index = read_json(path)
    outline = {"components": dict, "settings": dict, "random_weights": list}
    for name, kind in outline.items():
        if not isinstance(index, dict) or not isinstance(index.get(name), kind):
            raise ValueError(f"{path}: entry {name!r} is missing or not a {kind.__name__}")
    return index
