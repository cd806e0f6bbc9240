"""Scores of an evaluation, and the `metrics.json` that holds them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from s2tf.evaluation.measurement import Measurement, measurements_to_json
from s2tf.evaluation.software import OPENCV, versions
from s2tf.fault_tolerance.atomic_files import atomic_open

METRICS_FILE = "metrics.json"


@dataclass
class Scores:
    """Scores of one run or system."""

    kind: str
    experiment: str
    measurements: "list[Measurement]"
    protocol: dict[str, Any]
    random_weights: list[str]
    not_computed: "Mapping[str, str]" = field(default_factory=dict)
    """Requested number that could not be computed -> reason."""
    warnings: Sequence[str] = ()
    frames: "Mapping[str, int]" = field(default_factory=dict)
    """Numbers of frames of compared videos: those in both videos, and those left out, by reason."""
    packages: Sequence[str] = ()
    """Packages besides OpenCV and torch that read or compute, if the measurements do not state them."""
    generator: str = ""
    """Description of the system that generated the measured videos, if known; no part of the protocol."""
    system: "Mapping[str, Any]" = field(default_factory=dict)
    """Facts about the system that reports compare with the row of a table; no part of the protocol."""
    datasets: Sequence[str] = ()
    """Data sets of the references, by the records of the test clips; empty where it is unknown."""
    failures: "Sequence[Mapping[str, str]]" = ()
    """Clips that could not be measured, with the keys clip, what (the measure) and reason."""

    @property
    def complete(self) -> bool:
        """True if every number was computed, over every clip."""
        return not self.not_computed and not self.failures

    def to_json(self) -> dict[str, Any]:
        """Convert to the content of `metrics.json`."""
        software = versions([OPENCV, "torch", *self.packages])
        told = [one if one.software else replace(one, software=software) for one in self.measurements]
        return {
            "kind": self.kind,
            "experiment": self.experiment,
            "random_weights": self.random_weights,
            "protocol": self.protocol,
            "measurements": measurements_to_json(told),
            "not_computed": dict(self.not_computed),
            "warnings": list(self.warnings),
            **({"frames": dict(self.frames)} if self.frames else {}),
            **({"drawn_by": self.generator} if self.generator else {}),
            **({"system": dict(self.system)} if self.system else {}),
            **({"datasets": list(self.datasets)} if self.datasets else {}),
            "failures": [dict(one) for one in self.failures],
        }

    def write(self, folder: Path) -> None:
        """Write `metrics.json` into `folder`, which is created if it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_open(folder / METRICS_FILE, "w") as file:
            file.write(json.dumps(self.to_json(), indent=2) + "\n")
