"""What measuring a finished run needs: its config, its test data, and the scores that come of it."""

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
    """What was measured on one run."""

    kind: str
    experiment: str
    measurements: "list[Measurement]"
    protocol: dict[str, Any]
    random_weights: list[str]
    not_computed: "Mapping[str, str]" = field(default_factory=dict)
    """What was asked for and could not be had, with the reason."""
    warnings: Sequence[str] = ()
    frames: "Mapping[str, int]" = field(default_factory=dict)
    """Of videos: how many lie beside each other, and how many of them and beyond them are left out, by reason."""
    packages: Sequence[str] = ()
    """What has read and computed besides OpenCV and torch, where the measurements do not say it themselves."""
    drawn_by: str = ""
    """What has drawn the videos that were measured, where it is known; no part of how they were measured."""
    failures: "Sequence[Mapping[str, str]]" = ()
    """Clips that could not be measured: clip, what and reason."""

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is there, of every clip."""
        return not self.not_computed and not self.failures

    def to_json(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
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
            **({"drawn_by": self.drawn_by} if self.drawn_by else {}),
            "failures": [dict(one) for one in self.failures],
        }

    def write(self, folder: Path) -> None:
        """Write `metrics.json` into `folder`, which is made if it is absent."""
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_open(folder / METRICS_FILE, "w") as file:
            file.write(json.dumps(self.to_json(), indent=2) + "\n")
