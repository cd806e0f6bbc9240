"""Table of the demo's numbers, for a terminal."""

from collections.abc import Sequence

from rich.table import Table

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.score_table import aligned


def measurement_table(measurements: Sequence[Measurement]) -> Table:
    """Build the table of the numbers beside their baselines, references and targets."""
    values, truths, baselines, targets = (
        aligned([getattr(one, name) for one in measurements]) for name in ("value", "truth", "baseline", "target")
    )
    marks = {True: "yes", False: "NO", None: ""}
    columns = {
        "what": [one.name for one in measurements],
        "value": values,
        "baseline": [f"{text} {one.baseline_name}" for text, one in zip(baselines, measurements, strict=True)],
        "ground truth": truths,
        "target": [
            f"{text} ({one.target_rule})" if one.target is not None else ""
            for text, one in zip(targets, measurements, strict=True)
        ],
        "reached": [marks[one.reached] for one in measurements],
    }
    table = Table(*columns, title="Numbers of speakers that no stage has seen", title_justify="left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table
