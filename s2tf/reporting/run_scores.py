"""What is known of one finished run, for the tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunScores:
    """What a `metrics.json` says, by measurement."""

    experiment: str
    folder: str
    """Where it is from, for messages: the folder of the file, or the name of a W&B run."""
    seed: int
    values: Mapping[str, float]
    baselines: Mapping[str, float]
    truths: Mapping[str, float]
    protocol: Mapping[str, Any]
    """What holds of all its numbers."""
    random_weights: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What its numbers leave out, and what they are to be taken with."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by package, see `s2tf.evaluation.software`."""
    mark: str = ""
    """The letter of its protocol, where the table has several."""
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How each measurement was made, beyond what holds of all."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of each measurement, see `s2tf.evaluation.measurement.Measurement`."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """By measurement, the first letter of those that have measured it alike; `mark` where it is not named."""

    def mark_of(self, measurement: str) -> str:
        """The letter of the protocol of one measurement: those of equal letters compare."""
        return self.marks.get(measurement, self.mark)

    def clips(self, measurement: str) -> tuple[int, int] | None:
        """How many clips one measurement is of, and how many there were; None where that is not known."""
        failed, clips = self.counts.get(measurement, {}).get("failed"), self.protocol.get("clips")
        return None if failed is None or clips is None else (clips - failed, clips)

    def is_whole(self, measurement: str) -> bool:
        """Whether one measurement leaves out no clip, as far as that is known."""
        clips = self.clips(measurement)
        return clips is None or clips[0] == clips[1]
