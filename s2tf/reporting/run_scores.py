"""Scores of one finished run, as the tables use them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunScores:
    """Content of a `metrics.json`, by measurement."""

    experiment: str
    folder: str
    """Origin for messages: the folder of the file, or the name of a W&B run."""
    seed: int
    values: Mapping[str, float]
    baselines: Mapping[str, float]
    truths: Mapping[str, float]
    protocol: Mapping[str, Any]
    """The part of the protocol that all its numbers share."""
    random_weights: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """Failures, measurements that are missing, and warnings."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by package, see `s2tf.evaluation.software`."""
    mark: str = ""
    """Letter of its protocol where the table has several."""
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Protocol of each measurement beyond the shared one."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Counts of each measurement, see `s2tf.evaluation.measurement.Measurement`."""
    datasets: tuple[str, ...] = ()
    """Data sets of the test clips; empty where they are unknown."""
    system: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the system, see `s2tf.evaluation.scores.Scores`."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """By measurement, the first letter of those that measured it in the same way; `mark` where it is not named."""

    def mark_of(self, measurement: str) -> str:
        """Return the letter of one measurement's protocol: numbers of equal letters can be compared."""
        return self.marks.get(measurement, self.mark)

    def clips(self, measurement: str) -> tuple[int, int] | None:
        """Return the number of clips measured and the number of clips given; None where they are unknown."""
        failed, clips = self.counts.get(measurement, {}).get("failed"), self.protocol.get("clips")
        return None if failed is None or clips is None else (clips - failed, clips)

    def is_whole(self, measurement: str) -> bool:
        """Return False if a measurement is known to leave out clips."""
        clips = self.clips(measurement)
        return clips is None or clips[0] == clips[1]
