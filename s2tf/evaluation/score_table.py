"""Printed table of scores, with the baseline and the value of the ground truth beside each number."""

import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores

UNITS = {
    "PSNR": "dB",
    "AV offset": "frames",
    "cosine_degrees": "degrees",
    **dict.fromkeys(("landmark distance", "lip landmark distance", "lip shape distance"), "% of the eyes' distance"),
}
"""Units of the measurements with a unit; the others are shares, scores and distances of features."""
ARROWS = {True: " ↑", False: " ↓", None: ""}
"""Arrow by `higher_is_better`; no arrow if the value of the ground truth is the best."""
SIGNIFICANT = 4
SHOWN_FAILURES = 10
"""Greatest number of failures that are printed; all are in `metrics.json`."""
MOST_DECIMALS = 9
"""Greatest number of decimals, so that a rounding error near zero does not look like a value."""


def heading(one: Measurement) -> str:
    """Name a measurement with its direction and unit, such as `PSNR ↑ (dB)` and `FID of 3000 frames ↓`."""
    name = one.name if one.frames is None else f"{one.name} of {one.frames} frames"
    unit = UNITS.get(one.name)
    return f"{name}{ARROWS[one.higher_is_better]}{f' ({unit})' if unit else ''}"


def score_table(scores: "Scores") -> "Table":
    """Make the table of all measurements with their baselines, and with the number of failed clips if any failed."""
    every = scores.measurements
    names = {one.baseline_name for one in every if one.baseline is not None}
    shared = next(iter(names)) if len(names) == 1 else ""
    values, baselines, truths = (
        aligned([getattr(one, name) for one in every]) for name in ("value", "baseline", "truth")
    )
    columns = {
        "what": [escape(heading(one)) for one in every],
        "value": values,
        f"baseline: {shared}" if shared else "baseline": [
            text if shared or not text.strip() else f"{text} ({one.baseline_name})"
            for text, one in zip(baselines, every, strict=True)
        ],
        "ground truth": truths,
    }
    if any(_failed(one) for one in every):
        columns["failed clips"] = [str(_failed(one)) for one in every]
    table = Table(*columns, title=_title(scores), title_justify="left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def aligned(values: Sequence[float | None]) -> list[str]:
    """Format numbers with four significant digits and aligned decimal points; None becomes a blank."""
    texts = ["" if value is None else significant(value) for value in values]
    points = [len(text.partition(".")[0]) for text in texts]
    shifted = [" " * (max(points) - point) + text for text, point in zip(texts, points, strict=True)]
    return [text.ljust(max(map(len, shifted))) for text in shifted]


def significant(value: float) -> str:
    """Format a number with four significant digits, without an exponent: `31.25`, `0.001834`, `0`."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), MOST_DECIMALS)}f}"


def _title(scores: "Scores") -> str:
    failed = len({one["clip"] for one in scores.failures})
    random = f" — RANDOM WEIGHTS: {', '.join(scores.random_weights)}" if scores.random_weights else ""
    clips = f"{scores.protocol['clips']} test clips" + (f", {failed} failed" if failed else "")
    return f"{escape(scores.experiment)}: {clips}{random}"


def _failed(one: "Measurement") -> int:
    return one.counts.get("failed", 0)


def missing_lines(scores: Scores) -> list[str]:
    """Return the lines of warnings, of metrics that were not computed and of clips that failed."""
    lines = [f"warning: {text}" for text in scores.warnings]
    lines += [f"not computed: {what}: {reason}" for what, reason in scores.not_computed.items()]
    lines += [f"failed: {one['clip']}: {one['what']}: {one['reason']}" for one in scores.failures[:SHOWN_FAILURES]]
    if len(scores.failures) > SHOWN_FAILURES:
        lines.append(f"and {len(scores.failures) - SHOWN_FAILURES} more, see metrics.json")
    return lines
