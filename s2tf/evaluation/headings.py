"""How a measurement is called in a table for reading: its unit, and which way is better."""

from s2tf.evaluation.measurement import Measurement

UNITS = {
    "PSNR": "dB",
    "AV offset": "frames",
    "cosine_degrees": "degrees",
    **dict.fromkeys(("landmark distance", "lip landmark distance", "lip shape distance"), "% of the eyes' distance"),
}
"""Of measurements that have one; the others are shares, scores and distances of features."""
ARROWS = {True: " ↑", False: " ↓", None: ""}
"""By which way is better; none where the truth's own value is the best."""


def heading(one: Measurement) -> str:
    """Such as `PSNR ↑ (dB)` and `FID of 3000 frames ↓`."""
    name = one.name if one.frames is None else f"{one.name} of {one.frames} frames"
    unit = UNITS.get(one.name)
    return f"{name}{ARROWS[one.higher_is_better]}{f' ({unit})' if unit else ''}"
