"""The lip refiner's change of the pictures, at the mouth and elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.nn.lips import mouth_region

MOUTH_MARGIN = 0.5
"""Margin of the box around the mouth, in its widths: as far as the refiner may act, see `s2tf.nn.lips.mouth_region`."""
REFINER_LEAK = 0.05
"""The largest change elsewhere that counts as reached, as a share of the change at the mouth."""


@dataclass(frozen=True)
class RefinerChange:
    """The mean absolute change of pixels by the lip refiner, (T,) each, as a share of the whole range."""

    inside: Tensor
    """Change in the box around the mouth, enlarged by `MOUTH_MARGIN` of its widths on each side."""
    outside: Tensor


def refiner_change(refined: Tensor, unrefined: Tensor, lips: Tensor) -> RefinerChange:
    """Compare pictures (T, 3, R, R) in [-1, 1] with and without the refiner, given placed lips (T, 20, 2)."""
    change = (refined - unrefined).abs().mean(1) / 2
    box = (mouth_region(lips, refined.shape[-1], MOUTH_MARGIN)[:, 0] > 0).to(change)
    inside, outside = ((change * part).sum((1, 2)) / part.sum((1, 2)).clamp_min(1) for part in (box, 1 - box))
    return RefinerChange(inside, outside)


def refiner_measurement(inside: float, outside: float, protocol: Mapping[str, object]) -> Measurement:
    """Measure the mean change outside the mouth as a share of the change inside."""
    record = {**protocol, "change inside": inside, "mouth box": f"larger by {MOUTH_MARGIN} widths on each side"}
    return Measurement(
        "refiner's change outside the mouth, of that inside",
        outside / inside if inside else math.nan,
        record,
        target=REFINER_LEAK,
        target_rule="5 %",
        higher_is_better=False,
    )
