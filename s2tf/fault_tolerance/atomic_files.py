"""Small files that are there whole or not at all."""

import os
import secrets
from pathlib import Path


def write_aside(path: Path, text: str) -> None:
    """Write a file so that whoever reads it, such as another rank, finds it whole."""
    aside = name_aside(path)
    aside.write_text(text)
    os.replace(aside, path)


def name_aside(path: Path) -> Path:
    """A name beside `path` that no other process has, on this node or another."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
