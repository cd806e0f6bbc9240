"""The index of a pipeline folder: its class, components and settings; read without torch."""

import json
from pathlib import Path
from typing import Any

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
    try:
        index = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    outline = {"components": dict, "settings": dict, "random_weights": list}
    for name, kind in outline.items():
        if not isinstance(index, dict) or not isinstance(index.get(name), kind):
            raise ValueError(f"{path}: entry {name!r} is missing or not a {kind.__name__}")
    return index
