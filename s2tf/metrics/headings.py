"""How a measurement is called in a table for reading: its unit, and which way is better."""

from s2tf.metrics.protocol import Measurement

UNITS = {
    "PSNR": "dB",
    "AV offset": "frames",
    "cosine_degrees": "degrees",
    **dict.fromkeys(("landmark distance", "lip landmark distance", "lip shape distance"), "% of the eyes' distance"),
}
"""Of measurements that have one; the others are shares, scores and distances of features."""
UNRANKED = (
    *("blinks per minute", "mouth range", "pose step", "pose deviation", "head power"),
    *("sharpness", "gradient energy", "hidden pixels"),
)
"""Beginnings of the names of what is best near the truth, neither high nor low."""


def heading(one: Measurement) -> str:
    """Such as `PSNR ↑ (dB)` and `FID of 3000 frames ↓`."""
    name = one.name if one.frames is None else f"{one.name} of {one.frames} frames"
    arrow = "" if one.name.startswith(UNRANKED) else " ↑" if one.higher_is_better else " ↓"
    unit = UNITS.get(one.name)
    return f"{name}{arrow}{f' ({unit})' if unit else ''}"
