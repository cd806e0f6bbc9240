"""A sheet of test speakers by variant (Tables III and IV), from portraits that `s2tf evaluate` has kept."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.evaluation.stages.scfp import PORTRAIT, REFERENCE, SAMPLES
from s2tf.figures.sheet import draw_grid
from s2tf.media.pictures import read_picture
from s2tf.reporting.paper import TABLES
from s2tf.runs.folder import CONFIG_FILE, read_config

VARIANTS = {
    "baseline": ("table3", 0),
    "+ SAW": ("table3", 2),
    "+ ConRe": ("table3", 1),
    "+ ConRe, weight 0.01": ("table4", 0),
    "+ ConRe + SAW": ("table3", 3),
}
"""Table and number of the row of each variant that is shown below the reference face."""


def portraits_sheet(runs: Path, clips: int, out: Path) -> dict[str, Any]:
    """Write `out`/portraits.png: a column for each speaker with the reference face and each variant's portrait.

    Each variant is shown by its first run below `runs`, and the speakers are the first ones that all these runs have.

    Raises:
        UserError: No run of any variant has pictures, or they have no speaker in common.
    """
    # Find a run of each variant.
    rows = {name: TABLES[table].rows[number] for name, (table, number) in VARIANTS.items()}
    folders = {name: _first(runs, row.runs) for name, row in rows.items()}
    found = {label: folder / SAMPLES for label, folder in folders.items() if folder is not None}
    if not found:
        wanted = ", ".join(name for row in rows.values() for name in row.runs)
        raise UserError(f"{runs}: no run with pictures of `s2tf evaluate` of any of: {wanted}")
    # Choose speakers that all of them have.
    keys = [{path.name.removesuffix(PORTRAIT) for path in folder.glob(f"*{PORTRAIT}")} for folder in found.values()]
    shown = sorted(set.intersection(*keys))[:clips]
    if not shown:
        raise UserError(f"{runs}: the runs' pictures have no speaker in common")
    # Draw a row of reference faces and a row for each variant.
    first = next(iter(found.values()))
    pictures = [("reference", [read_picture(first / f"{key}{REFERENCE}", any_size=True) for key in shown])]
    pictures += [
        (label, [read_picture(folder / f"{key}{PORTRAIT}", any_size=True) for key in shown])
        for label, folder in found.items()
    ]
    note = random_weights_note(folder for folder in folders.values() if folder is not None)
    draw_grid(pictures, title=f"unseen speakers: what each variant makes of their speech alone{note}").save(
        out / "portraits.png"
    )
    return {"speakers": shown, "runs": {label: str(folder.parent) for label, folder in found.items()}}


def _first(runs: Path, experiments: tuple[str, ...]) -> Path | None:
    """Return the evaluated run of a variant with the smallest seed."""
    folders = [path for name in experiments for path in (runs / name).glob("*")]
    # An evaluation that failed may have left pictures without numbers.
    finished = [folder for folder in folders if (folder / METRICS_FILE).is_file()]
    evaluated = [folder for folder in finished if any((folder / SAMPLES).glob(f"*{PORTRAIT}"))]
    return min(evaluated, key=by_seed, default=None)


def by_seed(folder: Path) -> tuple[int, str]:
    """Return the key that sorts the folders of an experiment."""
    # With `evaluate --out` the pictures may lie in a folder that is no run.
    return (read_config(folder)["seed_everything"] if (folder / CONFIG_FILE).is_file() else 0), folder.name


def random_weights_note(folders: Iterable[Path]) -> str:
    """Return a warning of random weights in folders' `metrics.json`, to stand behind a title; empty without any."""
    found = sorted(
        {name for folder in folders for name in json.loads((folder / METRICS_FILE).read_text())["random_weights"]}
    )
    return f" — RANDOM WEIGHTS: {', '.join(found)}" if found else ""
