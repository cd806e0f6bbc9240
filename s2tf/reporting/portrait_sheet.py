"""A sheet of test speakers by variant (Tables III and IV), from what `s2tf evaluate` has drawn of finished runs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.evaluation.stages.scfp import PORTRAIT, SAMPLES, TRUE
from s2tf.figures.sheet import draw_grid
from s2tf.reporting.paper import TABLES
from s2tf.runs.folder import CONFIG_FILE, read_config

VARIANTS = {
    "baseline": ("table3", 0),
    "+ SAW": ("table3", 2),
    "+ ConRe": ("table3", 1),
    "+ ConRe, weight 0.01": ("table4", 0),
    "+ ConRe + SAW": ("table3", 3),
}
"""What is shown below the true face: table and row."""


def portraits_sheet(runs: Path, clips: int, out: Path) -> dict[str, Any]:
    """Draw `out`/portraits.png: a speaker a column; the true face, then what each variant made of the speech.

    Of each variant the first run below `runs` is shown, and of the speakers the first ones that all of them have.

    Raises:
        UserError: no run of any variant has pictures, or they have no speaker in common.
    """
    rows = {name: TABLES[table].rows[number] for name, (table, number) in VARIANTS.items()}
    folders = {name: _first(runs, row.runs) for name, row in rows.items()}
    found = {label: folder / SAMPLES for label, folder in folders.items() if folder is not None}
    if not found:
        wanted = ", ".join(name for row in rows.values() for name in row.runs)
        raise UserError(f"{runs}: no run with pictures of `s2tf evaluate` of any of: {wanted}")
    keys = [{path.name.removesuffix(PORTRAIT) for path in folder.glob(f"*{PORTRAIT}")} for folder in found.values()]
    shown = sorted(set.intersection(*keys))[:clips]
    if not shown:
        raise UserError(f"{runs}: the runs' pictures have no speaker in common")
    first = next(iter(found.values()))
    pictures = [("true face", [_read(first / f"{key}{TRUE}") for key in shown])]
    pictures += [(label, [_read(folder / f"{key}{PORTRAIT}") for key in shown]) for label, folder in found.items()]
    note = random_weights_note(folder for folder in folders.values() if folder is not None)
    draw_grid(pictures, title=f"unseen speakers: what each variant makes of their speech alone{note}").save(
        out / "portraits.png"
    )
    return {"speakers": shown, "runs": {label: str(folder.parent) for label, folder in found.items()}}


def _first(runs: Path, experiments: tuple[str, ...]) -> Path | None:
    """The first evaluated run of a variant: of the least seed."""
    folders = [path for name in experiments for path in (runs / name).glob("*")]
    drawn = [folder for folder in folders if any((folder / SAMPLES).glob(f"*{PORTRAIT}"))]
    return min(drawn, key=by_seed, default=None)


def by_seed(folder: Path) -> tuple[int, str]:
    """Sorts the folders of an experiment."""
    # `evaluate --out` may have put the pictures into a folder that is no run.
    return (read_config(folder)["seed_everything"] if (folder / CONFIG_FILE).is_file() else 0), folder.name


def random_weights_note(folders: Iterable[Path]) -> str:
    """What the `metrics.json` of folders says of random weights, to stand behind a title; may be empty."""
    found = sorted(
        {name for folder in folders for name in json.loads((folder / METRICS_FILE).read_text())["random_weights"]}
    )
    return f" — RANDOM WEIGHTS: {', '.join(found)}" if found else ""


def _read(path: Path) -> "np.ndarray":
    return np.asarray(Image.open(path).convert("RGB"))
