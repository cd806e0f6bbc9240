"""The import rule of docs/design.md: arrows only as in its table of rooms, over all rooms and without a default."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "commands": {"everything"},
    "demo": {
        "evaluation", "precompute", "runs", "systems", "pipelines", "metrics", "faces", "figures", "media", "callbacks",
        "config", "datamodules",
    },
    "reporting": {
        "evaluation", "runs", "systems", "pipelines", "figures", "diffusion", "models", "nn", "media", "loggers",
        "config", "tables",
    },
    "evaluation": {
        "runs", "systems", "pipelines", "importers", "metrics", "faces", "figures", "diffusion", "models", "nn",
        "media", "fault_tolerance", "tables", "packaged", "datamodules",
    },
    "precompute": {
        "runs", "provenance", "models", "faces", "media", "nn", "config", "datamodules",
    },
    "cluster": {"runs", "precompute", "provenance", "config", "fault_tolerance"},
    "runs": {
        "config", "systems", "provenance", "callbacks", "loggers", "fault_tolerance", "pipelines", "models", "nn",
        "datamodules",
    },
    "systems": {"pipelines", "packaged"},
    "packaged": set(),
    "pipelines": {"nn", "models", "diffusion", "media", "faces"},
    "stages": {"nn", "models", "diffusion", "losses", "metrics", "batches", "previews"},
    "metrics": {"nn", "models", "media", "faces"},
    "losses": {"nn", "models"},
    "diffusion": {"nn"},
    "models": {"nn"},
    "nn": set(),
    "importers": {"nn", "models"},
    "faces": {"media", "models", "nn"},
    "figures": {"media", "faces", "tables"},
    "media": {"nn"},
    "fault_tolerance": set(),
    "tables": {"fault_tolerance"},
    "provenance": {"nn", "config", "fault_tolerance"},
    "callbacks": {"nn", "media", "figures", "loggers", "previews", "provenance", "fault_tolerance"},
    "loggers": {"fault_tolerance"},
    "cli": set(),
    "config": set(),
    "errors": set(),
    "batches": set(),
    "previews": set(),
    "__init__": {"runs", "systems", "evaluation", "metrics", "packaged"},
    "datamodules": {"media", "faces", "batches", "fault_tolerance", "tables"},
}  # fmt: skip
"""Room -> the rooms that its files may import, besides `errors` and `s2tf.__version__`."""
EVERYWHERE = {"errors"}
PLAIN = {"nn", "models", "losses", "diffusion", "media", "faces"}
FRAMEWORKS = {"lightning", "wandb", "omegaconf"}
FILES = sorted(path for package in ("s2tf", "datamodules") for path in (ROOT / package).rglob("*.py"))


@cache
def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, and `package.name` of what it takes from a package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "s2tf" else {module}
    return names


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "datamodules" if parts[0] == "datamodules" else parts[1]


def rooms_imported(path: Path) -> set[str]:
    """The other rooms that a file imports from."""
    names = imported(path) - {"s2tf.__version__"}
    rooms = {name.split(".")[1] for name in names if name.startswith("s2tf.")}
    rooms |= {"datamodules" for name in names if name.split(".")[0] == "datamodules"}
    return rooms - EVERYWHERE - {room_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    allowed = ROOMS[room_of(path)]
    assert "everything" in allowed or rooms_imported(path) <= allowed
    if room_of(path) in PLAIN:
        assert not {name.split(".")[0] for name in imported(path)} & FRAMEWORKS


@pytest.mark.parametrize("room", ROOMS)
def test_a_permission_that_no_file_uses_is_struck(room):
    used = set().union(*(rooms_imported(path) for path in FILES if room_of(path) == room))
    assert ROOMS[room] - {"everything"} <= used


def test_nothing_imports_commands():
    """The command list, `cli`, imports the command that runs by its name."""
    assert not [path for path in FILES if "commands" in rooms_imported(path)]


def test_commands_import_nothing_heavy_before_they_run():
    heavy = {"torch", "lightning", "numpy", "cv2", "transformers", "diffusers", "av"}
    shared = [path for name in ("options", "console") for path in (ROOT / "s2tf/commands").rglob(f"{name}.py")]
    light = {"s2tf.errors", "s2tf.config", "s2tf.fault_tolerance.outputs", "s2tf.evaluation.progress"}
    light |= {*(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in shared)}
    for path in [*(ROOT / "s2tf/commands").rglob("*.py"), ROOT / "s2tf/cli.py"]:
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & heavy, path
        assert {name for name in names if name.startswith("s2tf.") and name.count(".") > 1} <= light, path
