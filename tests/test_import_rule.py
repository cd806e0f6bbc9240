"""The import rule of docs/design.md: arrows only as in its table."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "media": set(),
    "nn": set(),
    "models": {"nn"},
    "diffusion": {"nn"},
    "losses": {"nn", "models"},
    "cluster": {"config", "run_folders", "survival"},
    "survival": set(),
    "callbacks": {"survival", "nn", "media", "samples", "run_facts", "lineage", "loggers"},
    "loggers": {"survival"},
    "metrics": {"nn", "media", "models"},
    "pipelines": {"nn", "media", "models", "diffusion"},
    "stages": {"nn", "models", "diffusion", "losses", "metrics", "callbacks", "batches", "samples"},
}
PLAIN = {"nn", "models", "losses", "diffusion", "media"}
FRAMEWORKS = {"lightning", "wandb", "omegaconf"}
FILES = sorted(path for package in ("s2tf", "datamodules") for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    parts = path.relative_to(ROOT).parts
    package, room = parts[0], parts[1] if len(parts) > 2 else ""
    names = imported(path)
    ours = {name.split(".")[1] for name in names if name.startswith("s2tf.")} - {"errors"}
    if package == "datamodules":
        assert ours <= {"media", "batches", "survival"}
        return
    if room != "commands":
        assert not any(name.split(".")[0] == "datamodules" for name in names), "only commands may import datamodules"
    if room in ROOMS:
        assert ours - {room} <= ROOMS[room]
    if room in PLAIN:
        assert not {name.split(".")[0] for name in names} & FRAMEWORKS


def test_commands_import_nothing_heavy_before_they_run():
    heavy = {"torch", "lightning", "numpy", "cv2", "transformers", "diffusers", "av", "s2tf.runs", "s2tf.building"}
    for path in [*(ROOT / "s2tf/commands").glob("*.py"), ROOT / "s2tf/cli.py"]:
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & heavy, path
