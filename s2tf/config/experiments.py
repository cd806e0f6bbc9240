"""Experiment files that come with s2tf, by their paths and short names."""

from collections.abc import Sequence
from pathlib import Path

from s2tf.errors import UserError


def packaged_folder(name: str) -> Path:
    """Return a folder of files that come with s2tf: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / name
    return inside if inside.is_dir() else Path(__file__).parents[2] / name


EXPERIMENTS = packaged_folder("experiments")
"""Folder of experiment YAMLs, which also contains the YAMLs of chains and sweeps."""
EXPERIMENT = "experiment="
MOVED = {"paper.yaml": "chains/paper.yaml"}
"""Names of files that an earlier version had elsewhere -> their short names now."""


def find_experiment(name: str | Path, kind: str = "experiment") -> Path:
    """Find an experiment, a chain or a sweep by its path or by its short name, such as `demo/conre.yaml`.

    An existing path, relative to the working folder, wins. A short name is relative to the folder of experiments that
    comes with s2tf; it may begin with `experiments/`, like a path in a checkout.

    Args:
        name: The path or short name.
        kind: Noun for the message: `experiment`, `chain` or `sweep`.

    Raises:
        UserError: The file does not exist; the message lists the paths that were tried.
    """
    path = Path(name)
    tried = [path]
    if not path.is_absolute():
        tried.append(EXPERIMENTS / path)
        if path.parts[:1] == (EXPERIMENTS.name,):
            tried.append(EXPERIMENTS.parent / path)
    found = next((one for one in tried if one.is_file()), None)
    if found is None:
        others = f"; also tried {' and '.join(map(str, tried[1:]))}" if tried[1:] else ""
        others += f"; it is now {MOVED[path.name]}" if path.name in MOVED else ""
        raise UserError(f"{path}: this {kind} file does not exist{others}")
    return found


def named_experiment(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Split the words of a command line into the experiment and its overrides.

    The first word is the experiment, unless there is a word `experiment=FILE.yaml`, as W&B writes it for a sweep that
    compares experiments.
    """
    named = [word for word in words if word.startswith(EXPERIMENT)]
    rest = [word for word in words if word not in named]
    if len(named) > 1:
        raise UserError(f"{' '.join(named)}: expected only one experiment")
    return (Path(named[0].removeprefix(EXPERIMENT)), rest) if named else (Path(words[0]), list(words[1:]))
