"""A reported number with its protocol, its baseline and the value of the ground truth."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

POOLED = frozenset({"FID"})
"""Measurements of all frames together; their value depends on the number of frames."""


@dataclass(frozen=True)
class Measurement:
    """One number of a report, with its protocol, its baseline and the ground-truth row.

    `value`, `baseline` and `truth` are in the same unit. `target` is the lowest value that counts as reached (the
    highest, where `higher_is_better` is false), and `target_rule` says in words where it comes from. Where
    `higher_is_better` is None, the value of the ground truth is the best, and there is no target.
    """

    name: str
    value: float
    protocol: Mapping[str, Any]
    baseline: float | None = None
    baseline_name: str = ""
    truth: float | None = None
    target: float | None = None
    target_rule: str = ""
    higher_is_better: bool | None = True
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that computed it, see `s2tf.evaluation.software`; empty where they were not recorded."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Numbers of items that went in, and of items left out by reason."""

    def __post_init__(self) -> None:
        """Refuse a number without a protocol, and a target without a direction.

        Raises:
            ValueError: The protocol is empty, or a target is given although neither higher nor lower is better.
        """
        if not self.protocol:
            raise ValueError(f"measurement {self.name!r} has an empty protocol, expected how it was measured")
        if self.target is not None and self.higher_is_better is None:
            raise ValueError(f"measurement {self.name!r} has a target, but higher_is_better is None")

    @property
    def reached(self) -> bool | None:
        """True if the target is met, None without a target. A value that is not a number never meets it."""
        if self.target is None:
            return None
        if math.isnan(self.value):
            return False
        return self.value >= self.target if self.higher_is_better else self.value <= self.target

    @property
    def frames(self) -> int | None:
        """Number of frames if the value depends on it, else None."""
        return self.counts.get("frames") if self.name in POOLED else None

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values for `json.dumps`; numbers that JSON does not know (NaN, infinity) become null."""
        mappings = {name: dict(getattr(self, name)) for name in ("protocol", "software", "counts")}
        record = {**asdict(self), **mappings, "reached": self.reached}
        for name in ("value", "baseline", "truth", "target"):
            record[name] = _finite(record[name])
        return record


def measurements_to_json(measurements: Iterable[Measurement]) -> dict[str, Any]:
    """Convert measurements to plain values, by name.

    Raises:
        ValueError: Two measurements have the same name.
    """
    result: dict[str, Any] = {}
    for measurement in measurements:
        if measurement.name in result:
            raise ValueError(f"two measurements have the name {measurement.name!r}")
        result[measurement.name] = measurement.to_json()
    return result


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
