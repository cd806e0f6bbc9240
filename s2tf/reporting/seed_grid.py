"""Figure 3 as a picture: portraits of one speech from several seeds, without the prior, with β⁰, and with β."""

from pathlib import Path
from typing import Any

import numpy as np

from s2tf.errors import UserError
from s2tf.evaluation.stages.portrait_rows import PortraitRows, PortraitTest, portrait_rows
from s2tf.figures.sheet import draw_grid
from s2tf.nn.network import holds_random_part
from s2tf.pipelines.portrait import PortraitSettings
from s2tf.reporting.paper import TABLES
from s2tf.reporting.portrait_sheet import by_seed
from s2tf.tables.write_table import write_table

WEIGHTS = {"no prior": ("table3", 1), "β⁰": ("table4", 0), "β": ("table4", 1)}
"""Table and number of the row of each weight of the prior."""
NAME = "figure3"


def seed_grid(runs: Path, clips: int, seeds: int, out: Path, steps: int = 50) -> dict[str, Any]:
    """Write `out`/figure3.png and .csv: a row for each test speaker, columns for every weight and seed of the noise.

    The table has two numbers for each speaker and weight, in grey levels of 255: the mean difference of two seeds'
    portraits (the paper's diversity) and of a portrait from the reference face (the less, the more consistent).

    Args:
        runs: Folder of run folders; each weight is shown by its first finished run.
        clips: Number of speakers.
        seeds: Number of portraits of each speech.
        out: Folder of the figure.
        steps: Number of denoising steps.

    Raises:
        UserError: A weight has no finished run, or the runs have other test speakers.
    """
    folders = {label: _finished(runs, label) for label in WEIGHTS}
    # Portraits by weight and seed; the seed of the noise is the same for all weights.
    shown: dict[str, list[PortraitRows]] = {}
    random: set[str] = set()
    for label, folder in folders.items():
        shown[label] = []
        for seed in range(seeds):
            test = PortraitTest(settings=PortraitSettings(steps=steps), clips=clips, batch=clips, seed=seed)
            pipeline, rows = portrait_rows(folder, test)
            shown[label].append(next(rows))
        random |= {name for name, network in pipeline.components.items() if holds_random_part(network)}
    first = next(iter(shown.values()))[0]
    if any(one.keys != first.keys for some in shown.values() for one in some):
        raise UserError(f"{runs}: the runs of {', '.join(WEIGHTS)} have other test speakers, expected the same data")
    # Write numbers and picture.
    numbers = [
        {"speaker": key, "weight": label, **_numbers(some, index)}
        for index, key in enumerate(first.keys)
        for label, some in shown.items()
    ]
    write_table(numbers, out / f"{NAME}.csv", list(numbers[0]))
    note = f" — RANDOM WEIGHTS: {', '.join(sorted(random))}" if random else ""
    grid = [
        (key[-12:], [first.reference[index], *(one.portraits[index] for some in shown.values() for one in some)])
        for index, key in enumerate(first.keys)
    ]
    captions = ["reference", *(f"{label}, seed {seed}" for label in WEIGHTS for seed in range(seeds))]
    draw_grid(grid, captions=captions, title=f"one speech, several seeds of the noise{note}").save(out / f"{NAME}.png")
    return {"figure": NAME, "runs": {label: str(folder) for label, folder in folders.items()}, "rows": numbers}


def _finished(runs: Path, label: str) -> Path:
    """Return the finished run of a weight with the smallest seed."""
    table, number = WEIGHTS[label]
    names = TABLES[table].rows[number].runs
    folders = [path.parents[1] for name in names for path in (runs / name).glob("*/networks/portrait_diffusion")]
    if not folders:
        raise UserError(f"{runs}: no finished run of {' or '.join(names)}, expected one for {label}")
    return min(folders, key=by_seed)


def _numbers(rows: list[PortraitRows], index: int) -> dict[str, float]:
    pictures = np.stack([one.portraits[index] for one in rows]).astype(np.float64)
    reference = rows[0].reference[index].astype(np.float64)
    pairs = [np.abs(one - other).mean() for at, one in enumerate(pictures) for other in pictures[:at]]
    return {
        "between seeds": float(np.mean(pairs)) if pairs else 0.0,
        "from the reference": float(np.abs(pictures - reference).mean()),
    }
